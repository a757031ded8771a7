namespace SeekSharp.Engine;

/// <summary>A token and the logarithm of its probability.</summary>
internal readonly record struct TokenLogProbability(int Id, float LogProbability);

/// <summary>
/// Log probabilities of a sequence's generated tokens and, at each of them, of the best tokens there, the best first and the lower id first where two are equal.
/// </summary>
/// <param name="top">How many best ones are kept at each place, 0 to 20.</param>
internal sealed class LogProbabilityLog(int top)
{
    private readonly List<TokenLogProbability> _chosen = [];
    private readonly List<TokenLogProbability> _best = [];
    private readonly List<int> _ends = []; // where a place's best ones end: there are fewer than `top` in a tiny vocabulary

    public int Top { get; } = top;
    /// <summary>Generated tokens with an entry.</summary>
    public int Count => _chosen.Count;

    public TokenLogProbability Chosen(int index) => _chosen[index];

    public ReadOnlySpan<TokenLogProbability> Best(int index)
    {
        int start = index == 0 ? 0 : _ends[index - 1];
        return System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_best)[start.._ends[index]];
    }

    /// <summary>Opens an entry.</summary>
    internal void Begin(int id, float logProbability)
    {
        _chosen.Add(new(id, logProbability));
        _ends.Add(_best.Count);
    }

    /// <summary>Keeps a token among the best of the last entry if it is one of them. Ids come in ascending order.</summary>
    internal void Offer(int id, float logProbability)
    {
        int start = _ends.Count > 1 ? _ends[^2] : 0, at = _best.Count;
        while (at > start && _best[at - 1].LogProbability < logProbability) at--;
        if (at - start >= Top) return;
        if (_best.Count - start == Top) _best.RemoveAt(_best.Count - 1);
        _best.Insert(at, new(id, logProbability));
        _ends[^1] = _best.Count;
    }
}
