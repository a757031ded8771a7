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
    /// <summary>One pointer for 64 tokens, from position 0: values of one head of L + P (<see cref="KvBlock"/>).</summary>
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
/// position 0, so that a query's result is the same bits whatever else is computed beside it.
/// </summary>
internal static unsafe class Attention
{
    /// <summary>Grouped-query attention; multi-head and multi-query are special cases.</summary>
    public static void GroupedQuery(in GroupedQueryArguments a, KernelTable kernels, WorkerPool pool)
    {
        if (a.Tokens <= 0) return;
        int rows = checked(a.Tokens * (a.Heads / a.KvHeads));
        GroupedQueryArguments copy = a;
        var work = new GroupedQueryWork { A = &copy, Rows = rows, Step = Step(rows, a.KvHeads, pool), Scratch = kernels.AttentionScratch(a.KeyDim, a.ValueDim), Pool = pool, Kernel = kernels.GroupedQuery };
        work.Pieces = (rows - 1) / work.Step + 1;
        pool.Run(a.KvHeads * work.Pieces, ref work);
    }

    /// <summary>Absorbed multi-head latent attention.</summary>
    public static void Latent(in LatentArguments a, KernelTable kernels, WorkerPool pool)
    {
        if (a.Tokens <= 0) return;
        int rows = checked(a.Tokens * a.Heads), dim = a.LatentDim + a.RopeDim + 31 & ~31;
        LatentArguments copy = a;
        // Latents lie where keys and values do in the other kind; the queries are copied.
        var work = new LatentWork { A = &copy, Rows = rows, Step = Step(rows, 1, pool), Scratch = kernels.AttentionScratch(2 * dim, a.LatentDim), Pool = pool, Kernel = kernels.Latent };
        pool.Run((rows - 1) / work.Step + 1, ref work);
    }

    // Rows of an item: enough items for all threads, few enough that a block is seldom converted twice; whole register tiles of 6.
    private static int Step(int rows, int heads, WorkerPool pool)
    {
        int share = (int)Math.Min(AttentionRows, ((long)rows * heads + pool.Threads - 1) / pool.Threads);
        return Math.Min(AttentionRows, (share + 5) / 6 * 6);
    }

    private const int AttentionRows = 48;

    private struct GroupedQueryWork : IParallelWork
    {
        public GroupedQueryArguments* A;
        public int Rows, Step, Pieces;
        public long Scratch;
        public WorkerPool Pool;
        public delegate*<GroupedQueryArguments*, int, int, int, byte*, void> Kernel;

        public readonly void Run(int item, int worker)
        {
            // The last rows see the most keys: they go first.
            int first = (Pieces - 1 - item % Pieces) * Step;
            Kernel(A, item / Pieces, first, Math.Min(Step, Rows - first), Pool.Scratch(worker, Scratch));
        }
    }

    private struct LatentWork : IParallelWork
    {
        public LatentArguments* A;
        public int Rows, Step;
        public long Scratch;
        public WorkerPool Pool;
        public delegate*<LatentArguments*, int, int, byte*, void> Kernel;

        public readonly void Run(int item, int worker)
        {
            int first = ((Rows - 1) / Step - item) * Step;
            Kernel(A, first, Math.Min(Step, Rows - first), Pool.Scratch(worker, Scratch));
        }
    }
}
