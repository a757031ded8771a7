using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace SeekSharp.Kernels;

/// <summary>Small squares turned over in registers: what packing consists of.</summary>
internal static unsafe class Transposition
{
    /// <summary>4 × 4 words: row i from <paramref name="source"/> + i · sourceStride, column j to <paramref name="target"/> + j · targetStride (bytes).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Words4(byte* source, long sourceStride, byte* target, long targetStride)
    {
        Vector128<uint> a = Vector128.Load((uint*)source), b = Vector128.Load((uint*)(source + sourceStride));
        Vector128<uint> c = Vector128.Load((uint*)(source + 2 * sourceStride)), d = Vector128.Load((uint*)(source + 3 * sourceStride));
        Vector128<ulong> ab = Low(a, b).AsUInt64(), cd = Low(c, d).AsUInt64(), ab2 = High(a, b).AsUInt64(), cd2 = High(c, d).AsUInt64();
        Low(ab, cd).AsByte().Store(target);
        High(ab, cd).AsByte().Store(target + targetStride);
        Low(ab2, cd2).AsByte().Store(target + 2 * targetStride);
        High(ab2, cd2).AsByte().Store(target + 3 * targetStride);
    }

    /// <summary>8 × 8 halfwords, as <see cref="Words4"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Halfwords8(byte* source, long sourceStride, byte* target, long targetStride)
    {
        Vector128<ushort> a = Load(source, 0), b = Load(source, sourceStride), c = Load(source, 2 * sourceStride), d = Load(source, 3 * sourceStride);
        source += 4 * sourceStride;
        Vector128<ushort> e = Load(source, 0), f = Load(source, sourceStride), g = Load(source, 2 * sourceStride), h = Load(source, 3 * sourceStride);
        Vector128<uint> ab = Low(a, b).AsUInt32(), cd = Low(c, d).AsUInt32(), ef = Low(e, f).AsUInt32(), gh = Low(g, h).AsUInt32();
        Vector128<ulong> abcd = Low(ab, cd).AsUInt64(), efgh = Low(ef, gh).AsUInt64(), abcd2 = High(ab, cd).AsUInt64(), efgh2 = High(ef, gh).AsUInt64();
        Low(abcd, efgh).AsByte().Store(target);
        High(abcd, efgh).AsByte().Store(target + targetStride);
        Low(abcd2, efgh2).AsByte().Store(target + 2 * targetStride);
        High(abcd2, efgh2).AsByte().Store(target + 3 * targetStride);
        target += 4 * targetStride;
        (ab, cd, ef, gh) = (High(a, b).AsUInt32(), High(c, d).AsUInt32(), High(e, f).AsUInt32(), High(g, h).AsUInt32());
        (abcd, efgh, abcd2, efgh2) = (Low(ab, cd).AsUInt64(), Low(ef, gh).AsUInt64(), High(ab, cd).AsUInt64(), High(ef, gh).AsUInt64());
        Low(abcd, efgh).AsByte().Store(target);
        High(abcd, efgh).AsByte().Store(target + targetStride);
        Low(abcd2, efgh2).AsByte().Store(target + 2 * targetStride);
        High(abcd2, efgh2).AsByte().Store(target + 3 * targetStride);
    }

    private static Vector128<ushort> Load(byte* p, long offset) => Vector128.Load((ushort*)(p + offset));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ushort> Low(Vector128<ushort> a, Vector128<ushort> b) => Sse2.IsSupported ? Sse2.UnpackLow(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b)
        : Vector128.Create(a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ushort> High(Vector128<ushort> a, Vector128<ushort> b) => Sse2.IsSupported ? Sse2.UnpackHigh(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b)
        : Vector128.Create(a[4], b[4], a[5], b[5], a[6], b[6], a[7], b[7]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> Low(Vector128<uint> a, Vector128<uint> b) => Sse2.IsSupported ? Sse2.UnpackLow(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b)
        : Vector128.Create(a[0], b[0], a[1], b[1]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> High(Vector128<uint> a, Vector128<uint> b) => Sse2.IsSupported ? Sse2.UnpackHigh(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b)
        : Vector128.Create(a[2], b[2], a[3], b[3]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> Low(Vector128<ulong> a, Vector128<ulong> b) => Sse2.IsSupported ? Sse2.UnpackLow(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b)
        : Vector128.Create(a[0], b[0]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> High(Vector128<ulong> a, Vector128<ulong> b) => Sse2.IsSupported ? Sse2.UnpackHigh(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b)
        : Vector128.Create(a[1], b[1]);
}
