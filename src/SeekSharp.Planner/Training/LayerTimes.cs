namespace SeekSharp.Planner;

/// <summary>Seconds of one layer for one micro-batch on one GPU, computing and communicating apart.</summary>
internal readonly record struct PhaseTimes(double Forward, double Input, double Weights, double ForwardWire, double BackwardWire)
{
    public static PhaseTimes operator +(PhaseTimes a, PhaseTimes b) =>
        new(a.Forward + b.Forward, a.Input + b.Input, a.Weights + b.Weights, a.ForwardWire + b.ForwardWire, a.BackwardWire + b.BackwardWire);
}

/// <summary>
/// Adds up a layer's kernels in training: every matrix product three times (result, gradient of its input, gradient of its weights summed in fp32), attention and its
/// gradient, and the passes over memory between them.
/// </summary>
internal sealed class LayerTimes(ModelShape model, KernelModel kernels, Precision precision, ParallelLayout layout, double tokens, double context, double imbalance, Traffic traffic)
{
    // Small kernels of a layer besides products and attention, counted in the trace of DeepSeek's training step (deepseek-ai/profile-data, train.json:
    // 963 kernels for a forward and a backward chunk of four layers); a dense layer without quantization has a few norms, rotations and additions.
    private const double MoeForwardPasses = 60, MoeBackwardPasses = 120, DenseForwardPasses = 12, DenseBackwardPasses = 20;

    private bool Quantizes => precision == Precision.Fp8;

    public PhaseTimes Of(LayerShape layer)
    {
        PhaseTimes sum = Attention() + Passes(layer) + new PhaseTimes(0, 0, 0, traffic.LayerSeconds(layer.IsMoe), traffic.LayerSeconds(layer.IsMoe));
        foreach (WeightMatrix w in layer.Matrices) sum += Product(w);
        return sum;
    }

    /// <summary>The output matrix with its loss (vocabulary passes in fp32).</summary>
    public PhaseTimes Output()
    {
        double logits = tokens * model.Config.VocabSize / layout.Tensor;
        return Product(model.Output) + new PhaseTimes(kernels.Pass(logits * 6, 3), kernels.Pass(logits * 6, 3), 0, 0, 0);
    }

    private PhaseTimes Product(WeightMatrix w)
    {
        bool experts = w.Part == Part.RoutedExperts;
        double groups = experts ? (double)w.Copies / layout.Expert : 1;
        // Rows of one expert: the tokens of all ranks that share the experts, each sent to `Active` of them.
        double m = experts ? tokens * layout.Expert * w.Active / w.Copies * imbalance : tokens;
        (double n, double k) = Split(w);
        Precision used = w.Part is Part.Router or Part.Output or Part.Indexer ? Precision.Bf16 : precision; // V3 keeps router and output in bf16 (section 3.3.1)
        double forward = kernels.Product(m, n, k, used, 2, groups), input = kernels.Product(m, k, n, used, 2, groups);
        double weights = kernels.Product(n, k, m, used, 8, groups);
        // MLA's up-projections are computed again in the backward pass (section 3.2.3).
        if (w.Name is "q_b" or "kv_b") input += forward;
        return new PhaseTimes(forward, input, weights, 0, 0);
    }

    // Tensor parallelism splits the outputs of the first of two products and the inputs of the second; compressions stay whole.
    private (double N, double K) Split(WeightMatrix w) => w.Name switch
    {
        "q_a" or "kv_a" or "router" or "eh_proj" => (w.Outputs, w.Inputs),
        "o" or "down" => (w.Outputs, (double)w.Inputs / layout.Tensor),
        _ => ((double)w.Outputs / layout.Tensor, w.Inputs),
    };

    private PhaseTimes Attention()
    {
        double seen = Math.Min(context / 2 + 64, model.Config.IndexTopk ?? double.MaxValue); // half of a square, and the triangle's corner in each tile
        double scores = tokens * seen * model.Heads / layout.Tensor;
        double bytes = tokens * 2.0 * model.Heads / layout.Tensor * (2 * model.QkDim + 2 * model.VDim);
        double forward = kernels.Attention(scores, 2.0 * (model.QkDim + model.VDim), bytes);
        // Five products where there were two: scores again, and the gradients of values, probabilities, queries and keys.
        double backward = kernels.Attention(scores, 2.0 * (3 * model.QkDim + 2 * model.VDim), 2 * bytes);
        if (model.Config.IndexNHeads is int heads && model.Config.IndexHeadDim is int dim)
            forward += kernels.Attention(tokens * (context / 2) * heads, 2.0 * dim, 0);
        return new PhaseTimes(forward, backward, 0, 0, 0);
    }

    /// <summary>Bytes that norms, rotations, activations, conversions and additions read and write, a token.</summary>
    private PhaseTimes Passes(LayerShape layer)
    {
        double hidden = model.Hidden, heads = (double)model.Heads / layout.Tensor, active = layer.Matrices.Where(m => m.Name == "gate_up").Sum(m => m.Outputs / 2.0 * m.Active) / layout.Tensor;
        double slots = layer.IsMoe ? model.Config.NumExpertsPerTok : 0;
        double qkv = heads * (2 * model.QkDim + model.VDim);
        // Two norms (read, write, quantized copy), rotation and assembly of queries and keys, the attention's output quantized, two additions.
        double forward = 2 * 5 * hidden + 4 * qkv + 3 * heads * model.VDim + 2 * 6 * hidden;
        forward += 6 * active; // SwiGLU: gate and up read, product written quantized
        forward += slots * 4 * hidden + (slots > 0 ? 2 * hidden : 0); // tokens laid out for experts, results summed
        double wire = layer.IsMoe ? traffic.ExpertMemoryBytes : 0;
        double input = 2 * (5 + 6) * hidden + 8 * qkv + 6 * heads * model.VDim + 13 * active + slots * 4 * hidden + 2 * 6 * hidden;
        // FP8: every gradient is quantized along rows and, with the input, again along columns for the gradient of weights.
        double casts = Quantizes ? layer.Matrices.Where(m => m.Part is not (Part.Router or Part.Indexer)).Sum(m => (5.0 * m.Outputs + 2.0 * m.Inputs) * m.Active) / layout.Tensor : 0;
        double passesForward = layer.IsMoe ? MoeForwardPasses : DenseForwardPasses, passesBackward = layer.IsMoe ? MoeBackwardPasses : DenseBackwardPasses;
        return new PhaseTimes(kernels.Pass(tokens * forward + wire, passesForward), kernels.Pass(tokens * (input + casts) + wire, passesBackward), 0, 0, 0);
    }
}
