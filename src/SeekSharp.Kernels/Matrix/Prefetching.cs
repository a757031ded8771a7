namespace SeekSharp.Kernels;

/// <summary>How many bytes ahead of what one row reads memory is asked for, in two steps (docs/log.md, 2026-11-23). No result depends on it.</summary>
internal static class Prefetching
{
    /// <summary>Into the second-level cache.</summary>
    public const int Far = 8192;

    /// <summary>From there into the first.</summary>
    public const int Near = 2048;
}
