using SeekSharp.Kernels;

namespace SeekSharp.Checkpoints;

/// <summary>
/// <see cref="ModelWeights"/> of a Hugging Face folder → the tensors of a GGUF file, all in F32 so far, under the names
/// and in the layouts that llama.cpp expects (its <c>constants.py</c> and <c>convert_hf_to_gguf.py</c>):
/// llama's q and k rows are reordered for interleaved rope pairs; experts are stacked; <c>kv_b</c> is split into a
/// transposed <c>attn_k_b</c> and <c>attn_v_b</c>. Legend: H hidden, E experts, I an expert's width, N heads, D head size.
/// </summary>
internal sealed class GgufTensorPlan
{
    private readonly ModelWeights weights;
    private readonly ModelConfig config;
    private readonly List<PlannedTensor> tensors = [];

    private GgufTensorPlan(ModelWeights weights, ModelConfig config)
    {
        this.weights = weights;
        this.config = config;
    }

    /// <summary>The tensors in the order of the file. Multi-token-prediction modules are left out, as llama.cpp's converter does.</summary>
    public static List<PlannedTensor> Create(ModelWeights weights, ModelConfig config)
    {
        GgufTensorPlan plan = new(weights, config);
        plan.Add();
        return plan.tensors;
    }

    private void Add()
    {
        Matrix("token_embd.weight", weights.Embedding);
        if (config.Rope.Kind == RopeKind.Llama3) Vector("rope_freqs.weight", Llama3Factors(config.Rope));
        for (int i = 0; i < weights.Layers.Length; i++) Layer($"blk.{i}.", weights.Layers[i]);
        Vector("output_norm.weight", weights.FinalNorm);
        if (!config.TieWordEmbeddings) Matrix("output.weight", weights.Output);
    }

    private void Layer(string p, LayerWeights layer)
    {
        Vector(p + "attn_norm.weight", layer.AttentionNorm);
        if (layer.GroupedQuery is { } grouped) GroupedQuery(p, grouped);
        if (layer.Latent is { } latent) Latent(p, latent);
        Vector(p + "ffn_norm.weight", layer.FeedForwardNorm);
        if (layer.Dense is { } dense) SwiGlu(p, "", dense);
        if (layer.Experts is { } experts) Experts(p, experts);
    }

    private void GroupedQuery(string p, GroupedQueryWeights w)
    {
        // llama.cpp rotates neighbours for this one architecture, Transformers the two halves of a head for all.
        bool interleave = config.ModelType == "llama";
        Rotated("attn_q", w.Q, w.QBias, config.NumAttentionHeads);
        Rotated("attn_k", w.K, w.KBias, config.NumKeyValueHeads);
        Matrix(p + "attn_v.weight", w.V);
        OptionalVector(p + "attn_v.bias", w.VBias);
        Matrix(p + "attn_output.weight", w.O);
        OptionalVector(p + "attn_output.bias", w.OBias);
        OptionalVector(p + "attn_q_norm.weight", w.QNorm);
        OptionalVector(p + "attn_k_norm.weight", w.KNorm);

        void Rotated(string name, MatrixSource matrix, float[]? bias, int heads)
        {
            TensorRows rows = new MatrixRows(matrix);
            if (interleave)
            {
                rows = new ReorderedRows(rows, rows.Rows, row => Interleaved(row, rows.Rows / heads));
                bias = bias is null ? null : [.. Enumerable.Range(0, bias.Length).Select(i => bias[Interleaved(i, bias.Length / heads)])];
            }
            Add(p + name + ".weight", rows, rows.Rows, rows.Cols);
            OptionalVector(p + name + ".bias", bias);
        }
    }

    /// <summary>The row of the half-split layout (x₀…, y₀…) that row <paramref name="row"/> of the interleaved one (x₀ y₀ x₁ y₁ …) comes from.</summary>
    private static long Interleaved(long row, long headDim)
    {
        long head = row / headDim, k = row % headDim;
        return head * headDim + k % 2 * (headDim / 2) + k / 2;
    }

    private void Latent(string p, LatentAttentionWeights w)
    {
        int n = config.NumAttentionHeads, nope = config.QkNopeHeadDim, v = config.VHeadDim, rank = config.KvLoraRank;
        if (w.QA is { } qa)
        {
            Matrix(p + "attn_q_a.weight", qa);
            OptionalVector(p + "attn_q_a_norm.weight", w.QANorm);
            Matrix(p + "attn_q_b.weight", w.QB);
        }
        else Matrix(p + "attn_q.weight", w.QB);
        Matrix(p + "attn_kv_a_mqa.weight", w.KvA);
        Vector(p + "attn_kv_a_norm.weight", w.KvANorm);
        MatrixRows keyValue = new(w.KvB ?? throw new InvalidOperationException("published checkpoints have kv_b_proj whole"));
        Add(p + "attn_k_b.weight", new TransposedKeyRows(keyValue, n, nope, v), n, rank, nope);
        Add(p + "attn_v_b.weight", new ReorderedRows(keyValue, (long)n * v, row => row / v * (nope + v) + nope + row % v), n, v, rank);
        Matrix(p + "attn_output.weight", w.O);
    }

    private void SwiGlu(string p, string suffix, SwiGluWeights w)
    {
        Matrix($"{p}ffn_gate{suffix}.weight", w.Gate);
        Matrix($"{p}ffn_up{suffix}.weight", w.Up);
        Matrix($"{p}ffn_down{suffix}.weight", w.Down);
        OptionalVector($"{p}ffn_gate{suffix}.bias", w.GateBias);
        OptionalVector($"{p}ffn_up{suffix}.bias", w.UpBias);
        OptionalVector($"{p}ffn_down{suffix}.bias", w.DownBias);
    }

    private void Experts(string p, MixtureOfExpertsWeights w)
    {
        Matrix(p + "ffn_gate_inp.weight", w.Router);
        OptionalVector(p + "exp_probs_b.bias", w.RouterBias);
        Stack(p + "ffn_gate_exps.weight", w.Experts, e => e.Gate);
        Stack(p + "ffn_up_exps.weight", w.Experts, e => e.Up);
        Stack(p + "ffn_down_exps.weight", w.Experts, e => e.Down);
        if (w.Shared is { } shared) SwiGlu(p, "_shexp", shared);
    }

    private void Stack(string name, SwiGluWeights[] experts, Func<SwiGluWeights, MatrixSource> part) // [E, I, H] or [E, H, I]
    {
        MatrixSource one = part(experts[0]);
        Add(name, new StackedRows([.. experts.Select(e => new MatrixRows(part(e)))]), experts.Length, one.Rows, one.Cols);
    }

    private void Matrix(string name, MatrixSource matrix) => Add(name, new MatrixRows(matrix), matrix.Rows, matrix.Cols);

    private void Vector(string name, float[] values) => Add(name, new FloatRows(values, values.Length), values.Length);

    private void OptionalVector(string name, float[]? values)
    {
        if (values is not null) Vector(name, values);
    }

    private void Add(string name, TensorRows rows, params long[] shape) => tensors.Add(new PlannedTensor(name, shape, rows, NumberFormat.F32));

    /// <summary>
    /// Llama 3.1's scaling as a divisor for each pair's frequency: 1 for short waves, the factor for long ones, and in
    /// between as Transformers' <c>_compute_llama3_parameters</c> blends them.
    /// </summary>
    private static float[] Llama3Factors(RopeConfig rope)
    {
        float[] factors = new float[rope.Dims / 2];
        for (int i = 0; i < factors.Length; i++)
        {
            double wave = 2 * Math.PI * Math.Pow(rope.Theta, 2.0 * i / rope.Dims), turns = rope.OriginalMaxPositionEmbeddings / wave;
            double blend = Math.Clamp((turns - rope.LowFreqFactor) / (rope.HighFreqFactor - rope.LowFreqFactor), 0, 1);
            factors[i] = (float)(1 / ((1 - blend) / rope.Factor + blend));
        }
        return factors;
    }
}
