namespace SeekSharp.Checkpoints;

/// <summary>How patient and how greedy a pull is. The defaults are for people; tests are less patient.</summary>
internal sealed record PullOptions
{
    /// <summary>Connections in all.</summary>
    public int Connections { get; init; } = 6;

    /// <summary>Files at the same time.</summary>
    public int Files { get; init; } = 3;

    /// <summary>Bytes that one request asks for.</summary>
    public long ChunkBytes { get; init; } = 64L << 20;

    /// <summary>The longest wait for a connection, for an answer's head, and for each <see cref="StallBytes"/> of its body.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A body that brings less within <see cref="Timeout"/> has stalled.</summary>
    public int StallBytes { get; init; } = 16 << 10;

    /// <summary>The longest that one page of a listing may take.</summary>
    public TimeSpan ListingTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The largest page of a listing, in bytes.</summary>
    public int ListingBytes { get; init; } = 8 << 20;

    /// <summary>The most pages of a listing, and files in it.</summary>
    public int ListingPages { get; init; } = 200;

    public int ListingFiles { get; init; } = 100_000;

    /// <summary>Attempts without progress before a pull gives up.</summary>
    public int Attempts { get; init; } = 6;

    /// <summary>The pause before the second attempt; it doubles each time, up to <see cref="MaxPause"/>.</summary>
    public TimeSpan Pause { get; init; } = TimeSpan.FromSeconds(0.5);

    public TimeSpan MaxPause { get; init; } = TimeSpan.FromSeconds(20);
}
