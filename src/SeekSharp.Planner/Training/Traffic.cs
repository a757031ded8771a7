namespace SeekSharp.Planner;

/// <summary>What one GPU sends, in bytes, and how long that takes.</summary>
internal sealed class Traffic(ModelShape model, Gpu gpu, Precision precision, ParallelLayout layout, double tokens)
{
    /// <summary>Nodes that the experts of a layer lie on.</summary>
    public int ExpertNodes => Math.Max(1, (layout.Expert * layout.Tensor + gpu.PerNode - 1) / gpu.PerNode);

    /// <summary>Bytes a number on the way to the experts (FP8 with a scale for 128 numbers, DeepSeek-V3, section 3.3.2) and back (bf16).</summary>
    public double DispatchBytes => precision == Precision.Fp8 ? 1 + 4.0 / 128 : 2;
    public const double CombineBytes = 2;

    /// <summary>Other nodes that a token goes to, on average: routing limited to groups reaches at most topk_group nodes; else each of its experts may lie anywhere.</summary>
    public double RemoteNodes
    {
        get
        {
            int nodes = ExpertNodes;
            if (nodes == 1) return 0;
            double reached = nodes * (1 - Math.Pow(1 - 1.0 / nodes, model.Config.NumExpertsPerTok));
            if (model.Config.NGroup > 1) reached = Math.Min(reached, model.Config.TopkGroup);
            return reached * (nodes - 1) / nodes;
        }
    }

    /// <summary>Bytes over the network for one MoE layer in one direction of the pass: to the experts and back.</summary>
    public double ExpertNetworkBytes => layout.Expert > 1 ? tokens * RemoteNodes * model.Hidden * (DispatchBytes + CombineBytes) : 0;

    /// <summary>Bytes over the links within a node: one copy for each expert that is not on this GPU.</summary>
    public double ExpertNodeBytes
    {
        get
        {
            if (layout.Expert <= 1) return 0;
            int local = Math.Min(layout.Expert, gpu.PerNode);
            return tokens * model.Config.NumExpertsPerTok * (local - 1.0) / local * model.Hidden * (DispatchBytes + CombineBytes);
        }
    }

    /// <summary>Tensor parallelism: two all-reduces of the residual stream a layer and pass, each as reduce-scatter and all-gather.</summary>
    public double TensorBytes => layout.Tensor > 1 ? 2 * 2 * (layout.Tensor - 1.0) / layout.Tensor * tokens * model.Hidden * 2 : 0;

    /// <summary>Context parallelism: the other ranks' keys and values (of MLA the latents) come to each rank.</summary>
    public double ContextBytes => layout.Context > 1 ? tokens * (layout.Context - 1.0) * model.KvValues * 2 : 0;

    /// <summary>Activations to the next pipeline rank, for one micro-batch.</summary>
    public double PipelineBytes => layout.Pipeline > 1 ? tokens * model.Hidden * 2 / layout.Tensor : 0;

    /// <summary>Seconds of one layer's communication in one pass, where the two kinds of links work side by side for experts.</summary>
    public double LayerSeconds(bool moe)
    {
        double experts = moe ? Math.Max(ExpertNetworkBytes / gpu.ScaleOut, ExpertNodeBytes / gpu.ScaleUp) : 0;
        double tensor = TensorBytes / (layout.Tensor <= gpu.PerNode ? gpu.ScaleUp : gpu.ScaleOut);
        double context = ContextBytes / (layout.Tensor * layout.Context <= gpu.PerNode ? gpu.ScaleUp : gpu.ScaleOut);
        return experts + tensor + context;
    }

    /// <summary>Bytes that one MoE layer's all-to-all reads and writes in memory in one pass: once each at either end of every hop. Nothing hides them: they take bandwidth from the kernels.</summary>
    public double ExpertMemoryBytes => 2 * (ExpertNetworkBytes + ExpertNodeBytes);

    /// <summary>Seconds from one pipeline rank to the next.</summary>
    public double PipelineSeconds => PipelineBytes / (layout.Pipeline * layout.Tensor <= gpu.PerNode ? gpu.ScaleUp : gpu.ScaleOut);

    /// <summary>Bytes a step for gradients (fp32, reduce-scatter) and new weights (bf16, all-gather) of parameters that <paramref name="copies"/> ranks hold.</summary>
    public static double DataBytes(double parameters, int copies) => copies > 1 ? parameters * (4 + 2) * (copies - 1.0) / copies : 0;
}
