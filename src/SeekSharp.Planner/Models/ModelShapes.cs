using SeekSharp.Checkpoints;

namespace SeekSharp.Planner;

/// <summary>
/// Turns a config into a list of matrices. MLA: DeepSeek-V2, section 2.1 and appendix C (arXiv 2405.04434); experts: section 2.2; MTP modules: DeepSeek-V3, section 2.2
/// (arXiv 2412.19437); the indexer: DeepSeek-V3.2-Exp's report and <c>inference/model.py</c>.
/// </summary>
internal static class ModelShapes
{
    /// <exception cref="PlannerException">A model type whose matrices are not known.</exception>
    public static ModelShape Of(string name, ModelConfig c)
    {
        if (c.ModelType == "deepseek_v4") throw new PlannerException($"{name}: model_type deepseek_v4 cannot be planned (deepseek_v2, deepseek_v3, deepseek_v32, llama, qwen2, qwen3, qwen3_moe can)");
        LayerShape[] layers = [.. Enumerable.Range(0, c.NumHiddenLayers).Select(i => Layer(c, c.IsMoeLayer.Count > i && c.IsMoeLayer[i]))];
        LayerShape? mtp = null;
        if (c.NumNextnPredictLayers > 0)
        {
            LayerShape last = layers[^1];
            mtp = last with
            {
                Matrices = [.. last.Matrices, new WeightMatrix("eh_proj", Part.MultiTokenPrediction, c.HiddenSize, 2 * c.HiddenSize)],
                Vectors = last.Vectors + 3L * c.HiddenSize, // enorm, hnorm and the norm before the shared output
            };
        }
        bool latent = c.IsLatentAttention;
        return new ModelShape
        {
            Name = name,
            Config = c,
            Layers = layers,
            Embedding = (long)c.VocabSize * c.HiddenSize,
            Output = new WeightMatrix("lm_head", Part.Output, c.VocabSize, c.HiddenSize),
            Tied = c.TieWordEmbeddings,
            Mtp = mtp,
            QkDim = latent ? c.QkNopeHeadDim + c.QkRopeHeadDim : c.HeadDim,
            VDim = latent ? c.VHeadDim : c.HeadDim,
            KvValues = latent ? c.KvLoraRank + c.QkRopeHeadDim : 2 * c.NumKeyValueHeads * c.HeadDim,
        };
    }

    private static LayerShape Layer(ModelConfig c, bool moe)
    {
        var matrices = new List<WeightMatrix>();
        long vectors = 2L * c.HiddenSize; // the norms before attention and feed-forward
        vectors += c.IsLatentAttention ? Latent(c, matrices) : Grouped(c, matrices);
        if (!moe) SwiGlu(matrices, Part.DenseFeedForward, c.HiddenSize, c.IntermediateSize, 1, 1, c.MlpBias);
        else
        {
            matrices.Add(new WeightMatrix("router", Part.Router, c.NRoutedExperts, c.HiddenSize));
            if (c.TopkMethod == TopkMethod.NoAuxTc) vectors += c.NRoutedExperts; // the bias that balances without a loss
            SwiGlu(matrices, Part.RoutedExperts, c.HiddenSize, c.MoeIntermediateSize, c.NRoutedExperts, c.NumExpertsPerTok, false);
            if (c.NSharedExperts > 0) SwiGlu(matrices, Part.SharedExperts, c.HiddenSize, c.NSharedExperts * c.MoeIntermediateSize, 1, 1, false);
        }
        return new LayerShape(moe, matrices, vectors);
    }

    // Gate and up lie side by side, one product; then down.
    private static void SwiGlu(List<WeightMatrix> matrices, Part part, int hidden, int width, int copies, int active, bool bias)
    {
        matrices.Add(new WeightMatrix("gate_up", part, 2 * width, hidden, copies, active, bias));
        matrices.Add(new WeightMatrix("down", part, hidden, width, copies, active, bias));
    }

    private static long Latent(ModelConfig c, List<WeightMatrix> matrices)
    {
        int heads = c.NumAttentionHeads, qk = c.QkNopeHeadDim + c.QkRopeHeadDim;
        long vectors = c.KvLoraRank;
        if (c.QLoraRank is int rank)
        {
            matrices.Add(new WeightMatrix("q_a", Part.Attention, rank, c.HiddenSize));
            matrices.Add(new WeightMatrix("q_b", Part.Attention, heads * qk, rank));
            vectors += rank;
        }
        else matrices.Add(new WeightMatrix("q", Part.Attention, heads * qk, c.HiddenSize));
        matrices.Add(new WeightMatrix("kv_a", Part.Attention, c.KvLoraRank + c.QkRopeHeadDim, c.HiddenSize));
        matrices.Add(new WeightMatrix("kv_b", Part.Attention, heads * (c.QkNopeHeadDim + c.VHeadDim), c.KvLoraRank));
        matrices.Add(new WeightMatrix("o", Part.Attention, c.HiddenSize, heads * c.VHeadDim));
        if (c.IndexNHeads is int indexHeads && c.IndexHeadDim is int indexDim)
        {
            matrices.Add(new WeightMatrix("indexer_q", Part.Indexer, indexHeads * indexDim, c.QLoraRank ?? c.HiddenSize));
            matrices.Add(new WeightMatrix("indexer_k", Part.Indexer, indexDim, c.HiddenSize));
            matrices.Add(new WeightMatrix("indexer_weights", Part.Indexer, indexHeads, c.HiddenSize));
            vectors += 2L * indexDim; // a LayerNorm on the keys
        }
        return vectors;
    }

    private static long Grouped(ModelConfig c, List<WeightMatrix> matrices)
    {
        bool onlyQkv = c.ModelType == "qwen2"; // Qwen2's output projection has no bias
        matrices.Add(new WeightMatrix("qkv", Part.Attention, (c.NumAttentionHeads + 2 * c.NumKeyValueHeads) * c.HeadDim, c.HiddenSize, Bias: c.AttentionBias));
        matrices.Add(new WeightMatrix("o", Part.Attention, c.HiddenSize, c.NumAttentionHeads * c.HeadDim, Bias: c.AttentionBias && !onlyQkv));
        return c.ModelType is "qwen3" or "qwen3_moe" ? 2L * c.HeadDim : 0;
    }
}
