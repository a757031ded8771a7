using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>
/// Products of int8 activations and a chunk of a panel. For each part of a block, the 16 or 32 inputs that share a scale: an exact integer I = Σ code · x, then in
/// fp32 acc = fma(I, weights' scale · activations' scale, acc), and where the format has minima acc = fma(min, sum of the activations, acc). Blocks in order:
/// the result of a row depends on nothing else. The rows of a tile are written out, since only locals live in registers.
/// a, b: sums of outputs row … and row + 16 …; t, u: their integers; s, v: their 16-bit (or partial) sums.
/// </summary>
internal static unsafe class IntegerTile<S, F, I, T, Src>
    where S : struct, ISimd<F, I>
    where F : struct
    where I : struct
    where T : struct, IIntegerFormat<F, I>
    where Src : struct, ITileSource<F, I>
{
    // Codes of signed formats come raised by 128 where four products are added in one instruction: then every format is unsigned.
    private static int Zero { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => T.Signed ? 128 : T.Zero; }

    // What the integers of a run start from: −zero · Σ x, as 32-bit sums or as 16-bit ones of pairs.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static I Start(byte* record, int run)
    {
        if (Zero == 0) return S.Set(0);
        I pairs = S.Set(*(int*)(record + (T.Runs == 1 ? ActivationForms.PairsOfBlock : ActivationForms.PairsOfHalf + 4 * run))), factor = S.Set((-Zero & 0xFFFF) * 0x10001);
        return S.HasDotQuads ? S.DotPairs(pairs, factor) : S.Multiply16(pairs, factor);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static I Dot(I sum, I codes, I x) => S.HasDotQuads ? S.DotQuads(sum, codes, x) : S.Add16(sum, S.DotBytes(codes, x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static I Total(I sum) => S.HasDotQuads ? sum : S.DotPairs(sum, S.Set(0x10001));

    /// <summary>Unsigned codes (all formats where <see cref="ISimd{F, I}.HasDotQuads"/>), 1 row of activations; sums are added to acc [1][32].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void OneUnsigned(byte* chunk, int blocks, byte* x0, float* acc)
    {
        for (int pair = 0; pair < 16 / S.Count; pair++)
        {
            int row = pair * S.Count;
            float* y = acc + row;
            F a0 = S.Load(y + 0), b0 = S.Load(y + 16);
            for (int block = 0; block < blocks; block++)
            {
                Src.Locate(chunk, block, out byte* record, out byte* codes, out int part);
                Src.Prefetch(chunk, block, pair);
                byte* r0 = x0 + (long)block * ActivationForms.UnsignedBytes;
                I t0 = S.Set(0), u0 = S.Set(0);
                for (int run = 0; run < T.Runs; run++)
                {
                    I s0 = Start(r0, run), v0 = s0;
                    for (int i = 0; i < 8 / T.Runs; i++)
                    {
                        int quad = run * 4 + i;
                        Src.Codes(codes, quad, pair, out I low, out I high);
                        I q0 = S.Set(*(int*)(r0 + 4 * quad));
                        s0 = Dot(s0, low, q0);
                        v0 = Dot(v0, high, q0);
                    }
                    t0 = run == 0 || T.Halves ? Total(s0) : S.Add(t0, Total(s0));
                    u0 = run == 0 || T.Halves ? Total(v0) : S.Add(u0, Total(v0));
                    if (!T.Halves && run < T.Runs - 1) continue;
                    F d = Src.Scale(record, part + run, row), e = Src.Scale(record, part + run, row + 16);
                    F f0 = S.Set(*(float*)(r0 + ActivationForms.Scale));
                    a0 = S.Fma(S.ToFloat(t0), S.Multiply(d, f0), a0);
                    b0 = S.Fma(S.ToFloat(u0), S.Multiply(e, f0), b0);
                }
                if (T.HasMin)
                {
                    F m = Src.Min(record, part, row), n = Src.Min(record, part, row + 16);
                    int meta = T.TwoMins ? ActivationForms.SumOfHalf : ActivationForms.SumOfBlock;
                    F g0 = S.Set(*(float*)(r0 + meta));
                    a0 = S.Fma(m, g0, a0);
                    b0 = S.Fma(n, g0, b0);
                    if (T.TwoMins)
                    {
                        m = Src.Min(record, part + 1, row);
                        n = Src.Min(record, part + 1, row + 16);
                        g0 = S.Set(*(float*)(r0 + meta + 4));
                        a0 = S.Fma(m, g0, a0);
                        b0 = S.Fma(n, g0, b0);
                    }
                }
            }
            S.Store(y + 0, a0);
            S.Store(y + 16, b0);
        }
    }

    /// <summary>Signed codes, 1 row of activations; sums are added to acc [1][32].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void OneSigned(byte* chunk, int blocks, byte* x0, float* acc)
    {
        for (int pair = 0; pair < 16 / S.Count; pair++)
        {
            int row = pair * S.Count;
            float* y = acc + row;
            F a0 = S.Load(y + 0), b0 = S.Load(y + 16);
            for (int block = 0; block < blocks; block++)
            {
                Src.Locate(chunk, block, out byte* record, out byte* codes, out int part);
                Src.Prefetch(chunk, block, pair);
                byte* r0 = x0 + (long)block * ActivationForms.SignedBytes;
                I t0 = S.Set(0), u0 = S.Set(0);
                for (int run = 0; run < T.Runs; run++)
                {
                    I s0 = S.Set(0), v0 = S.Set(0);
                    for (int i = 0; i < 8 / T.Runs; i++)
                    {
                        int quad = run * 4 + i;
                        Src.SignedCodes(codes, quad, pair, out I lowEven, out I lowOdd, out I highEven, out I highOdd);
                        I e0 = S.Set(*(int*)(r0 + 4 * quad)), o0 = S.Set(*(int*)(r0 + 32 + 4 * quad));
                        s0 = S.Add(s0, S.DotPairs(lowEven, e0));
                        v0 = S.Add(v0, S.DotPairs(highEven, e0));
                        s0 = S.Add(s0, S.DotPairs(lowOdd, o0));
                        v0 = S.Add(v0, S.DotPairs(highOdd, o0));
                    }
                    t0 = run == 0 || T.Halves ? s0 : S.Add(t0, s0);
                    u0 = run == 0 || T.Halves ? v0 : S.Add(u0, v0);
                    if (!T.Halves && run < T.Runs - 1) continue;
                    F d = Src.Scale(record, part + run, row), e = Src.Scale(record, part + run, row + 16);
                    F f0 = S.Set(*(float*)(r0 + 32 + ActivationForms.Scale));
                    a0 = S.Fma(S.ToFloat(t0), S.Multiply(d, f0), a0);
                    b0 = S.Fma(S.ToFloat(u0), S.Multiply(e, f0), b0);
                }
            }
            S.Store(y + 0, a0);
            S.Store(y + 16, b0);
        }
    }

    /// <summary>As <see cref="OneUnsigned"/>, 4 rows of activations; sums are added to acc [4][32].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void FourUnsigned(byte* chunk, int blocks, byte* x0, byte* x1, byte* x2, byte* x3, float* acc)
    {
        for (int pair = 0; pair < 16 / S.Count; pair++)
        {
            int row = pair * S.Count;
            float* y = acc + row;
            F a0 = S.Load(y + 0), b0 = S.Load(y + 16);
            F a1 = S.Load(y + 32), b1 = S.Load(y + 48);
            F a2 = S.Load(y + 64), b2 = S.Load(y + 80);
            F a3 = S.Load(y + 96), b3 = S.Load(y + 112);
            for (int block = 0; block < blocks; block++)
            {
                Src.Locate(chunk, block, out byte* record, out byte* codes, out int part);
                byte* r0 = x0 + (long)block * ActivationForms.UnsignedBytes;
                byte* r1 = x1 + (long)block * ActivationForms.UnsignedBytes;
                byte* r2 = x2 + (long)block * ActivationForms.UnsignedBytes;
                byte* r3 = x3 + (long)block * ActivationForms.UnsignedBytes;
                I t0 = S.Set(0), u0 = S.Set(0);
                I t1 = S.Set(0), u1 = S.Set(0);
                I t2 = S.Set(0), u2 = S.Set(0);
                I t3 = S.Set(0), u3 = S.Set(0);
                for (int run = 0; run < T.Runs; run++)
                {
                    I s0 = Start(r0, run), v0 = s0;
                    I s1 = Start(r1, run), v1 = s1;
                    I s2 = Start(r2, run), v2 = s2;
                    I s3 = Start(r3, run), v3 = s3;
                    for (int i = 0; i < 8 / T.Runs; i++)
                    {
                        int quad = run * 4 + i;
                        Src.Codes(codes, quad, pair, out I low, out I high);
                        I q0 = S.Set(*(int*)(r0 + 4 * quad));
                        s0 = Dot(s0, low, q0);
                        v0 = Dot(v0, high, q0);
                        I q1 = S.Set(*(int*)(r1 + 4 * quad));
                        s1 = Dot(s1, low, q1);
                        v1 = Dot(v1, high, q1);
                        I q2 = S.Set(*(int*)(r2 + 4 * quad));
                        s2 = Dot(s2, low, q2);
                        v2 = Dot(v2, high, q2);
                        I q3 = S.Set(*(int*)(r3 + 4 * quad));
                        s3 = Dot(s3, low, q3);
                        v3 = Dot(v3, high, q3);
                    }
                    t0 = run == 0 || T.Halves ? Total(s0) : S.Add(t0, Total(s0));
                    u0 = run == 0 || T.Halves ? Total(v0) : S.Add(u0, Total(v0));
                    t1 = run == 0 || T.Halves ? Total(s1) : S.Add(t1, Total(s1));
                    u1 = run == 0 || T.Halves ? Total(v1) : S.Add(u1, Total(v1));
                    t2 = run == 0 || T.Halves ? Total(s2) : S.Add(t2, Total(s2));
                    u2 = run == 0 || T.Halves ? Total(v2) : S.Add(u2, Total(v2));
                    t3 = run == 0 || T.Halves ? Total(s3) : S.Add(t3, Total(s3));
                    u3 = run == 0 || T.Halves ? Total(v3) : S.Add(u3, Total(v3));
                    if (!T.Halves && run < T.Runs - 1) continue;
                    F d = Src.Scale(record, part + run, row), e = Src.Scale(record, part + run, row + 16);
                    F f0 = S.Set(*(float*)(r0 + ActivationForms.Scale));
                    a0 = S.Fma(S.ToFloat(t0), S.Multiply(d, f0), a0);
                    b0 = S.Fma(S.ToFloat(u0), S.Multiply(e, f0), b0);
                    F f1 = S.Set(*(float*)(r1 + ActivationForms.Scale));
                    a1 = S.Fma(S.ToFloat(t1), S.Multiply(d, f1), a1);
                    b1 = S.Fma(S.ToFloat(u1), S.Multiply(e, f1), b1);
                    F f2 = S.Set(*(float*)(r2 + ActivationForms.Scale));
                    a2 = S.Fma(S.ToFloat(t2), S.Multiply(d, f2), a2);
                    b2 = S.Fma(S.ToFloat(u2), S.Multiply(e, f2), b2);
                    F f3 = S.Set(*(float*)(r3 + ActivationForms.Scale));
                    a3 = S.Fma(S.ToFloat(t3), S.Multiply(d, f3), a3);
                    b3 = S.Fma(S.ToFloat(u3), S.Multiply(e, f3), b3);
                }
                if (T.HasMin)
                {
                    F m = Src.Min(record, part, row), n = Src.Min(record, part, row + 16);
                    int meta = T.TwoMins ? ActivationForms.SumOfHalf : ActivationForms.SumOfBlock;
                    F g0 = S.Set(*(float*)(r0 + meta));
                    a0 = S.Fma(m, g0, a0);
                    b0 = S.Fma(n, g0, b0);
                    F g1 = S.Set(*(float*)(r1 + meta));
                    a1 = S.Fma(m, g1, a1);
                    b1 = S.Fma(n, g1, b1);
                    F g2 = S.Set(*(float*)(r2 + meta));
                    a2 = S.Fma(m, g2, a2);
                    b2 = S.Fma(n, g2, b2);
                    F g3 = S.Set(*(float*)(r3 + meta));
                    a3 = S.Fma(m, g3, a3);
                    b3 = S.Fma(n, g3, b3);
                    if (T.TwoMins)
                    {
                        m = Src.Min(record, part + 1, row);
                        n = Src.Min(record, part + 1, row + 16);
                        g0 = S.Set(*(float*)(r0 + meta + 4));
                        a0 = S.Fma(m, g0, a0);
                        b0 = S.Fma(n, g0, b0);
                        g1 = S.Set(*(float*)(r1 + meta + 4));
                        a1 = S.Fma(m, g1, a1);
                        b1 = S.Fma(n, g1, b1);
                        g2 = S.Set(*(float*)(r2 + meta + 4));
                        a2 = S.Fma(m, g2, a2);
                        b2 = S.Fma(n, g2, b2);
                        g3 = S.Set(*(float*)(r3 + meta + 4));
                        a3 = S.Fma(m, g3, a3);
                        b3 = S.Fma(n, g3, b3);
                    }
                }
            }
            S.Store(y + 0, a0);
            S.Store(y + 16, b0);
            S.Store(y + 32, a1);
            S.Store(y + 48, b1);
            S.Store(y + 64, a2);
            S.Store(y + 80, b2);
            S.Store(y + 96, a3);
            S.Store(y + 112, b3);
        }
    }

    /// <summary>Signed codes, 4 rows of activations; sums are added to acc [4][32].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void FourSigned(byte* chunk, int blocks, byte* x0, byte* x1, byte* x2, byte* x3, float* acc)
    {
        for (int pair = 0; pair < 16 / S.Count; pair++)
        {
            int row = pair * S.Count;
            float* y = acc + row;
            F a0 = S.Load(y + 0), b0 = S.Load(y + 16);
            F a1 = S.Load(y + 32), b1 = S.Load(y + 48);
            F a2 = S.Load(y + 64), b2 = S.Load(y + 80);
            F a3 = S.Load(y + 96), b3 = S.Load(y + 112);
            for (int block = 0; block < blocks; block++)
            {
                Src.Locate(chunk, block, out byte* record, out byte* codes, out int part);
                byte* r0 = x0 + (long)block * ActivationForms.SignedBytes;
                byte* r1 = x1 + (long)block * ActivationForms.SignedBytes;
                byte* r2 = x2 + (long)block * ActivationForms.SignedBytes;
                byte* r3 = x3 + (long)block * ActivationForms.SignedBytes;
                I t0 = S.Set(0), u0 = S.Set(0);
                I t1 = S.Set(0), u1 = S.Set(0);
                I t2 = S.Set(0), u2 = S.Set(0);
                I t3 = S.Set(0), u3 = S.Set(0);
                for (int run = 0; run < T.Runs; run++)
                {
                    I s0 = S.Set(0), v0 = S.Set(0);
                    I s1 = S.Set(0), v1 = S.Set(0);
                    I s2 = S.Set(0), v2 = S.Set(0);
                    I s3 = S.Set(0), v3 = S.Set(0);
                    for (int i = 0; i < 8 / T.Runs; i++)
                    {
                        int quad = run * 4 + i;
                        Src.SignedCodes(codes, quad, pair, out I lowEven, out I lowOdd, out I highEven, out I highOdd);
                        I e0 = S.Set(*(int*)(r0 + 4 * quad)), o0 = S.Set(*(int*)(r0 + 32 + 4 * quad));
                        s0 = S.Add(s0, S.DotPairs(lowEven, e0));
                        v0 = S.Add(v0, S.DotPairs(highEven, e0));
                        s0 = S.Add(s0, S.DotPairs(lowOdd, o0));
                        v0 = S.Add(v0, S.DotPairs(highOdd, o0));
                        I e1 = S.Set(*(int*)(r1 + 4 * quad)), o1 = S.Set(*(int*)(r1 + 32 + 4 * quad));
                        s1 = S.Add(s1, S.DotPairs(lowEven, e1));
                        v1 = S.Add(v1, S.DotPairs(highEven, e1));
                        s1 = S.Add(s1, S.DotPairs(lowOdd, o1));
                        v1 = S.Add(v1, S.DotPairs(highOdd, o1));
                        I e2 = S.Set(*(int*)(r2 + 4 * quad)), o2 = S.Set(*(int*)(r2 + 32 + 4 * quad));
                        s2 = S.Add(s2, S.DotPairs(lowEven, e2));
                        v2 = S.Add(v2, S.DotPairs(highEven, e2));
                        s2 = S.Add(s2, S.DotPairs(lowOdd, o2));
                        v2 = S.Add(v2, S.DotPairs(highOdd, o2));
                        I e3 = S.Set(*(int*)(r3 + 4 * quad)), o3 = S.Set(*(int*)(r3 + 32 + 4 * quad));
                        s3 = S.Add(s3, S.DotPairs(lowEven, e3));
                        v3 = S.Add(v3, S.DotPairs(highEven, e3));
                        s3 = S.Add(s3, S.DotPairs(lowOdd, o3));
                        v3 = S.Add(v3, S.DotPairs(highOdd, o3));
                    }
                    t0 = run == 0 || T.Halves ? s0 : S.Add(t0, s0);
                    u0 = run == 0 || T.Halves ? v0 : S.Add(u0, v0);
                    t1 = run == 0 || T.Halves ? s1 : S.Add(t1, s1);
                    u1 = run == 0 || T.Halves ? v1 : S.Add(u1, v1);
                    t2 = run == 0 || T.Halves ? s2 : S.Add(t2, s2);
                    u2 = run == 0 || T.Halves ? v2 : S.Add(u2, v2);
                    t3 = run == 0 || T.Halves ? s3 : S.Add(t3, s3);
                    u3 = run == 0 || T.Halves ? v3 : S.Add(u3, v3);
                    if (!T.Halves && run < T.Runs - 1) continue;
                    F d = Src.Scale(record, part + run, row), e = Src.Scale(record, part + run, row + 16);
                    F f0 = S.Set(*(float*)(r0 + 32 + ActivationForms.Scale));
                    a0 = S.Fma(S.ToFloat(t0), S.Multiply(d, f0), a0);
                    b0 = S.Fma(S.ToFloat(u0), S.Multiply(e, f0), b0);
                    F f1 = S.Set(*(float*)(r1 + 32 + ActivationForms.Scale));
                    a1 = S.Fma(S.ToFloat(t1), S.Multiply(d, f1), a1);
                    b1 = S.Fma(S.ToFloat(u1), S.Multiply(e, f1), b1);
                    F f2 = S.Set(*(float*)(r2 + 32 + ActivationForms.Scale));
                    a2 = S.Fma(S.ToFloat(t2), S.Multiply(d, f2), a2);
                    b2 = S.Fma(S.ToFloat(u2), S.Multiply(e, f2), b2);
                    F f3 = S.Set(*(float*)(r3 + 32 + ActivationForms.Scale));
                    a3 = S.Fma(S.ToFloat(t3), S.Multiply(d, f3), a3);
                    b3 = S.Fma(S.ToFloat(u3), S.Multiply(e, f3), b3);
                }
            }
            S.Store(y + 0, a0);
            S.Store(y + 16, b0);
            S.Store(y + 32, a1);
            S.Store(y + 48, b1);
            S.Store(y + 64, a2);
            S.Store(y + 80, b2);
            S.Store(y + 96, a3);
            S.Store(y + 112, b3);
        }
    }
}
