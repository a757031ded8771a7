namespace SeekSharp.Planner;

/// <summary>Bytes on the fullest GPU.</summary>
/// <param name="Weights">Working copies.</param>
/// <param name="Gradients">fp32 sums.</param>
/// <param name="Optimizer">Master weights in fp32, both moments.</param>
/// <param name="Activations">What the micro-batches in flight keep for the backward pass.</param>
/// <param name="Buffers">Communication, workspaces, logits, the runtime.</param>
internal readonly record struct MemoryPlan(double Weights, double Gradients, double Optimizer, double Activations, double Buffers)
{
    /// <summary>What a runtime and its communication library keep for themselves (assumed).</summary>
    public const double Runtime = 3e9;

    public double Total => Weights + Gradients + Optimizer + Activations + Buffers;

    /// <summary>Of one pipeline rank that holds the given stages.</summary>
    /// <param name="m">The model.</param>
    /// <param name="stages">Stages on this rank.</param>
    /// <param name="layout">Parallelism.</param>
    /// <param name="precision">Of matrix products.</param>
    /// <param name="tokens">Tokens of a micro-batch on this GPU.</param>
    /// <param name="inFlight">Micro-batches whose activations it keeps, for each of its stages.</param>
    public static MemoryPlan Of(ModelShape m, IEnumerable<StagePlan> stages, ParallelLayout layout, Precision precision, double tokens, double inFlight)
    {
        double dense = 0, experts = 0, activations = 0;
        bool output = false;
        foreach (StagePlan s in stages)
        {
            for (int i = s.First; i < s.First + s.Layers; i++) AddLayer(m.Layers[i]);
            if (s.HasEmbedding) dense += (double)m.Embedding / layout.Tensor;
            if (!s.HasOutput) continue;
            output = true;
            dense += (double)m.Output.Parameters / layout.Tensor;
            if (m.Mtp is not null) AddLayer(m.Mtp);
        }
        double parameters = dense + experts;
        int copies = layout.Data * layout.Context, expertCopies = Math.Max(1, copies / layout.Expert);
        double shared = dense / copies + experts / expertCopies; // parameters of this rank's share
        // V3 keeps AdamW's moments in bf16 and the masters in fp32 (section 3.3.3); bf16 runs keep everything in fp32.
        double state = precision == Precision.Fp8 ? 4 + 2 + 2 : 4 + 4 + 4;
        return new MemoryPlan(
            (precision == Precision.Fp8 ? 3 : 2) * (layout.Zero >= 3 ? shared : parameters), // bf16, and an FP8 copy of it
            4 * (layout.Zero >= 2 ? shared : parameters),
            state * (layout.Zero >= 1 ? shared : parameters),
            activations * inFlight,
            Runtime + (output ? tokens * m.Config.VocabSize / layout.Tensor * 6 : 0) + tokens * m.Hidden * 2 * 4);

        void AddLayer(LayerShape layer)
        {
            dense += (double)(layer.Parameters - layer.ExpertParameters) / layout.Tensor;
            experts += (double)layer.ExpertParameters / layout.Expert / (layout.Expert > 1 ? 1 : layout.Tensor);
            activations += tokens * ActivationBytes(m, layer, layout, precision);
        }
    }

    /// <summary>
    /// Bytes that a token keeps in a layer until its backward pass. Norms, MLA's up-projections and SwiGLU are computed again (DeepSeek-V3, section 3.2.3); inputs of products
    /// and of SwiGLU are kept, in FP8 where products run in it (section 3.3.3).
    /// </summary>
    public static double ActivationBytes(ModelShape m, LayerShape layer, ParallelLayout layout, Precision precision)
    {
        double size = precision == Precision.Fp8 ? 1 + 4.0 / 128 : 2;
        double active = layer.Matrices.Where(x => x.Name == "gate_up").Sum(x => (double)x.Outputs * x.Active);
        double slots = layer.IsMoe ? m.Config.NumExpertsPerTok : 0;
        double residual = 2 * 2.0 * m.Hidden / layout.Tensor; // inputs of both norms, sequence-parallel
        double latent = m.Config.IsLatentAttention ? 2.0 * ((m.Config.QLoraRank ?? 0) + m.KvValues) : 2.0 * (m.Heads * m.QkDim + m.KvValues) / layout.Tensor;
        double attention = m.Heads * (m.VDim * 2.0 + 4) / layout.Tensor;
        double feedForward = (slots + (m.Config.NSharedExperts > 0 || slots == 0 ? 1 : 0)) * m.Hidden * size / layout.Tensor + active * size / layout.Tensor;
        return residual + latent + attention + feedForward;
    }
}
