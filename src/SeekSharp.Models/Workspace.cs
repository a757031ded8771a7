using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>
/// What all layers of a model compute with: kernels, threads, and scratch memory, which they share by name, since only one
/// layer runs at a time. Sized by the tokens of a step, never by the context.
/// </summary>
internal sealed class Workspace(KernelTable kernels, WorkerPool pool, Arithmetic arithmetic) : IDisposable
{
    private readonly Dictionary<(string, int), ActivationBuffer> _activations = [];
    private readonly Dictionary<string, NativeArray<float>> _floats = [];
    private readonly Dictionary<string, NativeArray<int>> _ints = [];

    public KernelTable Kernels { get; } = kernels;
    public WorkerPool Pool { get; } = pool;
    public Arithmetic Arithmetic { get; } = arithmetic;

    /// <summary>The sequences of one attention, collected here.</summary>
    public NativeArray<GroupedQueryArguments> GroupedQueries { get; } = new();

    /// <summary>As <see cref="GroupedQueries"/>.</summary>
    public NativeArray<LatentArguments> Latents { get; } = new();

    /// <summary>The products of one parallel region, collected here.</summary>
    public List<ProductJob> Jobs { get; } = [];

    /// <summary>Inputs of products, <paramref name="cols"/> wide. Asked for when a layer is built.</summary>
    public ActivationBuffer Activations(string name, int cols)
    {
        if (!_activations.TryGetValue((name, cols), out ActivationBuffer? buffer))
            _activations[(name, cols)] = buffer = new ActivationBuffer(cols);
        return buffer;
    }

    /// <summary>Floats. Asked for when a layer is built.</summary>
    public NativeArray<float> Floats(string name)
    {
        if (!_floats.TryGetValue(name, out NativeArray<float>? array)) _floats[name] = array = new();
        return array;
    }

    /// <summary>Integers. Asked for when a layer is built.</summary>
    public NativeArray<int> Ints(string name)
    {
        if (!_ints.TryGetValue(name, out NativeArray<int>? array)) _ints[name] = array = new();
        return array;
    }

    public void Dispose()
    {
        GroupedQueries.Dispose();
        Latents.Dispose();
        foreach (ActivationBuffer buffer in _activations.Values) buffer.Dispose();
        foreach (NativeArray<float> array in _floats.Values) array.Dispose();
        foreach (NativeArray<int> array in _ints.Values) array.Dispose();
    }
}
