using System.Globalization;
using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>
/// Who gets the memory. A model that fits is packed whole. Of one that does not, the matrices that every token goes through are packed and the experts are read as they are needed, into slots
/// that take what the rest leaves. What can never fit is refused before anything is loaded: a machine that swaps is of no use to anybody.
/// </summary>
internal sealed record MemoryPlan
{
    // The runtime, the program and the tokenizer, without what grows with the model.
    private const long ProgramBytes = 200_000_000;
    // Context that the cache has room for when nobody asked for one, and experts are not all in memory.
    private const int ModestContext = 4096;

    /// <summary>Bytes of the matrices that every token goes through, packed.</summary>
    public required long DenseBytes { get; init; }

    /// <summary>Bytes of all experts, packed.</summary>
    public required long ExpertBytes { get; init; }

    /// <summary>Bytes of the largest expert; 0 without experts.</summary>
    public required long LargestExpert { get; init; }

    /// <summary>Bytes for slots of experts; null where all are packed into memory at load.</summary>
    public long? SlotBytes { get; init; }

    /// <summary>Bytes that keys and values may take; null where what is free decides.</summary>
    public long? CacheBytes { get; init; }

    /// <summary>A line for the user, where experts are read as they are needed.</summary>
    public string? Notice { get; init; }

    /// <summary>Plans a model's memory.</summary>
    /// <param name="config">Its shape.</param>
    /// <param name="weights">Its matrices.</param>
    /// <param name="options">A limit, if there is one, and what else takes memory.</param>
    /// <param name="layout">Keys and values of a token.</param>
    /// <param name="available">Bytes that the machine can give now.</param>
    /// <exception cref="ModelException">It does not fit.</exception>
    public static MemoryPlan Make(ModelConfig config, ModelWeights weights, ModelOptions options, KvLayout layout, long available)
    {
        bool mtp = options.MultiTokenPrediction && weights.MultiTokenPrediction.Length > 0;
        long dense = 0, experts = 0, largest = 0;
        foreach (MatrixSource m in ModelMatrices.Dense(weights, mtp)) dense += PackedBytes(m, weights, options.Exact);
        foreach (SwiGluWeights e in ModelMatrices.Experts(weights, mtp))
        {
            long bytes = Expert.PackedBytes(e);
            experts += bytes;
            largest = Math.Max(largest, bytes);
        }
        var plan = new MemoryPlan { DenseBytes = dense, ExpertBytes = experts, LargestExpert = largest };
        if (options.ExpertSlotBytes is { } slots && experts > 0) return plan with { SlotBytes = slots };

        long working = ProgramBytes + WorkingBytes(config, options), tokenBytes = layout.BlockBytes / KvBlock.Tokens;
        long least = tokenBytes * Math.Min(512, config.MaxPositionEmbeddings); // the shortest context that the engine makes do with
        long limit = options.MemoryLimit ?? available;
        long left = limit - dense - experts - working;
        if (left >= least) return options.MemoryLimit is null ? plan : plan with { CacheBytes = left };

        // A quarter more than the context takes: the engine keeps some room for itself.
        long cache = (options.ContextLength ?? Math.Min(ModestContext, config.MaxPositionEmbeddings)) * tokenBytes / 4 * 5;
        // Reading goes through the page cache: without a limit of the user's own, it is left a fifth.
        left = (options.MemoryLimit ?? available / 5 * 4) - dense - working - cache;
        long needed = 2 * largest;
        string room = options.MemoryLimit is null ? $"{Show(available)} are free" : $"the limit is {Show(limit)}";
        if (experts == 0) throw new ModelException($"the model takes {Show(dense + working + least)} of memory and {room}; only experts can be read as they are needed, and it has none");
        if (left < needed)
            throw new ModelException($"without its experts the model takes {Show(dense + working + cache + needed)} of memory ({Show(cache)} for the context) and {room}");
        return plan with
        {
            SlotBytes = Math.Min(left, experts),
            CacheBytes = cache,
            Notice = $"the model takes {Show(dense + experts + working)} of memory and {room}: experts are read as they are needed, {Show(Math.Min(left, experts))} of {Show(experts)} stay in memory",
        };
    }

    private static long PackedBytes(MatrixSource m, ModelWeights weights, bool exact)
    {
        // kv_b is cut into heads and turned, and blocks are not kept by that.
        if (weights.Layers.Any(l => ReferenceEquals(l.Latent?.KvB, m)) && m.Format is not (NumberFormat.F32 or NumberFormat.F16 or NumberFormat.BF16)) return checked(m.Rows * m.Cols * (exact ? 4 : 2));
        return PackedLayout.HasProduct(m.Format) ? PackedMatrix.PackedBytes(m.Format, m.Rows, m.Cols, m.Scales is not null) : m.ByteLength; // without a product: packing will refuse it
    }

    /// <summary>What a chunk of tokens needs on its way through the layers; on the safe side.</summary>
    internal static long WorkingBytes(ModelConfig c, ModelOptions options)
    {
        long tokens = Math.Min(options.ChunkSize, options.ContextLength ?? int.MaxValue), h = c.HiddenSize, heads = c.NumAttentionHeads;
        long attention = c.IsLatentAttention ? heads * (2L * c.KvLoraRank + 2L * (c.QkNopeHeadDim + c.QkRopeHeadDim) + c.VHeadDim) : 4L * heads * c.HeadDim;
        long moe = c.NRoutedExperts > 0 ? c.NumExpertsPerTok * (3L * c.MoeIntermediateSize + h) + 3L * c.NSharedExperts * c.MoeIntermediateSize + h : 0;
        long floats = 8 * h + attention + Math.Max(moe, 3L * c.IntermediateSize);
        return checked(tokens * floats * sizeof(float) / 2 * 3 + 64L * c.VocabSize * sizeof(float)); // half again for activations in the forms that products want
    }

    private static string Show(long bytes) => bytes < 1_000_000_000 ? string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0} MB") : string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.0} GB");
}
