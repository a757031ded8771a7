namespace SeekSharp.Kernels;

/// <summary>How the numbers of a KV cache are stored.</summary>
public enum KvFormat
{
    /// <summary>IEEE 754 binary32: 4 bytes a value.</summary>
    F32,
    /// <summary>bfloat16, rounded to nearest even: 2 bytes a value.</summary>
    BF16,
    /// <summary>
    /// Signed bytes with one binary16 scale for 32 values of a head: 1.06 bytes a value. Latent attention: one scale for a token's latent and one for its
    /// rotated key, and products in integers: 1.03 bytes a value.
    /// </summary>
    Q8_0,
}
