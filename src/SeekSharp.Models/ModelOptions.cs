using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>How a model is run. None but <see cref="Exact"/> and <see cref="Kv"/> changes a bit of what is computed.</summary>
public sealed record ModelOptions
{
    /// <summary>Threads that compute, 1 and above; 0 for one per core.</summary>
    public int Threads { get; init; }

    /// <summary>
    /// The reference within the program: weights dequantized to fp32, fp32 activations and fp32 cache, every sum in plain order. Slow.
    /// </summary>
    public bool Exact { get; init; }

    /// <summary>How keys and values are stored; null for bf16, and for fp32 with <see cref="Exact"/>.</summary>
    public KvFormat? Kv { get; init; }

    /// <summary>Tokens of a prompt that go through the layers at once, 1 and above. Changes speed and memory, and no bit.</summary>
    public int ChunkSize { get; init; } = 512;

    /// <summary>Longest sequence to accept, in tokens; null for what the model was made for (<c>max_position_embeddings</c>).</summary>
    public int? ContextLength { get; init; }

    /// <summary>
    /// The most memory that the process may take, in bytes; null for what the machine has free. Experts that do not fit are read from the file as they are needed. Changes speed, and no bit.
    /// </summary>
    public long? MemoryLimit { get; init; }

    /// <summary>Told in one line what a user should know, such as that a model does not fit into memory; null where nobody listens.</summary>
    public Action<string>? Notify { get; init; }

    /// <summary>Threads that several models share, in place of <see cref="Threads"/>; null for threads of the model's own. It stays its owner's, and must outlive the model.</summary>
    internal ThreadBudget? Budget { get; init; }

    /// <summary>For tests: memory for experts alone, whatever else there is.</summary>
    internal long? ExpertSlotBytes { get; init; }

    /// <summary>Loads multi-token-prediction modules where the checkpoint has them.</summary>
    public bool MultiTokenPrediction { get; init; } = true;
}
