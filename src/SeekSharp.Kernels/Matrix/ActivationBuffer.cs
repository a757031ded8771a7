namespace SeekSharp.Kernels;

/// <summary>
/// Rows of activations [M, K] in fp32, and the forms that products need, made once when the first product asks and shared
/// by all that follow. Everything about a row depends on that row alone (batch invariance).
/// </summary>
/// <param name="cols">K.</param>
internal sealed unsafe partial class ActivationBuffer(int cols) : IDisposable
{
    private NativeBuffer? _own;
    private int _forms; // which forms the rows have, as bits
    private bool _inParts, _isPartial; // each part of the rows was made in a form of its own; not all as they are

    /// <summary>K.</summary>
    public int Cols { get; } = cols;

    /// <summary>Rows at hand.</summary>
    public int Count { get; private set; }

    /// <summary>The first row.</summary>
    public float* Rows { get; private set; }

    /// <summary>From a row to the next, in floats.</summary>
    public int Stride { get; private set; }

    /// <summary>Starts afresh with <paramref name="count"/> rows of the buffer's own, which the caller fills. What they hold is undefined.</summary>
    public float* Begin(int count)
    {
        int stride = (Cols + 15) & ~15;
        long bytes = checked((long)count * stride * sizeof(float));
        if (_own is null || _own.Bytes < bytes)
        {
            _own?.Dispose();
            _own = new NativeBuffer(bytes);
        }
        Wrap((float*)_own.Address, stride, count);
        return Rows;
    }

    /// <summary>Starts afresh with rows that lie elsewhere (a slice of each of another tensor's rows); they stay the caller's.</summary>
    public void Wrap(float* rows, int stride, int count)
    {
        Rows = rows;
        Stride = stride;
        Count = count;
        Changed();
    }

    /// <summary>The rows hold other numbers than when a product last saw them.</summary>
    public void Changed() => (_forms, _inParts, _isPartial) = (1 << (int)ActivationForm.Floats, false, false);

    /// <summary>Row <paramref name="i"/>.</summary>
    public float* Row(int i) => Rows + (long)i * Stride;

    public void Dispose()
    {
        _own?.Dispose();
        foreach (NativeBuffer? form in _derived) form?.Dispose();
    }
}
