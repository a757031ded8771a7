namespace SeekSharp.Models;

/// <summary>
/// What a forward pass went through, for tests and for looking inside: the residual stream between layers and the
/// routers' choices. Rows are the tokens of the call. L layers, T tokens, H hidden, K experts a token.
/// </summary>
public sealed class ForwardTrace
{
    private readonly Dictionary<int, float[]> _hidden = [];
    private readonly Dictionary<int, RouterTrace> _routers = [];

    /// <summary>Tokens of the call.</summary>
    public int Tokens { get; private set; }

    /// <summary>[T, H] row-major: 0 holds the embeddings, i what layer i − 1 left; the last one before the final norm.</summary>
    public IReadOnlyDictionary<int, float[]> Hidden => _hidden;

    /// <summary>By layer, for layers with experts.</summary>
    public IReadOnlyDictionary<int, RouterTrace> Routers => _routers;

    internal void Begin(int tokens)
    {
        Tokens = tokens;
        _hidden.Clear();
        _routers.Clear();
    }

    internal void AddHidden(int index, int firstToken, ReadOnlySpan<float> rows, int width)
    {
        if (!_hidden.TryGetValue(index, out float[]? all))
            _hidden[index] = all = new float[checked(Tokens * width)];
        rows.CopyTo(all.AsSpan(firstToken * width));
    }

    internal void AddRouter(int layer, int firstToken, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights, int perToken)
    {
        if (!_routers.TryGetValue(layer, out RouterTrace? all))
            _routers[layer] = all = new RouterTrace(new int[checked(Tokens * perToken)], new float[checked(Tokens * perToken)]);
        experts.CopyTo(all.Experts.AsSpan(firstToken * perToken));
        weights.CopyTo(all.Weights.AsSpan(firstToken * perToken));
    }
}

/// <summary>One layer's choices.</summary>
/// <param name="Experts">[T, K], ascending within a token.</param>
/// <param name="Weights">[T, K], as multiplied in: normalized and scaled.</param>
public sealed record RouterTrace(int[] Experts, float[] Weights);
