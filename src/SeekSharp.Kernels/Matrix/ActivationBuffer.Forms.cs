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
    internal byte* Form(ActivationForm form, out long rowBytes, KernelTable kernels, WorkerPool pool)
    {
        rowBytes = form switch
        {
            ActivationForm.Floats => (long)Stride * sizeof(float),
            ActivationForm.RoundedPairs => (Cols + 15L & ~15) * sizeof(float),
            ActivationForm.BF16 => (Cols + 31L & ~31) * sizeof(ushort),
            ActivationForm.Signed => Cols / 32L * ActivationForms.SignedBytes,
            _ => Cols / 32L * ActivationForms.UnsignedBytes,
        };
        if (form == ActivationForm.Floats) return (byte*)Rows;
        NativeBuffer? buffer = _derived[(int)form];
        if ((_forms & 1 << (int)form) != 0) return buffer!.Address;
        long bytes = checked(rowBytes * Count);
        if (buffer is null || buffer.Bytes < bytes)
        {
            buffer?.Dispose();
            _derived[(int)form] = buffer = new NativeBuffer(bytes);
        }
        var work = new Derive { Form = form, Source = Rows, Stride = Stride, Cols = Cols, Result = buffer.Address, RowBytes = rowBytes, Quantize = kernels.Quantize };
        if (Count * (long)Cols < 32768)
            for (int i = 0; i < Count; i++) work.Run(i, 0); // waking others takes longer
        else
            pool.Run(Count, ref work);
        _forms |= 1 << (int)form;
        return buffer.Address;
    }

    private struct Derive : IParallelWork
    {
        public ActivationForm Form;
        public float* Source;
        public int Stride, Cols;
        public byte* Result;
        public long RowBytes;
        public delegate*<float*, int, byte*, int, void> Quantize;

        public readonly void Run(int item, int worker)
        {
            float* x = Source + (long)item * Stride;
            byte* y = Result + item * RowBytes;
            switch (Form)
            {
                case ActivationForm.RoundedPairs: ActivationForms.RoundPairs(x, Cols, (float*)y); break;
                case ActivationForm.Biased: AssembledForms.Quantize(x, Cols, y); break;
                case ActivationForm.BF16: AssembledForms.Round(x, Cols, (ushort*)y); break;
                default: Quantize(x, Cols, y, Form == ActivationForm.Signed ? 1 : 0); break;
            }
        }
    }
}
