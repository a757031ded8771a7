using System.Runtime.InteropServices;
using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>
/// A mixture of experts (DeepSeekMoE, arXiv 2401.06066): each token goes through the experts that the router chose, weighted,
/// and through the shared expert. A chunk's (token, expert) pairs are sorted by expert, so that an expert's weights are read
/// once for all its tokens. A token's contributions are added in ascending order of the expert's index, the shared expert
/// last, whatever else is in the chunk. T tokens, H hidden, E experts, K chosen, S = T·K slots (pairs sorted by expert),
/// I width of an expert, J width of the shared expert.
/// </summary>
internal sealed unsafe class MixtureOfExperts
{
    private readonly Linear _routerMatrix;
    private readonly Router _router;
    private readonly Expert[] _experts;
    private readonly SharedExpert? _shared;
    private readonly int _hidden, _width, _chosen, _layer;
    private readonly NativeArray<float> _scores, _weights, _gateOut, _upOut, _sharedGate, _sharedUp, _down, _sharedDown;
    private readonly NativeArray<int> _chosenExperts, _slots, _slotTokens, _slotRows;
    private readonly ActivationBuffer _inner;        // [S, I]
    private readonly ActivationBuffer? _sharedInner; // [T, J]
    private readonly int[] _starts;                  // [E + 1] each expert's first slot
    private readonly Workspace _w;

    public MixtureOfExperts(MixtureOfExpertsWeights weights, ModelConfig config, int layer, WeightPacker packer, Workspace workspace)
    {
        (_hidden, _width, _layer, _w) = (config.HiddenSize, config.MoeIntermediateSize, layer, workspace);
        if (weights.Experts.Length != config.NRoutedExperts)
            throw new CheckpointException($"layer {layer}: expected {config.NRoutedExperts} experts, found {weights.Experts.Length}");
        _router = new Router(config, weights.RouterBias);
        _chosen = _router.ExpertsPerToken;
        _routerMatrix = packer.Pack(weights.Router, config.NRoutedExperts, _hidden);
        _experts = new Expert[weights.Experts.Length];
        for (int e = 0; e < _experts.Length; e++) _experts[e] = new Expert(weights.Experts[e], _hidden, _width, packer);
        _shared = weights.Shared is null ? null : new SharedExpert(weights.Shared, _hidden, packer);
        _starts = new int[_experts.Length + 1];

        _scores = workspace.Floats("router scores");
        _weights = workspace.Floats("expert weights");
        _gateOut = workspace.Floats("gate");
        _upOut = workspace.Floats("up");
        _sharedGate = workspace.Floats("shared gate");
        _sharedUp = workspace.Floats("shared up");
        _down = workspace.Floats("expert outputs");
        _sharedDown = workspace.Floats("shared output");
        _chosenExperts = workspace.Ints("chosen experts");
        _slots = workspace.Ints("slots");
        _slotTokens = workspace.Ints("slot tokens");
        _slotRows = workspace.Ints("slot rows");
        _inner = workspace.Activations("expert inner", _width);
        _sharedInner = _shared is null ? null : workspace.Activations("shared inner", _shared.Width);
    }

    /// <summary>output[T, H] from input[T, H].</summary>
    public void Run(in Step step, ActivationBuffer input, float* output, int outputStride)
    {
        // 1. Choose. 2. Sort the pairs by expert. 3. Gate and up of all experts at once. 4. SwiGLU. 5. Down. 6. Add up.
        int tokens = step.Tokens, slots = checked(tokens * _chosen);

        // 1. The router is computed in fp32 whatever its weights' format: a choice must not hang on an activation's rounding.
        float* scores = _scores.Get((long)tokens * _experts.Length);           // [T, E]
        MatrixProduct.Run(_routerMatrix.Weights, input, tokens, scores, _experts.Length, null, Arithmetic.Exact, _w.Kernels, _w.Pool);
        int* chosen = _chosenExperts.Get(slots);                               // [T, K]
        float* weights = _weights.Get(slots);                                  // [T, K]
        var routing = new RouteWork { Owner = this, Scores = scores, Experts = chosen, Weights = weights };
        _w.Pool.Run(tokens, ref routing);
        step.Trace?.AddRouter(_layer, step.TraceRow, new ReadOnlySpan<int>(chosen, slots), new ReadOnlySpan<float>(weights, slots), _chosen);

        // 2.
        int* slotOf = _slots.Get(slots), tokenOf = _slotTokens.Get(slots), rows = _slotRows.Get(slots); // [T, K], [S], [S]
        SortByExpert(chosen, slots, slotOf, tokenOf, rows);

        // 3.
        float* gate = _gateOut.Get((long)slots * _width), up = _upOut.Get((long)slots * _width); // [S, I]
        float* sharedGate = null, sharedUp = null, sharedDown = null;
        _w.Jobs.Clear();
        for (int e = 0; e < _experts.Length; e++)
        {
            int start = _starts[e], count = _starts[e + 1] - start;
            if (count == 0) continue;
            _w.Jobs.Add(_experts[e].Gate.Job(input, count, gate + (long)start * _width, _width, tokenOf + start));
            _w.Jobs.Add(_experts[e].Up.Job(input, count, up + (long)start * _width, _width, tokenOf + start));
        }
        if (_shared is not null)
        {
            sharedGate = _sharedGate.Get((long)tokens * _shared.Width); // [T, J]
            sharedUp = _sharedUp.Get((long)tokens * _shared.Width);
            sharedDown = _sharedDown.Get((long)tokens * _hidden);       // [T, H]
            _w.Jobs.Add(_shared.Gate.Job(input, tokens, sharedGate, _shared.Width));
            _w.Jobs.Add(_shared.Up.Job(input, tokens, sharedUp, _shared.Width));
        }
        MatrixProduct.Run(CollectionsMarshal.AsSpan(_w.Jobs), _w.Arithmetic, _w.Kernels, _w.Pool);

        // 4.
        float* inner = _inner.Begin(slots);
        RowOperations.SwiGlu(gate, up, _width, inner, _inner.Stride, _width, slots, _w);
        if (_shared is not null)
        {
            LoraAdapter.Apply(step, _layer, LoraTarget.SharedGate, input, sharedGate, _shared.Width, _w);
            LoraAdapter.Apply(step, _layer, LoraTarget.SharedUp, input, sharedUp, _shared.Width, _w);
            float* sharedInner = _sharedInner!.Begin(tokens);
            RowOperations.SwiGlu(sharedGate, sharedUp, _shared.Width, sharedInner, _sharedInner.Stride, _shared.Width, tokens, _w);
        }

        // 5.
        float* down = _down.Get((long)slots * _hidden); // [S, H]
        _w.Jobs.Clear();
        for (int e = 0; e < _experts.Length; e++)
        {
            int start = _starts[e], count = _starts[e + 1] - start;
            if (count > 0) _w.Jobs.Add(_experts[e].Down.Job(_inner, count, down + (long)start * _hidden, _hidden, rows + start));
        }
        if (_shared is not null) _w.Jobs.Add(_shared.Down.Job(_sharedInner!, tokens, sharedDown, _hidden));
        MatrixProduct.Run(CollectionsMarshal.AsSpan(_w.Jobs), _w.Arithmetic, _w.Kernels, _w.Pool);
        _w.Jobs.Clear();

        if (_shared is not null) LoraAdapter.Apply(step, _layer, LoraTarget.SharedDown, _sharedInner!, sharedDown, _hidden, _w);

        // 6.
        var sum = new SumWork { Owner = this, Slots = slotOf, Weights = weights, Down = down, Shared = sharedDown, Output = output, OutputStride = outputStride };
        _w.Pool.Run(tokens, ref sum);
    }

    // A counting sort: stable, so an expert's tokens keep their order.
    private void SortByExpert(int* chosen, int slots, int* slotOf, int* tokenOf, int* rows)
    {
        Array.Clear(_starts);
        for (int i = 0; i < slots; i++) _starts[chosen[i] + 1]++;
        for (int e = 0; e < _experts.Length; e++) _starts[e + 1] += _starts[e];
        for (int i = 0; i < slots; i++)
        {
            int slot = _starts[chosen[i]]++;
            slotOf[i] = slot;
            tokenOf[slot] = i / _chosen;
            rows[i] = i;
        }
        for (int e = _experts.Length; e > 0; e--) _starts[e] = _starts[e - 1]; // undo the ++ above
        _starts[0] = 0;
    }

    private struct RouteWork : IParallelWork
    {
        public MixtureOfExperts Owner;
        public float* Scores, Weights;
        public int* Experts;

        public readonly void Run(int item, int worker)
        {
            MixtureOfExperts m = Owner;
            int e = m._experts.Length, k = m._chosen, scratch = m._router.ScratchLength;
            m._router.Route(new ReadOnlySpan<float>(Scores + (long)item * e, e), new Span<int>(Experts + (long)item * k, k),
                new Span<float>(Weights + (long)item * k, k), new Span<float>(m._w.Pool.Scratch(worker, scratch * sizeof(float)), scratch), m._w.Kernels);
        }
    }

    private struct SumWork : IParallelWork
    {
        public MixtureOfExperts Owner;
        public int* Slots;
        public float* Weights, Down, Shared, Output;
        public int OutputStride;

        public readonly void Run(int item, int worker)
        {
            int hidden = Owner._hidden, k = Owner._chosen;
            float* y = Output + (long)item * OutputStride;
            new Span<float>(y, hidden).Clear();
            for (int i = item * k; i < (item + 1) * k; i++)
                Elementwise.AddScaled(Down + (long)Slots[i] * hidden, Weights[i], y, hidden, Owner._w.Kernels);
            if (Shared != null) Elementwise.Add(Shared + (long)item * hidden, y, hidden, Owner._w.Kernels);
        }
    }
}

/// <summary>One routed expert: a SwiGLU of width I.</summary>
internal sealed class Expert(SwiGluWeights weights, int hidden, int width, WeightPacker packer)
{
    public Linear Gate { get; } = packer.Pack(weights.Gate, width, hidden, weights.GateBias);
    public Linear Up { get; } = packer.Pack(weights.Up, width, hidden, weights.UpBias);
    public Linear Down { get; } = packer.Pack(weights.Down, hidden, width, weights.DownBias);
}

/// <summary>The expert that every token goes through; n_shared_experts of them lie side by side as one SwiGLU of width J.</summary>
internal sealed class SharedExpert(SwiGluWeights weights, int hidden, WeightPacker packer)
{
    public int Width { get; } = checked((int)weights.Gate.Rows);
    public Linear Gate { get; } = packer.Pack(weights.Gate, weights.Gate.Rows, hidden, weights.GateBias);
    public Linear Up { get; } = packer.Pack(weights.Up, weights.Gate.Rows, hidden, weights.UpBias);
    public Linear Down { get; } = packer.Pack(weights.Down, hidden, weights.Gate.Rows, weights.DownBias);
}
