using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>
/// New values for some or all tensors of a loaded model, under the names and shapes of the file that it was loaded from. Every tensor is checked as it is added; the model changes when all are
/// published (<see cref="LanguageModel.Publish"/>), which goes the way that loading goes.
/// </summary>
/// <remarks>For one thread at a time.</remarks>
internal sealed unsafe class WeightUpdate : IDisposable
{
    private readonly Checkpoint _original;
    private readonly string _place;
    private readonly Dictionary<string, NewTensor> _tensors = new(StringComparer.Ordinal);
    private readonly List<ModelFolder> _folders = [];
    private (nint Start, nint End)[]? _ranges; // of the new values, ascending

    internal WeightUpdate(Checkpoint original, string place) => (_original, _place) = (original, place);

    /// <param name="Tensor">The values where they lie.</param>
    /// <param name="Memory">Owns them; null where a folder does.</param>
    internal readonly record struct NewTensor(CheckpointTensor Tensor, NativeBuffer? Memory);

    /// <summary>Tensors that have been added.</summary>
    public int Count => _tensors.Count;

    /// <summary>Was it begun for the model that was loaded from these files?</summary>
    internal bool IsFor(Checkpoint? checkpoint) => _original == checkpoint;

    internal IReadOnlyDictionary<string, NewTensor> Tensors => _tensors;

    /// <summary>
    /// Adds a tensor. It is rounded to the format that the model's file has it in, as <c>quantize</c> would: what is published takes the memory that it took before. Formats that numbers cannot
    /// be rounded to here (IQ types, FP8 with block scales) become BF16; vectors stay as they are given.
    /// </summary>
    /// <param name="name">As in the model's file.</param>
    /// <param name="shape">Outermost first; a matrix is [out, in].</param>
    /// <param name="values">Row-major; copied.</param>
    /// <exception cref="CheckpointException">The model has no such tensor, or it has another shape.</exception>
    public void Add(string name, ReadOnlySpan<long> shape, ReadOnlySpan<float> values)
    {
        CheckpointTensor old = Known(name, shape);
        if (values.Length != old.Count) throw new CheckpointException($"{_place}: tensor {Checkpoint.Show(name)}: expected {old.Count} values, found {values.Length}");
        bool scaled = _original.Tensors.ContainsKey(name + "_scale_inv");
        NumberFormat format = shape.Length < 2 ? NumberFormat.F32 : BlockEncoder.CanEncode(old.Format) && !scaled ? old.Format : NumberFormat.BF16;
        long bytes = NumberFormats.ByteCount(format, values.Length);
        var memory = new NativeBuffer(bytes);
        fixed (float* v = values)
        {
            // Slabs of whole blocks, on all threads.
            (nint from, nint to, long count) = ((nint)v, (nint)memory.Address, values.Length);
            Parallel.For(0, (int)((count + Slab - 1) / Slab), i =>
            {
                long first = (long)i * Slab;
                BlockEncoder.Encode(format, (float*)from + first, (byte*)to + NumberFormats.ByteCount(format, first), Math.Min(Slab, count - first));
            });
        }
        Put(new CheckpointTensor(name, format, old.Shape, old.File, (nint)memory.Address, bytes), memory);
    }

    /// <summary>Adds all tensors of another model of this shape, in the formats that its file has them in.</summary>
    /// <exception cref="CheckpointException">It holds no weights, or one that this model has not, or has in another shape.</exception>
    public void AddAll(ModelFolder folder)
    {
        Checkpoint source = folder.Checkpoint ?? throw new CheckpointException($"{folder.Path}: there are no weights here");
        foreach (CheckpointTensor tensor in source.Tensors.Values) Known(tensor.Name, tensor.Shape);
        folder.Retain();
        _folders.Add(folder);
        foreach (CheckpointTensor tensor in source.Tensors.Values) Put(tensor, null);
    }

    /// <summary>Does a matrix lie within the new values?</summary>
    internal bool Holds(MatrixSource source)
    {
        _ranges ??= [.. _tensors.Values.Select(t => (t.Tensor.Address, t.Tensor.Address + (nint)t.Tensor.ByteLength)).Order()];
        int low = 0, high = _ranges.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_ranges[middle].Start <= source.Address) low = middle + 1;
            else high = middle;
        }
        return low > 0 && source.Address < _ranges[low - 1].End;
    }

    /// <summary>Takes a tensor's values out of the update: they are the caller's now.</summary>
    internal NewTensor Take(string name)
    {
        NewTensor t = _tensors[name];
        _tensors.Remove(name);
        if (t.Memory is not null) return t;
        var copy = new NativeBuffer(t.Tensor.ByteLength);
        Buffer.MemoryCopy((void*)t.Tensor.Address, copy.Address, copy.Bytes, t.Tensor.ByteLength);
        return new NewTensor(t.Tensor with { Address = (nint)copy.Address }, copy);
    }

    /// <summary>Frees the values.</summary>
    public void Dispose()
    {
        foreach (NewTensor t in _tensors.Values) t.Memory?.Dispose();
        foreach (ModelFolder folder in _folders) folder.Release();
        _tensors.Clear();
        _folders.Clear();
        _ranges = null;
    }

    private const int Slab = 1 << 18; // a whole number of every format's blocks

    private CheckpointTensor Known(string name, ReadOnlySpan<long> shape)
    {
        if (!_original.Tensors.TryGetValue(name, out CheckpointTensor? old)) throw new CheckpointException($"{_place}: the model has no tensor {Checkpoint.Show(name)}");
        if (!shape.SequenceEqual(old.Shape))
            throw new CheckpointException($"{_place}: tensor {Checkpoint.Show(name)}: expected {Checkpoint.Show(old.Shape)}, found {Checkpoint.Show(shape)}");
        return old;
    }

    private void Put(CheckpointTensor tensor, NativeBuffer? memory)
    {
        if (_tensors.Remove(tensor.Name, out NewTensor before)) before.Memory?.Dispose();
        _tensors.Add(tensor.Name, new NewTensor(tensor, memory));
        _ranges = null;
    }
}
