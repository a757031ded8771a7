using SeekSharp.Checkpoints;

namespace SeekSharp.Cli;

/// <summary>What a model weighs, and what one token asks of the memory.</summary>
/// <param name="ActiveParameters">Values that one token is multiplied by: everything but the embedding's other rows and the experts it does not go to; without MTP modules.</param>
/// <param name="BytesPerToken">Their bytes: what decoding one token reads.</param>
internal readonly record struct ModelSize(long ActiveParameters, long BytesPerToken)
{
    public static ModelSize Of(ModelWeights weights, ModelConfig config)
    {
        var size = new Counter();
        size.Add(weights.Output);
        size.Add(config.HiddenSize, weights.Embedding.RowBytes); // one row
        size.Add(weights.FinalNorm);
        foreach (LayerWeights layer in weights.Layers)
        {
            size.Add(layer.AttentionNorm);
            size.Add(layer.FeedForwardNorm);
            if (layer.GroupedQuery is { } a)
            {
                foreach (MatrixSource m in (MatrixSource[])[a.Q, a.K, a.V, a.O]) size.Add(m);
                foreach (float[]? v in (float[]?[])[a.QBias, a.KBias, a.VBias, a.OBias, a.QNorm, a.KNorm]) size.Add(v);
            }
            if (layer.Latent is { } l)
            {
                foreach (MatrixSource? m in (MatrixSource?[])[l.QA, l.QB, l.KvA, l.KvB, l.O, .. l.KB ?? [], .. l.VB ?? []]) size.Add(m);
                size.Add(l.QANorm);
                size.Add(l.KvANorm);
            }
            Add(ref size, layer.Dense);
            if (layer.Experts is not { } experts) continue;
            size.Add(experts.Router);
            size.Add(experts.RouterBias);
            Add(ref size, experts.Shared);
            for (int e = 0; e < config.NumExpertsPerTok; e++) Add(ref size, experts.Experts[e]); // all are of one size
        }
        return new(size.Values, size.Bytes);
    }

    private static void Add(ref Counter size, SwiGluWeights? part)
    {
        if (part is null) return;
        foreach (MatrixSource m in (MatrixSource[])[part.Gate, part.Up, part.Down]) size.Add(m);
        foreach (float[]? v in (float[]?[])[part.GateBias, part.UpBias, part.DownBias]) size.Add(v);
    }

    private struct Counter
    {
        public long Values, Bytes;

        public void Add(MatrixSource? m)
        {
            if (m is not null) Add(m.Rows * m.Cols, m.ByteLength);
        }

        public void Add(float[]? vector)
        {
            if (vector is not null) Add(vector.Length, 4L * vector.Length);
        }

        public void Add(long values, long bytes)
        {
            Values += values;
            Bytes += bytes;
        }
    }
}
