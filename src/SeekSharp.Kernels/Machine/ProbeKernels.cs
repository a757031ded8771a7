using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>What <see cref="MachineProbe"/> times.</summary>
internal static unsafe class ProbeKernels<S, F, I>
    where S : struct, ISimd<F, I>
    where F : struct
    where I : struct
{
    /// <summary>Reads memory; bytes is a multiple of 1024.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int Read(byte* p, long bytes)
    {
        I a = S.Set(0), b = a, c = a, d = a;
        int step = 4 * S.Count;
        var x = (int*)p;
        for (int* end = x + bytes / 4; x < end; x += step)
        {
            a = S.Or(a, S.Load(x));
            b = S.Or(b, S.Load(x + S.Count));
            c = S.Or(c, S.Load(x + 2 * S.Count));
            d = S.Or(d, S.Load(x + 3 * S.Count));
        }
        int* result = stackalloc int[16];
        S.Store(result, S.Or(S.Or(a, b), S.Or(c, d)));
        return result[0];
    }

    /// <summary>Runs the fp32 tile; returns the operations of one call.</summary>
    public static double Fp32(int calls, byte* scratch)
    {
        const int K = 128;
        if (calls == 0) return 6.0 * 32 * K * 2;
        new Span<byte>(scratch, (int)MachineProbe.PeakScratch).Clear();
        var x = (float*)(scratch + K * 32 * sizeof(float));
        for (int i = 0; i < calls; i++)
            FloatTile<S, F, I, FloatPanels<S, F, I>.F32>.Six(scratch, K, x, x + K, x + 2 * K, x + 3 * K, x + 4 * K, x + 5 * K, x + 6 * K);
        return 0;
    }

    /// <summary>Runs the int8 tile of Q4_0; returns the operations of one call.</summary>
    public static double Int8(int calls, byte* scratch)
    {
        const int Blocks = 8;
        if (calls == 0) return 4.0 * 32 * 32 * Blocks * 2;
        new Span<byte>(scratch, (int)MachineProbe.PeakScratch).Clear();
        byte* x = scratch + Blocks * TileSource<S, F, I, IntegerFormats<S, F, I>.Q4_0>.ExpandedBytes, y = x + 4 * Blocks * ActivationForms.UnsignedBytes;
        for (int i = 0; i < calls; i++)
            IntegerTile<S, F, I, IntegerFormats<S, F, I>.Q4_0, TileSource<S, F, I, IntegerFormats<S, F, I>.Q4_0>.Expanded>.FourUnsigned(
                scratch, Blocks, x, x + Blocks * 64, x + 2 * Blocks * 64, x + 3 * Blocks * 64, (float*)y);
        return 0;
    }
}
