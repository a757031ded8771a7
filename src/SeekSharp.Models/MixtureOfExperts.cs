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
    private readonly int _count;           // E
    private readonly Expert[] _resident = [];
    private readonly ExpertStore? _store; // in place of _resident
    private readonly int _firstStored;
    private readonly int[] _active;        // [E] experts that tokens go to
    private readonly int[] _asked;         // [E] those asked for and not computed yet
    private readonly SharedExpert? _shared;
    private readonly int _hidden, _width, _chosen, _layer;
    private readonly NativeArray<float> _scores, _weights, _sharedGate, _sharedUp, _down, _sharedDown;
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
        _count = weights.Experts.Length;
        (_active, _asked) = (new int[_count], new int[_count]);
        if ((_store = packer.Experts) is not null) _firstStored = _store.AddLayer(weights.Experts, _hidden, _width);
        else _resident = [.. weights.Experts.Select(e => Expert.Resident(e, _hidden, _width, packer))];
        _shared = weights.Shared is null ? null : new SharedExpert(weights.Shared, _hidden, packer);
        _starts = new int[_count + 1];

        _scores = workspace.Floats("router scores");
        _weights = workspace.Floats("expert weights");
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

    /// <summary>x[T, H] += the result for input[T, H].</summary>
    public void Run(in Step step, ActivationBuffer input, float* x, int xStride)
    {
        // 1. Choose. 2. Sort the pairs by expert. 3. Experts and shared expert. 4. Add up.
        int tokens = step.Tokens, slots = checked(tokens * _chosen);

        // 1. The router is computed in fp32 whatever its weights' format: a choice must not hang on an activation's rounding.
        float* scores = _scores.Get((long)tokens * _count);                    // [T, E]
        MatrixProduct.Run(_routerMatrix.Weights, input, tokens, scores, _count, null, Arithmetic.Exact, _w.Kernels, _w.Pool);
        int* chosen = _chosenExperts.Get(slots);                               // [T, K]
        float* weights = _weights.Get(slots);                                  // [T, K]
        var routing = new RouteWork { Owner = this, Scores = scores, Experts = chosen, Weights = weights };
        _w.Pool.Run(tokens, ref routing);
        step.Trace?.AddRouter(_layer, step.TraceRow, new ReadOnlySpan<int>(chosen, slots), new ReadOnlySpan<float>(weights, slots), _chosen);

        // 2.
        int* slotOf = _slots.Get(slots), tokenOf = _slotTokens.Get(slots); // [T, K], [S]
        int* rows = _slotRows.Get(slots);                                  // [S] 0, 1, …
        SortByExpert(chosen, slots, slotOf, tokenOf, rows);
        int active = 0;
        for (int e = 0; e < _count; e++)
            if (_starts[e + 1] > _starts[e]) _active[active++] = e;

        // 3.
        var call = new Call
        {
            Input = input,
            Tokens = tokens,
            TokenOf = tokenOf,
            Rows = rows,
            Down = _down.Get((long)slots * _hidden),
            SharedDown = _shared is null ? null : _sharedDown.Get((long)tokens * _hidden),
        };
        if (_store is null) Compute(step, call, _active.AsSpan(0, active), withShared: true);
        else ComputeFromStore(step, _store, call, _active.AsSpan(0, active));

        // 4.
        var sum = new SumWork { Owner = this, Slots = slotOf, Weights = weights, Down = call.Down, Shared = call.SharedDown, X = x, XStride = xStride };
        _w.Pool.Run(tokens, ref sum);
    }

    private struct Call
    {
        public ActivationBuffer Input;
        public int Tokens;
        public int* TokenOf, Rows;
        public float* Down, SharedDown; // [S, H], [T, H]
    }

    // Some of the experts, and the shared one if it is due: gate and up of all at once, SwiGLU, down. Which experts are computed together changes no bit.
    private void Compute(in Step step, in Call call, ReadOnlySpan<int> experts, bool withShared)
    {
        int tokens = call.Tokens, slots = 0;
        foreach (int e in experts) slots += _starts[e + 1] - _starts[e];
        withShared &= _shared is not null;
        if (slots > 0) _inner.Begin(slots); // [S', I], S' the slots of these experts
        if (withShared) _sharedInner!.Begin(tokens); // [T, J]
        _w.Jobs.Clear();
        int at = 0;
        foreach (int e in experts)
        {
            int start = _starts[e], count = _starts[e + 1] - start;
            Expert expert = ExpertAt(e);
            _w.Jobs.Add(Linear.GatedJob(expert.Gate, expert.Up, expert.Down, call.Input, count, _inner, at, _w, call.TokenOf + start));
            at += count;
        }
        bool adapters = withShared && step.HasAdapters; // they change the shared expert's gate and up before they meet
        float* gate = null, up = null;
        if (adapters)
        {
            gate = _sharedGate.Get((long)tokens * _shared!.Width); // [T, J]
            up = _sharedUp.Get((long)tokens * _shared.Width);
            _w.Jobs.Add(_shared.Gate.Job(call.Input, tokens, gate, _shared.Width));
            _w.Jobs.Add(_shared.Up.Job(call.Input, tokens, up, _shared.Width));
        }
        else if (withShared) _w.Jobs.Add(Linear.GatedJob(_shared!.Gate, _shared.Up, _shared.Down, call.Input, tokens, _sharedInner!, 0, _w));
        MatrixProduct.Run(CollectionsMarshal.AsSpan(_w.Jobs), _w.Arithmetic, _w.Kernels, _w.Pool);
        if (adapters)
        {
            LoraAdapter.Apply(step, _layer, LoraTarget.SharedGate, call.Input, gate, _shared!.Width, _w);
            LoraAdapter.Apply(step, _layer, LoraTarget.SharedUp, call.Input, up, _shared.Width, _w);
            RowOperations.SwiGlu(gate, up, _shared.Width, _sharedInner!.Rows, _sharedInner.Stride, _shared.Width, tokens, _w);
        }

        _w.Jobs.Clear();
        at = 0;
        foreach (int e in experts)
        {
            int start = _starts[e], count = _starts[e + 1] - start;
            _w.Jobs.Add(ExpertAt(e).Down.Job(_inner, count, call.Down + (long)start * _hidden, _hidden, call.Rows + at));
            at += count;
        }
        if (withShared) _w.Jobs.Add(_shared!.Down.Job(_sharedInner!, tokens, call.SharedDown, _hidden));
        MatrixProduct.Run(CollectionsMarshal.AsSpan(_w.Jobs), _w.Arithmetic, _w.Kernels, _w.Pool);
        _w.Jobs.Clear();
        if (withShared) LoraAdapter.Apply(step, _layer, LoraTarget.SharedDown, _sharedInner!, call.SharedDown, _hidden, _w);
    }

    private Expert ExpertAt(int e) => _store is null ? _resident[e] : _store[_firstStored + e];

    // All that the store takes at once are asked for; the shared expert is computed while they are read, then whatever has come.
    private void ComputeFromStore(in Step step, ExpertStore store, in Call call, Span<int> experts)
    {
        store.BeginLayer(_layer);
        foreach (ref int e in experts) e += _firstStored;
        store.PutPresentFirst(experts);
        int next = 0, asked = 0;
        bool sharedDue = _shared is not null;
        try
        {
            while (next < experts.Length || asked > 0)
            {
                while (next < experts.Length && store.Request(experts[next])) _asked[asked++] = experts[next++];
                if (sharedDue)
                {
                    Compute(step, call, [], withShared: true);
                    sharedDue = false;
                }
                Span<int> waiting = _asked.AsSpan(0, asked);
                int ready = store.WaitAny(waiting);
                Span<int> now = waiting[..ready];
                foreach (ref int e in now) e -= _firstStored;
                Compute(step, call, now, withShared: false);
                foreach (int e in now) store.Release(_firstStored + e);
                waiting[ready..].CopyTo(waiting);
                asked -= ready;
            }
        }
        catch
        {
            store.ReleaseAll();
            throw;
        }
    }

    // A counting sort: stable, so an expert's tokens keep their order.
    private void SortByExpert(int* chosen, int slots, int* slotOf, int* tokenOf, int* rows)
    {
        Array.Clear(_starts);
        for (int i = 0; i < slots; i++) _starts[chosen[i] + 1]++;
        for (int e = 0; e < _count; e++) _starts[e + 1] += _starts[e];
        for (int i = 0; i < slots; i++)
        {
            int slot = _starts[chosen[i]]++;
            slotOf[i] = slot;
            tokenOf[slot] = i / _chosen;
            rows[i] = i;
        }
        for (int e = _count; e > 0; e--) _starts[e] = _starts[e - 1]; // undo the ++ above
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
            int e = m._count, k = m._chosen, scratch = m._router.ScratchLength;
            m._router.Route(new ReadOnlySpan<float>(Scores + (long)item * e, e), new Span<int>(Experts + (long)item * k, k),
                new Span<float>(Weights + (long)item * k, k), new Span<float>(m._w.Pool.Scratch(worker, scratch * sizeof(float)), scratch), m._w.Kernels);
        }
    }

    private struct SumWork : IParallelWork
    {
        public MixtureOfExperts Owner;
        public int* Slots;
        public float* Weights, Down, Shared, X;
        public int XStride;

        public readonly void Run(int item, int worker)
        {
            int hidden = Owner._hidden, k = Owner._chosen;
            var y = (float*)Owner._w.Pool.Scratch(worker, (long)hidden * sizeof(float));
            new Span<float>(y, hidden).Clear();
            for (int i = item * k; i < (item + 1) * k; i++)
                Elementwise.AddScaled(Down + (long)Slots[i] * hidden, Weights[i], y, hidden, Owner._w.Kernels);
            if (Shared != null) Elementwise.Add(Shared + (long)item * hidden, y, hidden, Owner._w.Kernels);
            Elementwise.Add(y, X + (long)item * XStride, hidden, Owner._w.Kernels);
        }
    }
}

/// <summary>The expert that every token goes through; n_shared_experts of them lie side by side as one SwiGLU of width J.</summary>
internal sealed class SharedExpert(SwiGluWeights weights, int hidden, WeightPacker packer)
{
    public int Width { get; } = checked((int)weights.Gate.Rows);
    public Linear Gate { get; } = packer.Pack(weights.Gate, weights.Gate.Rows, hidden, weights.GateBias);
    public Linear Up { get; } = packer.Pack(weights.Up, weights.Gate.Rows, hidden, weights.UpBias);
    public Linear Down { get; } = packer.Pack(weights.Down, hidden, weights.Gate.Rows, weights.DownBias);
}
