namespace SeekSharp.Kernels;

/// <summary>
/// The layout of a block of 64 tokens of latent attention, and writing to it. L latent numbers, P rotated ones. F32 and BF16: [64][L + P], a token's numbers side by
/// side (<see cref="KvBlock"/>). Q8_0: signed bytes with one scale for the latent and one for the rotated key, so that both products run in integers. Bytes
/// lie with the tokens side by side, [L/4][64][4] filled up to whole 16 numbers, then [P/4][64][4]; then for each of the two parts [64] integers, −128 · the sum
/// of a token's bytes (queries are multiplied as unsigned bytes, 128 too large), and for each part [64] scales in binary32. Divisions round up.
/// </summary>
internal static unsafe class LatentBlock
{
    private const int Tokens = KvBlock.Tokens;

    /// <summary>Bytes of a block.</summary>
    public static long Bytes(KvFormat format, int latent, int rope)
        => format == KvFormat.Q8_0 ? Zeros(latent, rope) + 4L * Tokens * sizeof(float) : KvBlock.ValueBytes(format, 1, checked(latent + rope));

    /// <summary>Q8_0: where the rotated part's bytes begin.</summary>
    public static long Rope(int latent) => (long)Tokens * (latent + 15 & ~15);

    /// <summary>Q8_0: where the integers begin, the latent part's before the rotated one's; the scales follow.</summary>
    public static long Zeros(int latent, int rope) => Rope(latent) + (long)Tokens * (rope + 3 & ~3);

    /// <summary>Writes one token's [latent; rotated key].</summary>
    public static void Write(KvFormat format, byte* block, int slot, int latent, int rope, float* row)
    {
        if (format != KvFormat.Q8_0)
        {
            KvBlock.WriteValues(format, block, slot, 1, latent + rope, row, latent + rope);
            return;
        }
        var zeros = (int*)(block + Zeros(latent, rope));
        var scales = (float*)(zeros + 2 * Tokens);
        Part(row, latent, block, slot, zeros + slot, scales + slot);
        Part(row + latent, rope, block + Rope(latent), slot, zeros + Tokens + slot, scales + Tokens + slot);
    }

    /// <summary>One number, as it is stored.</summary>
    public static float Read(KvFormat format, byte* block, int latent, int rope, int slot, int d)
    {
        if (format != KvFormat.Q8_0) return KvBlock.ReadValue(format, block, 0, latent + rope, slot, d);
        return Code(block, latent, slot, d) * ((float*)(block + Zeros(latent, rope)))[(d < latent ? 2 : 3) * Tokens + slot];
    }

    /// <summary>Q8_0: one number's signed byte.</summary>
    public static int Code(byte* block, int latent, int slot, int d)
        => d < latent ? ((sbyte*)block)[(d / 4 * Tokens + slot) * 4 + d % 4] : ((sbyte*)block + Rope(latent))[((d - latent) / 4 * Tokens + slot) * 4 + (d - latent) % 4];

    /// <summary>Numbers to signed bytes: code = x / scale to nearest even, scale = max |x| / 127. Zeros where a number is ∞ or NaN, with a scale that is.</summary>
    public static float Quantize(float* x, int count, sbyte* codes)
    {
        float max = 0;
        bool finite = true;
        for (int i = 0; i < count; i++)
        {
            float a = MathF.Abs(x[i]);
            finite &= a <= float.MaxValue; // of NaN false
            max = a > max ? a : max;
        }
        float scale = max / 127, inverse = 127 / max;
        if (!finite || !(inverse <= float.MaxValue)) // all zero, or too small to divide by
        {
            new Span<sbyte>(codes, count).Clear();
            return finite ? 0 : float.NaN;
        }
        int n = 0;
        for (; n + 4 <= count; n += 4)
        {
            System.Runtime.Intrinsics.Vector128<int> whole = System.Runtime.Intrinsics.Vector128.ConvertToInt32Native(
                System.Runtime.Intrinsics.Vector128.Round(System.Runtime.Intrinsics.Vector128.Load(x + n) * inverse));
            for (int k = 0; k < 4; k++) codes[n + k] = (sbyte)whole[k];
        }
        for (; n < count; n++) codes[n] = (sbyte)MathF.Round(x[n] * inverse);
        return scale;
    }

    private static void Part(float* x, int count, byte* bytes, int slot, int* zero, float* scale)
    {
        sbyte* codes = stackalloc sbyte[count + 3];
        *scale = Quantize(x, count, codes);
        for (int i = count; i < (count + 3 & ~3); i++) codes[i] = 0;
        int sum = 0;
        for (int i = 0; i < count; i++) sum += codes[i];
        *zero = -128 * sum;
        for (int i = 0; i < (count + 3) / 4; i++) ((int*)bytes)[i * Tokens + slot] = ((int*)codes)[i];
    }
}
