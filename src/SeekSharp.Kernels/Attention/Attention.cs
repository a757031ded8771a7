namespace SeekSharp.Kernels;

/// <summary>
/// Queries against a cache of keys and values. T queries of one sequence, N query heads, H key/value heads (N a multiple of H; query head n
/// reads head n / (N/H)), D numbers of a key, E of a value.
/// </summary>
internal unsafe struct GroupedQueryArguments
{
    /// <summary>[T, N, D]</summary>
    public float* Query;
    /// <summary>From a token's queries to the next token's, in floats.</summary>
    public int QueryStride;
    /// <summary>One pointer for 64 tokens, from position 0 (<see cref="KvBlock"/>).</summary>
    public byte** KeyBlocks;
    /// <summary>As <see cref="KeyBlocks"/>.</summary>
    public byte** ValueBlocks;
    /// <summary>Format of the blocks.</summary>
    public KvFormat Format;
    /// <summary>T.</summary>
    public int Tokens;
    /// <summary>N.</summary>
    public int Heads;
    /// <summary>H.</summary>
    public int KvHeads;
    /// <summary>D.</summary>
    public int KeyDim;
    /// <summary>E.</summary>
    public int ValueDim;
    /// <summary>Position of the first query; query t sees positions 0 … Position + t, which are all written.</summary>
    public int Position;
    /// <summary>Multiplies every score.</summary>
    public float Scale;
    /// <summary>[T, N, E]</summary>
    public float* Output;
    /// <summary>From a token's result to the next token's, in floats.</summary>
    public int OutputStride;
}

/// <summary>
/// Absorbed multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1.2): one cached row [latent; rope] serves all heads as key, and
/// its latent part as value. T queries of one sequence, N heads, L latent numbers, P rotated ones.
/// </summary>
internal unsafe struct LatentArguments
{
    /// <summary>[T, N, L + P]: queries already multiplied by W_UK, then their rotated part.</summary>
    public float* Query;
    /// <summary>From a token's queries to the next token's, in floats.</summary>
    public int QueryStride;
    /// <summary>One pointer for 64 tokens, from position 0 (<see cref="LatentBlock"/>).</summary>
    public byte** Blocks;
    /// <summary>Format of the blocks.</summary>
    public KvFormat Format;
    /// <summary>T.</summary>
    public int Tokens;
    /// <summary>N.</summary>
    public int Heads;
    /// <summary>L.</summary>
    public int LatentDim;
    /// <summary>P.</summary>
    public int RopeDim;
    /// <summary>Position of the first query; query t sees positions 0 … Position + t, which are all written.</summary>
    public int Position;
    /// <summary>Multiplies every score.</summary>
    public float Scale;
    /// <summary>[T, N, L]: sums of latents; W_UV is the caller's.</summary>
    public float* Output;
    /// <summary>From a token's result to the next token's, in floats.</summary>
    public int OutputStride;
}

/// <summary>
/// Causal attention over blocks of 64 tokens: scores of a block, online softmax (arXiv 1805.02867) block by block from
/// position 0, so that a query's result is the same bits whatever else is computed beside it. The queries of several sequences
/// go through one parallel region.
/// </summary>
internal static unsafe class Attention
{
    private const int AttentionRows = 48;
    private const int PartsPerRegion = 256; // what a region's table of parts holds at most: 8 KB of stack

    /// <summary>Grouped-query attention of one sequence; multi-head and multi-query are special cases.</summary>
    public static void GroupedQuery(in GroupedQueryArguments a, KernelTable kernels, WorkerPool pool) =>
        GroupedQuery(new ReadOnlySpan<GroupedQueryArguments>(in a), kernels, pool);

    /// <summary>Absorbed multi-head latent attention of one sequence.</summary>
    public static void Latent(in LatentArguments a, KernelTable kernels, WorkerPool pool) => Latent(new ReadOnlySpan<LatentArguments>(in a), kernels, pool);

    /// <summary>Grouped-query attention of several sequences; all have the same shapes, and each its own tokens and blocks.</summary>
    public static void GroupedQuery(ReadOnlySpan<GroupedQueryArguments> parts, KernelTable kernels, WorkerPool pool)
    {
        for (; parts.Length > PartsPerRegion; parts = parts[PartsPerRegion..]) GroupedQuery(parts[..PartsPerRegion], kernels, pool);
        if (parts.IsEmpty) return;
        Part* table = stackalloc Part[parts.Length];
        long all = 0, scratch = 0;
        foreach (ref readonly GroupedQueryArguments a in parts) all += (long)a.Tokens * a.Heads;
        int items = 0;
        for (int i = 0; i < parts.Length; i++)
        {
            ref readonly GroupedQueryArguments a = ref parts[i];
            int rows = checked(a.Tokens * (a.Heads / a.KvHeads));
            table[i] = Part.Cut(rows, a.KvHeads, all, pool, ref items);
            scratch = Math.Max(scratch, kernels.AttentionScratch(a.KeyDim, a.ValueDim));
        }
        fixed (GroupedQueryArguments* arguments = parts)
        {
            var work = new GroupedQueryWork { A = arguments, Parts = table, Scratch = scratch, Pool = pool, Kernel = kernels.GroupedQuery };
            pool.Run(items, ref work);
        }
    }

    /// <summary>Absorbed multi-head latent attention of several sequences; all have the same shapes, and each its own tokens and blocks.</summary>
    public static void Latent(ReadOnlySpan<LatentArguments> parts, KernelTable kernels, WorkerPool pool)
    {
        for (; parts.Length > PartsPerRegion; parts = parts[PartsPerRegion..]) Latent(parts[..PartsPerRegion], kernels, pool);
        if (parts.IsEmpty) return;
        Part* table = stackalloc Part[parts.Length];
        long all = 0, scratch = 0;
        foreach (ref readonly LatentArguments a in parts) all += (long)a.Tokens * a.Heads;
        int items = 0;
        for (int i = 0; i < parts.Length; i++)
        {
            ref readonly LatentArguments a = ref parts[i];
            table[i] = Part.Cut(checked(a.Tokens * a.Heads), 1, all, pool, ref items);
            // Latents lie where keys and values do in the other kind; the queries are copied.
            scratch = Math.Max(scratch, kernels.AttentionScratch(2 * (a.LatentDim + a.RopeDim + 31 & ~31), a.LatentDim));
        }
        fixed (LatentArguments* arguments = parts)
        {
            var work = new LatentWork { A = arguments, Parts = table, Scratch = scratch, Pool = pool, Kernel = kernels.Latent };
            pool.Run(items, ref work);
        }
    }

    // How one sequence's rows are cut into items: for each key/value head, pieces of Step rows.
    private struct Part
    {
        public int End;    // the first item that is no longer this part's
        public int Rows, Step, Pieces;

        // Rows of an item: enough items for all threads, few enough that a block is seldom read twice.
        public static Part Cut(int rows, int heads, long all, WorkerPool pool, ref int items)
        {
            int share = (int)Math.Min(AttentionRows, (all + pool.Threads - 1) / pool.Threads);
            int step = Math.Min(AttentionRows, share + 3 & ~3);
            int pieces = rows <= 0 ? 0 : (rows - 1) / step + 1;
            items = checked(items + heads * pieces);
            return new Part { End = items, Rows = rows, Step = step, Pieces = pieces };
        }

        public static int Find(Part* parts, ref int item)
        {
            int i = 0, start = 0;
            for (; item >= parts[i].End; i++) start = parts[i].End;
            item -= start;
            return i;
        }
    }

    private struct GroupedQueryWork : IParallelWork
    {
        public GroupedQueryArguments* A;
        public Part* Parts;
        public long Scratch;
        public WorkerPool Pool;
        public delegate*<GroupedQueryArguments*, int, int, int, byte*, void> Kernel;

        public readonly void Run(int item, int worker)
        {
            int index = Part.Find(Parts, ref item);
            Part* part = Parts + index;
            // The last rows see the most keys: they go first.
            int first = (part->Pieces - 1 - item % part->Pieces) * part->Step;
            Kernel(A + index, item / part->Pieces, first, Math.Min(part->Step, part->Rows - first), Pool.Scratch(worker, Scratch));
        }
    }

    private struct LatentWork : IParallelWork
    {
        public LatentArguments* A;
        public Part* Parts;
        public long Scratch;
        public WorkerPool Pool;
        public delegate*<LatentArguments*, int, int, byte*, void> Kernel;

        public readonly void Run(int item, int worker)
        {
            int index = Part.Find(Parts, ref item);
            Part* part = Parts + index;
            int first = (part->Pieces - 1 - item) * part->Step;
            Kernel(A + index, first, Math.Min(part->Step, part->Rows - first), Pool.Scratch(worker, Scratch));
        }
    }
}
