namespace SeekSharp.Kernels;

/// <summary>
/// The layout of a block of 64 tokens in a KV cache, and writing to it. T tokens (64), H heads, D numbers of a head.
/// Keys lie with the tokens side by side, so that a vector holds one number of 16 keys: [H][D][64] in F32, [H][D/2][64][2]
/// in BF16, [H][D/4][64][4] and then scales [H][D/32][64] in Q8_0. Values and latents lie with a token's numbers side by
/// side: [H][64][D], in Q8_0 followed by scales [H][64][D/32]. Divisions round up.
/// </summary>
internal static unsafe class KvBlock
{
    /// <summary>Tokens in a block.</summary>
    public const int Tokens = 64;

    /// <summary>Bytes of a block of keys.</summary>
    public static long KeyBytes(KvFormat format, int heads, int dim) => (long)heads * KeyHeadBytes(format, dim);

    /// <summary>Bytes of a block of values, or of latents (one head).</summary>
    public static long ValueBytes(KvFormat format, int heads, int dim) => (long)heads * ValueHeadBytes(format, dim);

    /// <summary>Writes one token's keys [H, D], <paramref name="stride"/> floats from a head to the next.</summary>
    public static void WriteKeys(KvFormat format, byte* block, int slot, int heads, int dim, float* keys, int stride)
    {
        long headBytes = KeyHeadBytes(format, dim);
        for (int h = 0; h < heads; h++) WriteKey(format, block + h * headBytes, slot, dim, keys + (long)h * stride);
    }

    /// <summary>Writes one token's values [H, D], <paramref name="stride"/> floats from a head to the next; a latent is one head.</summary>
    public static void WriteValues(KvFormat format, byte* block, int slot, int heads, int dim, float* values, int stride)
    {
        long headBytes = ValueHeadBytes(format, dim);
        for (int h = 0; h < heads; h++) WriteValue(format, block + h * headBytes, slot, dim, values + (long)h * stride);
    }

    /// <summary>One number of a key, as it is stored.</summary>
    public static float ReadKey(KvFormat format, byte* block, int head, int dim, int slot, int d)
    {
        byte* p = block + head * KeyHeadBytes(format, dim);
        return format switch
        {
            KvFormat.F32 => ((float*)p)[d * Tokens + slot],
            KvFormat.BF16 => FloatFormats.FromBF16(((ushort*)p)[(d / 2 * Tokens + slot) * 2 + d % 2]),
            _ => ((sbyte*)p)[(d / 4 * Tokens + slot) * 4 + d % 4] * FloatFormats.FromF16(((ushort*)(p + KeyCodeBytes(dim)))[d / 32 * Tokens + slot]),
        };
    }

    /// <summary>One number of a value or latent, as it is stored.</summary>
    public static float ReadValue(KvFormat format, byte* block, int head, int dim, int slot, int d)
    {
        byte* p = block + head * ValueHeadBytes(format, dim);
        return format switch
        {
            KvFormat.F32 => ((float*)p)[slot * dim + d],
            KvFormat.BF16 => FloatFormats.FromBF16(((ushort*)p)[slot * dim + d]),
            _ => ((sbyte*)p)[slot * dim + d] * FloatFormats.FromF16(((ushort*)(p + ValueCodeBytes(dim)))[slot * Blocks(dim) + d / 32]),
        };
    }

    internal static long KeyHeadBytes(KvFormat format, int dim) => format switch
    {
        KvFormat.F32 => (long)Tokens * dim * 4,
        KvFormat.BF16 => (long)Tokens * ((dim + 1) & ~1) * 2,
        _ => KeyCodeBytes(dim) + (long)Blocks(dim) * Tokens * 2,
    };

    internal static long ValueHeadBytes(KvFormat format, int dim) => format switch
    {
        KvFormat.F32 => (long)Tokens * dim * 4,
        KvFormat.BF16 => (long)Tokens * dim * 2,
        _ => ValueCodeBytes(dim) + (long)Blocks(dim) * Tokens * 2,
    };

    internal static int Blocks(int dim) => (dim + 31) / 32;

    internal static long KeyCodeBytes(int dim) => (long)Tokens * ((dim + 3) & ~3);

    internal static long ValueCodeBytes(int dim) => (long)Tokens * dim;

    private static void WriteKey(KvFormat format, byte* head, int slot, int dim, float* key)
    {
        switch (format)
        {
            case KvFormat.F32:
                for (int d = 0; d < dim; d++) ((float*)head)[d * Tokens + slot] = key[d];
                break;
            case KvFormat.BF16:
                ushort* rounded = stackalloc ushort[dim + 1];
                FloatFormats.ToBF16(key, rounded, dim);
                rounded[dim] = 0; // an odd last number's partner
                for (int pair = 0; pair < (dim + 1) / 2; pair++) ((uint*)head)[pair * Tokens + slot] = ((uint*)rounded)[pair];
                break;
            default:
                ushort* scales = (ushort*)(head + KeyCodeBytes(dim));
                for (int b = 0; b < Blocks(dim); b++)
                {
                    int end = Math.Min(dim, 32 * b + 32);
                    float inverse = Scale(key + 32 * b, end - 32 * b, out scales[b * Tokens + slot]);
                    for (int d = 32 * b; d < end; d++) ((sbyte*)head)[(d / 4 * Tokens + slot) * 4 + d % 4] = Code(key[d] * inverse);
                }
                break;
        }
    }

    private static void WriteValue(KvFormat format, byte* head, int slot, int dim, float* value)
    {
        switch (format)
        {
            case KvFormat.F32:
                Buffer.MemoryCopy(value, (float*)head + (long)slot * dim, dim * 4L, dim * 4L);
                break;
            case KvFormat.BF16:
                FloatFormats.ToBF16(value, (ushort*)head + (long)slot * dim, dim);
                break;
            default:
                ushort* scales = (ushort*)(head + ValueCodeBytes(dim)) + slot * Blocks(dim);
                for (int b = 0; b < Blocks(dim); b++)
                {
                    int end = Math.Min(dim, 32 * b + 32);
                    float inverse = Scale(value + 32 * b, end - 32 * b, out scales[b]);
                    for (int d = 32 * b; d < end; d++) ((sbyte*)head)[slot * dim + d] = Code(value[d] * inverse);
                }
                break;
        }
    }

    // The scale is rounded to binary16 first and the codes are made for what is stored. 65504 · 127 bounds what fits.
    private static float Scale(float* x, int count, out ushort stored)
    {
        float max = 0;
        for (int i = 0; i < count; i++) max = MathF.Max(max, MathF.Abs(x[i])); // NaN stays
        stored = FloatFormats.ToF16(max / 127);
        float scale = FloatFormats.FromF16(stored);
        return scale == 0 ? 0 : 1 / scale;
    }

    private static sbyte Code(float x) => (sbyte)Math.Clamp((int)MathF.Round(x), -127, 127);
}
