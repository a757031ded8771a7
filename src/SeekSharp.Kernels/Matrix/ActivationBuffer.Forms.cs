namespace SeekSharp.Kernels;

/// <summary>The forms that products ask for.</summary>
internal enum ActivationForm
{
    /// <summary>As they are.</summary>
    Floats,
    /// <summary>Rounded to bf16, pairs exchanged.</summary>
    RoundedPairs,
    /// <summary>int8 in k order.</summary>
    Unsigned,
    /// <summary>int8 widened, for signed weights.</summary>
    Signed,
    /// <summary>int8 in k order, with what the assembled tiles start from.</summary>
    Biased,
    /// <summary>Rounded to bf16 and kept so, in k order.</summary>
    BF16,
}

internal sealed unsafe partial class ActivationBuffer
{
    private readonly NativeBuffer?[] _derived = new NativeBuffer?[6];

    /// <summary>The form's first row, made if need be; bytes from a row to the next.</summary>
    /// <exception cref="InvalidOperationException">The rows were made in another form only.</exception>
    internal byte* Form(ActivationForm form, out long rowBytes, KernelTable kernels, WorkerPool pool)
    {
        byte* result = Room(form, out rowBytes);
        if ((_forms & 1 << (int)form) != 0) return result;
        if (_isPartial) throw new InvalidOperationException($"the rows were not made as {form}, nor as they are");
        var work = new Derive { Form = form, Source = Rows, Stride = Stride, Cols = Cols, Result = result, RowBytes = rowBytes, Quantize = kernels.Quantize };
        if (Count * (long)Cols < 32768)
            for (int i = 0; i < Count; i++) work.Run(i, 0); // waking others takes longer
        else
            pool.Run(Count, ref work);
        _forms |= 1 << (int)form;
        return result;
    }

    /// <summary>Room for the form of all rows, for whoever makes it in place of the rows themselves and then says so (<see cref="MadeOnly"/>).</summary>
    internal byte* Room(ActivationForm form, out long rowBytes)
    {
        rowBytes = form == ActivationForm.Floats ? (long)Stride * sizeof(float) : Offset(form, Cols + 31 & ~31);
        if (form == ActivationForm.Floats) return (byte*)Rows;
        NativeBuffer? buffer = _derived[(int)form];
        long bytes = checked(rowBytes * Count);
        if (buffer is null || buffer.Bytes < bytes)
        {
            buffer?.Dispose();
            _derived[(int)form] = buffer = new NativeBuffer(bytes);
        }
        return buffer.Address;
    }

    /// <summary>Some of the rows have this form, and no other: whoever made them knows which. A second form of those can be had only where all were made as they are.</summary>
    internal void MadeOnly(ActivationForm form)
    {
        if (!_inParts) (_inParts, _forms) = (true, 0);
        _forms |= 1 << (int)form;
        _isPartial |= form != ActivationForm.Floats;
    }

    /// <summary>Bytes from a row's start to column <paramref name="column"/>, a multiple of 32.</summary>
    internal static long Offset(ActivationForm form, int column) => form switch
    {
        ActivationForm.Floats or ActivationForm.RoundedPairs => (long)column * sizeof(float),
        ActivationForm.BF16 => (long)column * sizeof(ushort),
        ActivationForm.Signed => column / 32L * ActivationForms.SignedBytes,
        _ => column / 32L * ActivationForms.UnsignedBytes,
    };

    /// <summary>The form of <paramref name="n"/> numbers that begin at a multiple of 32: what comes before and after does not matter.</summary>
    internal static void Make(ActivationForm form, float* x, int n, byte* result, delegate*<float*, int, byte*, int, void> quantize)
    {
        switch (form)
        {
            case ActivationForm.Floats: break;
            case ActivationForm.RoundedPairs: ActivationForms.RoundPairs(x, n, (float*)result); break;
            case ActivationForm.Biased: AssembledForms.Quantize(x, n, result); break;
            case ActivationForm.BF16: AssembledForms.Round(x, n, (ushort*)result); break;
            default: quantize(x, n, result, form == ActivationForm.Signed ? 1 : 0); break;
        }
    }

    private struct Derive : IParallelWork
    {
        public ActivationForm Form;
        public float* Source;
        public int Stride, Cols;
        public byte* Result;
        public long RowBytes;
        public delegate*<float*, int, byte*, int, void> Quantize;

        public readonly void Run(int item, int worker) => Make(Form, Source + (long)item * Stride, Cols, Result + item * RowBytes, Quantize);
    }
}
