using System.Diagnostics;
using SeekSharp.Models;

namespace SeekSharp.Engine;

/// <summary>
/// Who has which blocks: the pool, the prefix cache, and the sequences' tables. A sequence that begins to run takes over what the prefix cache has of its text; what it fills
/// itself goes into the prefix cache at once, so that others that run at the same time can have it.
/// </summary>
/// <param name="pool">Stays its owner's.</param>
/// <param name="createCache">Makes an empty cache in the pool, for an adapter.</param>
internal sealed class KvMemory(BlockPool pool, Func<LoraAdapter?, KvCache> createCache)
{
    private const int Tokens = KvCache.BlockTokens;
    private static readonly long LoadingPerStep = Stopwatch.Frequency / 20; // 50 ms, while others wait for their next token

    private long _loaded; // ticks of this step

    public BlockPool Pool { get; } = pool;

    public PrefixCache Prefixes { get; } = new(pool);

    /// <summary>Blocks that can be had, if need be by forgetting texts that nobody runs.</summary>
    public int Available => Pool.Free + Prefixes.IdleCount;

    /// <summary>A step begins.</summary>
    public void BeginStep() => _loaded = 0;

    /// <summary>Gives a sequence a cache with what is known of its text.</summary>
    /// <param name="sequence">It has none.</param>
    /// <param name="hurry">Others wait: what must come from the disk may come later.</param>
    public void Attach(Sequence sequence, bool hurry)
    {
        sequence.Cache = createCache(sequence.Adapter);
        (sequence.Computed, sequence.Node, sequence.Published) = (0, Prefixes.HoldRoot(sequence.Space), 0);
        Extend(sequence, hurry);
    }

    /// <summary>
    /// Takes over blocks that have become known since (another sequence with the same beginning is ahead), or that are on disk. The last token is always computed, for its logits.
    /// </summary>
    /// <returns>False where more is on disk, and its time has not come.</returns>
    public bool Extend(Sequence sequence, bool hurry)
    {
        KvCache cache = sequence.Cache!;
        if (IsSteppedBack(sequence)) cache.StepForward();
        if (cache.Length % Tokens != 0 || sequence.Published != cache.Length / Tokens) return true;
        ReadOnlySpan<int> ids = sequence.Ids;
        int before = cache.Length;
        bool complete = true;
        while (cache.Length + Tokens < ids.Length)
        {
            ReadOnlySpan<int> next = ids.Slice(cache.Length, Tokens);
            int block = Prefixes.Find(sequence.Node, next);
            if (block < 0 && Prefixes.MayLoad(sequence.Node, next))
            {
                complete = !hurry || _loaded < LoadingPerStep;
                if (!complete) break;
                long began = Stopwatch.GetTimestamp();
                block = Prefixes.Load(sequence.Node, next);
                _loaded += Stopwatch.GetTimestamp() - began;
            }
            if (block < 0) break;
            cache.Share(block);
            sequence.Node = block;
            sequence.Published++;
        }
        if (sequence.Preemptions == 0) sequence.CachedTokens += cache.Length - before; // what it computed itself is no hit
        if (cache is { FollowsMtp: true, Length: > 0 }) cache.StepBack(); // the module needs the last token's hidden state
        sequence.Computed = cache.Length;
        return complete;
    }

    /// <summary>Is the block that the sequence needs next the one that the other is computing? Then it need not be computed twice.</summary>
    public static bool NeedsBlockOf(Sequence sequence, Sequence other)
    {
        int start = sequence.Published * Tokens, end = start + Tokens;
        return sequence.Node == other.Node && sequence.Published == other.Published && (sequence.Computed == start || IsSteppedBack(sequence))
            && end < sequence.Ids.Length && end <= other.Ids.Length && sequence.Ids[start..end].SequenceEqual(other.Ids[start..end]);
    }

    // The module follows it and it holds nothing but blocks of others: the last one's last token is computed again.
    private static bool IsSteppedBack(Sequence sequence) =>
        sequence.Cache is { FollowsMtp: true } cache && cache.LastHidden.IsEmpty && cache.Length > 0 && cache.Length + 1 == sequence.Published * Tokens;

    /// <summary>Sees to it that the sequence can be computed up to a length, by forgetting texts that nobody runs. False where that is not enough.</summary>
    public bool MakeRoom(Sequence sequence, int length)
    {
        int missing = sequence.Cache!.Missing(length);
        while (Pool.Free < missing)
            if (!Prefixes.EvictOne()) return false;
        return true;
    }

    /// <summary>Tokens up to which the sequence can be computed with the blocks that can be had.</summary>
    public int Reach(Sequence sequence, int length)
    {
        KvCache cache = sequence.Cache!;
        long most = ((long)cache.Table.Count + Available) * Tokens;
        return (int)Math.Min(length, most);
    }

    /// <summary>What the sequence has computed goes into the prefix cache, block by block.</summary>
    public void Publish(Sequence sequence)
    {
        KvCache cache = sequence.Cache!;
        int final = cache.FollowsMtp ? cache.MtpLength : cache.Length; // a block is full when the module's last place is
        for (; sequence.Published < final / Tokens; sequence.Published++)
        {
            int own = cache.Table[sequence.Published];
            int block = Prefixes.Insert(sequence.Node, sequence.Ids.Slice(sequence.Published * Tokens, Tokens), own);
            // Two sequences computed the same: one block is enough. But with a module following, the last place of a block belongs to the token after it, and may differ.
            if (block != own && !cache.FollowsMtp) cache.Table.Replace(sequence.Published, block);
            sequence.Node = block;
        }
    }

    /// <summary>Gives every block of a sequence back. What the prefix cache has of it stays there until the room is needed.</summary>
    public void Release(Sequence sequence)
    {
        if (sequence.Cache is null) return;
        sequence.Cache.Dispose();
        if (sequence.Draft is { } draft) DraftModel.Forget(draft);
        (sequence.Cache, sequence.Computed) = (null, 0);
        Prefixes.ReleaseRoot(sequence.Space);
    }
}
