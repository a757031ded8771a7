using SeekSharp.Models;

namespace SeekSharp.Engine;

/// <summary>How the tokens' hidden states become one vector.</summary>
internal enum Pooling
{
    /// <summary>Their mean.</summary>
    Mean,
    /// <summary>The last token's, which has seen all others.</summary>
    Last,
}

/// <summary>
/// Texts as vectors: the hidden states after the final norm, pooled, and scaled to length 1. Several texts share a pass, and a text's vector is the same bits alone. Passes take turns with
/// an engine's steps, a few hundred tokens each, so that nobody waits long. Any thread may call.
/// </summary>
/// <param name="model">Stays its owner's.</param>
internal sealed class Embedder(LanguageModel model)
{
    private const int TokensPerPass = 256;

    /// <summary>Numbers of a vector.</summary>
    public int Width => model.Config.HiddenSize;

    /// <summary>[N, H] the texts' vectors.</summary>
    /// <param name="texts">N texts of at least one id each.</param>
    /// <param name="pooling">How.</param>
    /// <param name="cancel">Looked at between passes.</param>
    /// <exception cref="EngineException">A text is empty or longer than the context, or holds an unknown id.</exception>
    public float[][] Embed(IReadOnlyList<int[]> texts, Pooling pooling, CancellationToken cancel = default)
    {
        for (int i = 0; i < texts.Count; i++) Check(texts[i], i);
        var result = new float[texts.Count][];
        var parts = new List<BatchPart>();
        var ids = new List<int>();
        for (int next = 0; next < texts.Count;)
        {
            // Short texts together; a long one in parts of its own.
            using var caches = new Caches();
            (int first, int room) = (next, TokensPerPass);
            while (next < texts.Count && (next == first || texts[next].Length <= room)) room -= texts[next++].Length;
            double[][] sums = [.. Enumerable.Range(first, next - first).Select(_ => new double[Width])];
            for (int i = first; i < next; i++) caches.All.Add(model.CreateCache());
            for (int done = 0; done < texts[first].Length;)
            {
                cancel.ThrowIfCancellationRequested();
                (int take, int rows) = (next - first == 1 ? Math.Min(TokensPerPass, texts[first].Length - done) : 0, 0);
                parts.Clear();
                ids.Clear();
                for (int i = first; i < next; i++)
                {
                    int count = take > 0 ? take : texts[i].Length;
                    bool ends = done + count == texts[i].Length;
                    parts.Add(new(caches.All[i - first], count, pooling == Pooling.Mean ? count : ends ? 1 : 0));
                    ids.AddRange(texts[i].AsSpan(done, count));
                    rows += parts[^1].LogitRows;
                }
                var hidden = new float[rows * Width];
                model.Forward(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(parts), System.Runtime.InteropServices.CollectionsMarshal.AsSpan(ids), default, hidden);
                int row = 0;
                for (int i = 0; i < parts.Count; i++)
                    for (int r = 0; r < parts[i].LogitRows; r++, row++)
                        for (int h = 0; h < Width; h++) sums[i][h] += hidden[row * Width + h];
                done += take > 0 ? take : texts[first].Length;
            }
            for (int i = first; i < next; i++) result[i] = Normalized(sums[i - first]);
        }
        return result;
    }

    private void Check(int[] text, int index)
    {
        if (text.Length == 0) throw new EngineException($"text {index} has no tokens");
        if (text.Length > model.ContextLength) throw new EngineException($"text {index} has {text.Length} tokens, the context {model.ContextLength}");
        for (int i = 0; i < text.Length; i++)
            if ((uint)text[i] >= (uint)model.VocabularySize) throw new EngineException($"text {index}: token id {text[i]} at position {i} is outside the vocabulary of {model.VocabularySize}");
    }

    // A mean differs from a sum by its length only.
    private static float[] Normalized(double[] sum)
    {
        double length = Math.Sqrt(sum.Sum(x => x * x));
        return [.. sum.Select(x => length > 0 ? (float)(x / length) : 0)];
    }

    private sealed class Caches : IDisposable
    {
        public List<KvCache> All { get; } = [];

        public void Dispose()
        {
            foreach (KvCache cache in All) cache.Dispose();
        }
    }
}
