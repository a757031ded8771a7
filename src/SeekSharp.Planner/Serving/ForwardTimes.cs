namespace SeekSharp.Planner;

/// <summary>
/// Adds up a forward pass of serving. Two micro-batches take turns, so that one computes while the other communicates (DeepSeek-V3, section 3.4): a pass takes the longer of
/// both sums. Attention of prompts is plain (keys and values expanded), attention of written tokens absorbed, over the latents in the cache.
/// </summary>
internal sealed class ForwardTimes(ModelShape model, Gpu gpu, ServingUnit unit, double weightBits, double imbalance)
{
    // Small kernels of a layer besides products and attention, as in one forward chunk of a trained layer without what only training needs; see LayerTimes.
    private const double MoePasses = 20, DensePasses = 8;

    private Precision Precision => weightBits <= 8 && gpu.PeakFp8 > 0 ? Precision.Fp8 : Precision.Bf16;

    /// <summary>Seconds to read <paramref name="tokens"/> prompt tokens on each GPU of the unit (both micro-batches), computing and communicating.</summary>
    public (double Compute, double Wire) Prefill(double tokens, double seen)
    {
        double micro = tokens / 2;
        var traffic = new Traffic(model, gpu, Precision, new ParallelLayout(1, unit.Tensor, 1, unit.Expert, 0, 1, unit.Expert), micro);
        // Moving tokens between network and links takes units, as in training.
        var kernels = new KernelModel(gpu, unit.Expert > gpu.PerNode ? (int)Math.Round(StepEstimate.CommunicationUnits / 132.0 * gpu.Units) : 0);
        double compute = 0, wire = 0;
        foreach (IGrouping<bool, LayerShape> kind in model.Layers.GroupBy(l => l.IsMoe))
        {
            LayerShape layer = kind.First();
            double chosen = Math.Min(seen, model.Config.IndexTopk ?? double.MaxValue), scores = micro * chosen * model.Heads / unit.Tensor;
            double one = layer.Matrices.Sum(w => Product(kernels, w, micro)) + kernels.Attention(scores, 2.0 * (model.QkDim + model.VDim), 0);
            if (model.Config.IndexNHeads is int heads && model.Config.IndexHeadDim is int dim) one += kernels.Attention(micro * seen * heads, 2.0 * dim, 0);
            one += kernels.Pass(PassBytes(layer, micro) + (kind.Key ? traffic.ExpertMemoryBytes : 0), kind.Key ? MoePasses : DensePasses);
            compute += kind.Count() * one;
            wire += kind.Count() * traffic.LayerSeconds(kind.Key);
        }
        return (2 * compute, 2 * wire);
    }

    /// <summary>Seconds to write one token for each of <paramref name="batch"/> sequences on each data-parallel rank (a GPU, or a tensor-parallel unit).</summary>
    public (double Compute, double Wire) Decode(double batch, double context, double kvBits)
    {
        bool split = unit.Expert > 1; // only all-to-all is worth two micro-batches
        double micro = split ? batch / 2 : batch, size = Precision == Precision.Fp8 ? 1 + 4.0 / 128 : 2;
        var kernels = new KernelModel(gpu);
        double compute = 0, wire = 0;
        double chosen = Math.Min(context, model.Config.IndexTopk ?? double.MaxValue);
        bool latent = model.Config.IsLatentAttention;
        double perScore = latent ? 2.0 * (2 * model.Config.KvLoraRank + model.Config.QkRopeHeadDim) : 2.0 * (model.QkDim + model.VDim);
        foreach (IGrouping<bool, LayerShape> kind in model.Layers.GroupBy(l => l.IsMoe))
        {
            LayerShape layer = kind.First();
            double cache = micro * chosen * model.KvValues * kvBits / 8 / (latent ? 1 : unit.Tensor);
            double one = layer.Matrices.Sum(w => Product(kernels, w, micro)) + kernels.Attention(micro * chosen * model.Heads / unit.Tensor, perScore, cache);
            if (model.Config.IndexNHeads is int heads && model.Config.IndexHeadDim is int dim) one += kernels.Attention(micro * context * heads, 2.0 * dim, micro * context * (dim + 4.0));
            one += kernels.Pass(PassBytes(layer, micro), kind.Key ? MoePasses : DensePasses);
            compute += kind.Count() * one;
            // Low-latency kernels send each token to each of its experts by itself, over the network wherever the unit is larger than a node.
            double link = Math.Max(unit.Tensor, unit.Expert) > gpu.PerNode ? gpu.ScaleOut : gpu.ScaleUp;
            if (unit.Expert > 1 && kind.Key) wire += kind.Count() * micro * model.Config.NumExpertsPerTok * model.Hidden * (size + Traffic.CombineBytes) / link;
            if (unit.Tensor > 1) wire += kind.Count() * 2 * (2 * (unit.Tensor - 1.0) / unit.Tensor * micro * model.Hidden * 2 / link + KernelModel.Launch * 3);
        }
        double passes = split ? 2 : 1;
        compute += kernels.Product(micro, (double)model.Config.VocabSize / unit.Tensor, model.Hidden, Precision.Bf16) + kernels.Pass(micro * model.Config.VocabSize / unit.Tensor * 8, 4);
        return (passes * compute, passes * wire);
    }

    /// <summary>Seconds of a pass: hidden behind each other where there are two micro-batches, one after the other elsewhere.</summary>
    public double Seconds((double Compute, double Wire) pass) => unit.Expert > 1 ? Math.Max(pass.Compute, pass.Wire) : pass.Compute + pass.Wire;

    private double Product(KernelModel kernels, WeightMatrix w, double tokens)
    {
        bool experts = w.Part == Part.RoutedExperts;
        double groups = 1, rows = tokens, n = w.Outputs, k = w.Inputs;
        if (experts)
        {
            double slots = tokens * unit.Expert * w.Active * imbalance / unit.Expert; // that arrive at one GPU
            double local = Math.Max(1, unit.LocalExperts(model));
            groups = Math.Min(local, Math.Max(1, local * (1 - Math.Pow(1 - 1.0 / w.Copies, tokens * unit.Expert * w.Active)))); // experts that anybody goes to
            rows = slots / groups;
        }
        if (unit.Tensor > 1 && w.Name is not ("q_a" or "kv_a" or "router"))
        {
            if (w.Name is "o" or "down") k /= unit.Tensor;
            else n /= unit.Tensor;
        }
        return kernels.Product(Math.Max(1, rows), n, k, w.Part is Part.Router ? Precision.Bf16 : Precision, 2, groups);
    }

    // As the forward pass in training: norms, rotation, assembly, activation, layout for experts.
    private double PassBytes(LayerShape layer, double tokens)
    {
        double hidden = model.Hidden, heads = (double)model.Heads / unit.Tensor, active = layer.Matrices.Where(m => m.Name == "gate_up").Sum(m => m.Outputs / 2.0 * m.Active) / unit.Tensor;
        double slots = layer.IsMoe ? model.Config.NumExpertsPerTok : 0;
        return tokens * (22 * hidden + 4 * heads * (2 * model.QkDim + model.VDim) + 3 * heads * model.VDim + 6 * active + slots * 4 * hidden + (slots > 0 ? 2 * hidden : 0));
    }
}
