using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>
/// Products in fp32: a lane is an output, and its sum runs over k in order, acc = fma(x[k], w[k], acc). The rows of a tile are written out, since only
/// locals live in registers. a, b: sums of outputs row … and row + 16 ….
/// </summary>
internal static unsafe class FloatTile<S, F, I, T>
    where S : struct, ISimd<F, I>
    where F : struct
    where I : struct
    where T : struct, IFloatFormat<F, I>
{
    /// <summary>
    /// Any number of rows: sixes, and a six filled up with copies of the last row for what is left, since one row alone waits for its own sums. There must be room
    /// for 5 rows after <paramref name="sums"/> [count][32]; what they hold afterwards means nothing.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Many(byte* w, int k, float** x, int count, float* sums)
    {
        int i = 0;
        for (; i + 6 <= count; i += 6) Six(w, k, x[i], x[i + 1], x[i + 2], x[i + 3], x[i + 4], x[i + 5], sums + i * 32);
        if (i == count) return;
        float* last = x[count - 1];
        if (i + 1 == count) One(w, k, last, sums + i * 32);
        else Six(w, k, x[i], x[i + 1], i + 2 < count ? x[i + 2] : last, i + 3 < count ? x[i + 3] : last, i + 4 < count ? x[i + 4] : last, last, sums + i * 32);
    }

    /// <summary>1 row of activations; sums are added to acc [1][32]. w: count numbers of K, [count][32] in the format.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void One(byte* w, int count, float* x0, float* acc)
    {
        for (int pair = 0; pair < 16 / S.Count; pair++)
        {
            int row = pair * S.Count;
            float* y = acc + row;
            byte* p = w;
            F a0 = S.Load(y + 0), b0 = S.Load(y + 16);
            int k = 0;
            for (; k + 2 <= count; k += 2, p += T.PairBytes)
            {
                if (row == 0)
                    for (int at = 0; at < T.PairBytes; at += 64)
                    {
                        S.PrefetchFar(p + Prefetching.Far + at);
                        S.Prefetch(p + Prefetching.Near + at);
                    }
                T.Load(p, row, out F low0, out F low1);
                T.Load(p, row + 16, out F high0, out F high1);
                F f0 = S.Set(x0[k]);
                a0 = S.Fma(f0, low0, a0);
                b0 = S.Fma(f0, high0, b0);
                F g0 = S.Set(x0[k + 1]);
                a0 = S.Fma(g0, low1, a0);
                b0 = S.Fma(g0, high1, b0);
            }
            if (k < count)
            {
                T.Load(p, row, out F low, out _);
                T.Load(p, row + 16, out F high, out _);
                a0 = S.Fma(S.Set(x0[k]), low, a0);
                b0 = S.Fma(S.Set(x0[k]), high, b0);
            }
            S.Store(y + 0, a0);
            S.Store(y + 16, b0);
        }
    }

    /// <summary>6 rows of activations; sums are added to acc [6][32]. w: count numbers of K, [count][32] in the format.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Six(byte* w, int count, float* x0, float* x1, float* x2, float* x3, float* x4, float* x5, float* acc)
    {
        for (int pair = 0; pair < 16 / S.Count; pair++)
        {
            int row = pair * S.Count;
            float* y = acc + row;
            byte* p = w;
            F a0 = S.Load(y + 0), b0 = S.Load(y + 16);
            F a1 = S.Load(y + 32), b1 = S.Load(y + 48);
            F a2 = S.Load(y + 64), b2 = S.Load(y + 80);
            F a3 = S.Load(y + 96), b3 = S.Load(y + 112);
            F a4 = S.Load(y + 128), b4 = S.Load(y + 144);
            F a5 = S.Load(y + 160), b5 = S.Load(y + 176);
            int k = 0;
            for (; k + 2 <= count; k += 2, p += T.PairBytes)
            {
                T.Load(p, row, out F low0, out F low1);
                T.Load(p, row + 16, out F high0, out F high1);
                F f0 = S.Set(x0[k]);
                a0 = S.Fma(f0, low0, a0);
                b0 = S.Fma(f0, high0, b0);
                F f1 = S.Set(x1[k]);
                a1 = S.Fma(f1, low0, a1);
                b1 = S.Fma(f1, high0, b1);
                F f2 = S.Set(x2[k]);
                a2 = S.Fma(f2, low0, a2);
                b2 = S.Fma(f2, high0, b2);
                F f3 = S.Set(x3[k]);
                a3 = S.Fma(f3, low0, a3);
                b3 = S.Fma(f3, high0, b3);
                F f4 = S.Set(x4[k]);
                a4 = S.Fma(f4, low0, a4);
                b4 = S.Fma(f4, high0, b4);
                F f5 = S.Set(x5[k]);
                a5 = S.Fma(f5, low0, a5);
                b5 = S.Fma(f5, high0, b5);
                F g0 = S.Set(x0[k + 1]);
                a0 = S.Fma(g0, low1, a0);
                b0 = S.Fma(g0, high1, b0);
                F g1 = S.Set(x1[k + 1]);
                a1 = S.Fma(g1, low1, a1);
                b1 = S.Fma(g1, high1, b1);
                F g2 = S.Set(x2[k + 1]);
                a2 = S.Fma(g2, low1, a2);
                b2 = S.Fma(g2, high1, b2);
                F g3 = S.Set(x3[k + 1]);
                a3 = S.Fma(g3, low1, a3);
                b3 = S.Fma(g3, high1, b3);
                F g4 = S.Set(x4[k + 1]);
                a4 = S.Fma(g4, low1, a4);
                b4 = S.Fma(g4, high1, b4);
                F g5 = S.Set(x5[k + 1]);
                a5 = S.Fma(g5, low1, a5);
                b5 = S.Fma(g5, high1, b5);
            }
            if (k < count)
            {
                T.Load(p, row, out F low, out _);
                T.Load(p, row + 16, out F high, out _);
                a0 = S.Fma(S.Set(x0[k]), low, a0);
                b0 = S.Fma(S.Set(x0[k]), high, b0);
                a1 = S.Fma(S.Set(x1[k]), low, a1);
                b1 = S.Fma(S.Set(x1[k]), high, b1);
                a2 = S.Fma(S.Set(x2[k]), low, a2);
                b2 = S.Fma(S.Set(x2[k]), high, b2);
                a3 = S.Fma(S.Set(x3[k]), low, a3);
                b3 = S.Fma(S.Set(x3[k]), high, b3);
                a4 = S.Fma(S.Set(x4[k]), low, a4);
                b4 = S.Fma(S.Set(x4[k]), high, b4);
                a5 = S.Fma(S.Set(x5[k]), low, a5);
                b5 = S.Fma(S.Set(x5[k]), high, b5);
            }
            S.Store(y + 0, a0);
            S.Store(y + 16, b0);
            S.Store(y + 32, a1);
            S.Store(y + 48, b1);
            S.Store(y + 64, a2);
            S.Store(y + 80, b2);
            S.Store(y + 96, a3);
            S.Store(y + 112, b3);
            S.Store(y + 128, a4);
            S.Store(y + 144, b4);
            S.Store(y + 160, a5);
            S.Store(y + 176, b5);
        }
    }
}
