using SeekSharp.Checkpoints;

namespace SeekSharp.Models;

/// <summary>The matrices of a model in the two groups that memory is planned for: those that every token goes through, and the experts.</summary>
internal static class ModelMatrices
{
    /// <summary>Everything that is packed but the experts, each matrix once.</summary>
    public static IEnumerable<MatrixSource> Dense(ModelWeights weights, bool multiTokenPrediction)
    {
        var seen = new HashSet<nint>();
        foreach (MatrixSource? source in All())
            if (source is not null && seen.Add(source.Address)) yield return source;

        IEnumerable<MatrixSource?> All()
        {
            yield return weights.Output;
            foreach (LayerWeights layer in Layers(weights, multiTokenPrediction))
            {
                if (layer.GroupedQuery is { } g) foreach (MatrixSource m in (MatrixSource[])[g.Q, g.K, g.V, g.O]) yield return m;
                if (layer.Latent is { } l) foreach (MatrixSource? m in (MatrixSource?[])[l.QA, l.QB, l.KvA, l.KvB, .. l.KB ?? [], .. l.VB ?? [], l.O]) yield return m;
                if (layer.Dense is { } d) foreach (MatrixSource m in (MatrixSource[])[d.Gate, d.Up, d.Down]) yield return m;
                if (layer.Experts is { } e) foreach (MatrixSource? m in (MatrixSource?[])[e.Router, e.Shared?.Gate, e.Shared?.Up, e.Shared?.Down]) yield return m;
            }
            if (!multiTokenPrediction || weights.MultiTokenPrediction.Length == 0) yield break;
            yield return weights.MultiTokenPrediction[0].Projection;
            yield return weights.MultiTokenPrediction[0].Output;
        }
    }

    /// <summary>The experts, layer by layer; the multi-token-prediction module's are the last.</summary>
    public static IEnumerable<SwiGluWeights> Experts(ModelWeights weights, bool multiTokenPrediction) =>
        Layers(weights, multiTokenPrediction).SelectMany(layer => layer.Experts?.Experts ?? []);

    /// <summary>Bytes in the file of what is packed at load, for progress.</summary>
    public static long FileBytes(ModelWeights weights, bool multiTokenPrediction, bool experts) => Dense(weights, multiTokenPrediction).Sum(m => m.ByteLength)
        + (experts ? Experts(weights, multiTokenPrediction).Sum(e => e.Gate.ByteLength + e.Up.ByteLength + e.Down.ByteLength) : 0);

    private static IEnumerable<LayerWeights> Layers(ModelWeights weights, bool multiTokenPrediction) =>
        weights.Layers.Concat(weights.MultiTokenPrediction.Take(multiTokenPrediction ? 1 : 0).Select(m => m.Layer));
}
