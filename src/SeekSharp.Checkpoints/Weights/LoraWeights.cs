using System.Runtime.InteropServices;
using System.Security.Cryptography;
using SeekSharp.Kernels;

namespace SeekSharp.Checkpoints;

/// <summary>A matrix of a layer that an adapter may change.</summary>
internal enum LoraTarget
{
    Q, K, V, O,                        // attention; with a compressed query QA, QB and without one QB
    QA, QB, KvA,
    Gate, Up, Down,
    SharedGate, SharedUp, SharedDown,
}

/// <summary>y += Scale · B·(A·x) on one matrix of one layer.</summary>
/// <param name="Layer">From 0.</param>
/// <param name="Target">Which matrix.</param>
/// <param name="Rank">R.</param>
/// <param name="Scale">α / r, or α / √r.</param>
/// <param name="A">[R, in]</param>
/// <param name="B">[out, R]</param>
internal sealed record LoraUpdate(int Layer, LoraTarget Target, int Rank, float Scale, float[] A, float[] B);

/// <summary>
/// A LoRA adapter as PEFT saves it: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c> in one folder. Names are turned into places here, and every tensor of the
/// file is checked against the model that it shall change: what is unknown, missing or of another shape is an error that names it.
/// </summary>
internal sealed class LoraWeights
{
    private const string Weights = "adapter_model.safetensors";

    public required IReadOnlyList<LoraUpdate> Updates { get; init; }

    /// <summary>A hash of all that the adapter computes: two adapters with the same are the same.</summary>
    public required string Identity { get; init; }

    /// <summary>Reads an adapter for a model.</summary>
    /// <param name="folder">The adapter's folder.</param>
    /// <param name="config">The model.</param>
    /// <param name="layout">The model's pairs: GGUF's llama has the rows of q and k in another order.</param>
    /// <exception cref="CheckpointException">A file is missing or broken, or the adapter belongs to another model.</exception>
    public static LoraWeights Read(string folder, ModelConfig config, RopeLayout layout)
    {
        LoraConfig lora = LoraConfig.Read(Path.Combine(folder, "adapter_config.json"));
        string path = Path.Combine(folder, Weights);
        using SafetensorsCheckpoint checkpoint = SafetensorsCheckpoint.Open(path);
        var read = new WeightReader(checkpoint, path);
        var updates = new List<LoraUpdate>();
        var done = new Dictionary<(int, LoraTarget), string>();
        foreach (string name in checkpoint.Tensors.Keys)
        {
            if (!LoraNames.TryParse(name, config, out LoraPlace place)) throw new CheckpointException($"{path}: tensor {Checkpoint.Show(name)} changes nothing that this model has and an adapter may change");
            string other = place.IsA ? name.Replace(".lora_A.", ".lora_B.", StringComparison.Ordinal) : name.Replace(".lora_B.", ".lora_A.", StringComparison.Ordinal);
            if (!read.Has(other)) throw new CheckpointException($"{path}: tensor {Checkpoint.Show(other)} is missing beside {Checkpoint.Show(name)}");
            if (!place.IsA) continue;
            if (!done.TryAdd((place.Layer, place.Target), name))
                throw new CheckpointException($"{path}: tensors {Checkpoint.Show(done[(place.Layer, place.Target)])} and {Checkpoint.Show(name)} change the same matrix");
            long rank = checkpoint.Tensors[name].Shape is [long r, _] && r >= 1 ? r : 1;
            (long outputs, long inputs) = Shape(place.Target, config);
            float[] a = Floats(read.Tensor(name, rank, inputs)), b = Floats(read.Tensor(other, outputs, rank));
            if (layout == RopeLayout.Interleaved && !config.IsLatentAttention && place.Target is LoraTarget.Q or LoraTarget.K) b = PairsSideBySide(b, (int)rank, config.HeadDim);
            updates.Add(new(place.Layer, place.Target, (int)rank, lora.ScaleOf(rank), a, b));
        }
        if (updates.Count == 0) throw new CheckpointException($"{path}: holds no LoRA matrices");
        return new LoraWeights { Updates = updates, Identity = IdentityOf(updates) };
    }

    /// <summary>[out, in] of a matrix.</summary>
    internal static (long Outputs, long Inputs) Shape(LoraTarget target, ModelConfig c)
    {
        long h = c.HiddenSize, heads = (long)c.NumAttentionHeads * c.HeadDim, kv = (long)c.NumKeyValueHeads * c.HeadDim, shared = (long)c.MoeIntermediateSize * c.NSharedExperts;
        return target switch
        {
            LoraTarget.Q => (heads, h),
            LoraTarget.K or LoraTarget.V => (kv, h),
            LoraTarget.O => (h, c.IsLatentAttention ? (long)c.NumAttentionHeads * c.VHeadDim : heads),
            LoraTarget.QA => (c.QLoraRank ?? 0, h),
            LoraTarget.QB => ((long)c.NumAttentionHeads * (c.QkNopeHeadDim + c.QkRopeHeadDim), c.QLoraRank ?? h),
            LoraTarget.KvA => (c.KvLoraRank + c.QkRopeHeadDim, h),
            LoraTarget.Gate or LoraTarget.Up => (c.IntermediateSize, h),
            LoraTarget.Down => (h, c.IntermediateSize),
            LoraTarget.SharedGate or LoraTarget.SharedUp => (shared, h),
            LoraTarget.SharedDown => (h, shared),
            _ => throw new ArgumentOutOfRangeException(nameof(target)),
        };
    }

    // Rows of a head from (i, i + d/2) to (2i, 2i + 1), as llama.cpp's converter does with q and k of llama.
    private static float[] PairsSideBySide(float[] b, int rank, int dim)
    {
        var permuted = new float[b.Length];
        int half = dim / 2;
        for (int row = 0; row < b.Length / rank; row++)
        {
            int head = row / dim * dim, within = row % dim;
            b.AsSpan((head + within / 2 + within % 2 * half) * rank, rank).CopyTo(permuted.AsSpan(row * rank));
        }
        return permuted;
    }

    private static unsafe float[] Floats(CheckpointTensor t)
    {
        if (t.Format is not (NumberFormat.F32 or NumberFormat.F16 or NumberFormat.BF16))
            throw new CheckpointException($"{t.File}: tensor {Checkpoint.Show(t.Name)}: expected F32, F16 or BF16, found {t.Format}");
        if (t.Count > Array.MaxLength / 4) throw new CheckpointException($"{t.File}: tensor {Checkpoint.Show(t.Name)} is too large for an adapter: {t.Count} values");
        var values = new float[(int)t.Count];
        fixed (float* p = values) BlockDecoder.Decode(t.Format, (byte*)t.Address, p, values.Length);
        foreach (float value in values)
            if (!float.IsFinite(value)) throw new CheckpointException($"{t.File}: tensor {Checkpoint.Show(t.Name)} holds {value}");
        return values;
    }

    private static string IdentityOf(List<LoraUpdate> updates)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (LoraUpdate u in updates.OrderBy(u => u.Layer).ThenBy(u => u.Target))
        {
            hash.AppendData(MemoryMarshal.AsBytes<int>([u.Layer, (int)u.Target, u.Rank, BitConverter.SingleToInt32Bits(u.Scale)]));
            hash.AppendData(MemoryMarshal.AsBytes<float>(u.A));
            hash.AppendData(MemoryMarshal.AsBytes<float>(u.B));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
