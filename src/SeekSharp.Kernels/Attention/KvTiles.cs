using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>Blocks of the cache (<see cref="KvBlock"/>) to fp32, in the layouts that the tiles of <see cref="FloatTile{S, F, I, T}"/> read.</summary>
internal static unsafe class KvTiles<S, F, I>
    where S : struct, ISimd<F, I>
    where F : struct
    where I : struct
{
    /// <summary>One head's keys as [2 halves][D][32 keys].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Keys(KvFormat format, byte* head, int dim, float* result)
    {
        var scales = (ushort*)(head + KvBlock.KeyCodeBytes(dim));
        for (int j = 0; j < 64; j += S.Count)
        {
            float* y = result + (j & 32) * dim + (j & 31);
            for (int d = 0; d < dim; d++)
            {
                F key;
                if (format == KvFormat.F32)
                {
                    key = S.Load((float*)head + d * 64 + j);
                }
                else if (format == KvFormat.BF16)
                {
                    I pair = S.Load((int*)head + (d >> 1) * 64 + j);
                    key = S.AsFloat((d & 1) == 0 ? S.ShiftLeft(pair, 16) : S.And(pair, S.Set(unchecked((int)0xFFFF0000))));
                }
                else
                {
                    I code = S.ShiftRight(S.ShiftLeft(S.Load((int*)head + (d >> 2) * 64 + j), 24 - 8 * (d & 3)), 24);
                    key = S.Multiply(S.ToFloat(code), IntegerFormats<S, F, I>.Half(scales + (d >> 5) * 64 + j));
                }
                S.Store(y + d * 32, key);
            }
        }
    }

    /// <summary>The first <paramref name="tokens"/> rows of one head's values as panels [E/32][64][32], the last one filled up with zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Values(KvFormat format, byte* head, int dim, int tokens, float* result)
    {
        var scales = (ushort*)(head + KvBlock.ValueCodeBytes(dim));
        int blocks = KvBlock.Blocks(dim);
        byte* padded = stackalloc byte[32 * sizeof(float)];
        for (int b = 0; b < blocks; b++)
        {
            int width = Math.Min(32, dim - 32 * b), bytes = format == KvFormat.F32 ? 4 : format == KvFormat.BF16 ? 2 : 1;
            for (int j = 0; j < tokens; j++)
            {
                byte* source = head + ((long)j * dim + 32 * b) * bytes;
                if (width < 32)
                {
                    new Span<byte>(padded, 128).Clear();
                    Buffer.MemoryCopy(source, padded, 128, width * bytes);
                    source = padded;
                }
                float* y = result + (b * 64 + j) * 32;
                if (format == KvFormat.F32)
                {
                    for (int e = 0; e < 32; e += S.Count) S.Store(y + e, S.Load((float*)source + e));
                }
                else if (format == KvFormat.BF16)
                {
                    for (int e = 0; e < 32; e += S.Count) S.Store(y + e, S.AsFloat(S.ShiftLeft(S.LoadShorts((ushort*)source + e), 16)));
                }
                else
                {
                    F scale = S.Set(FloatFormats.FromF16(scales[j * blocks + b]));
                    for (int e = 0; e < 32; e += S.Count) S.Store(y + e, S.Multiply(S.ToFloat(S.LoadSignedBytes(source + e)), scale));
                }
            }
        }
    }
}
