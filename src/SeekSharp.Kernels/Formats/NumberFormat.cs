namespace SeekSharp.Kernels;

/// <summary>
/// How the numbers of a tensor are stored. Block formats carry GGML's names and layouts
/// (ggml-common.h, <c>block_*</c>); the floats are IEEE 754, bfloat16 and OCP 8-bit floats.
/// </summary>
public enum NumberFormat
{
    /// <summary>IEEE 754 binary32.</summary>
    F32,
    /// <summary>IEEE 754 binary16.</summary>
    F16,
    /// <summary>bfloat16: the upper half of a binary32.</summary>
    BF16,
    /// <summary>OCP FP8 E4M3FN (no infinities, largest 448); its scales lie in a tensor of their own.</summary>
    F8E4M3,
    /// <summary>OCP FP8 E5M2.</summary>
    F8E5M2,
    /// <summary>OCP E8M0: a power of two, 2^(code−127); used for scales.</summary>
    F8E8M0,
    /// <summary>IEEE 754 binary64.</summary>
    F64,
    /// <summary>Signed 8-bit integer.</summary>
    I8,
    /// <summary>Unsigned 8-bit integer.</summary>
    U8,
    /// <summary>Signed 16-bit integer.</summary>
    I16,
    /// <summary>Signed 32-bit integer.</summary>
    I32,
    /// <summary>Signed 64-bit integer.</summary>
    I64,
    /// <summary>4 bits, blocks of 32, scale.</summary>
    Q4_0,
    /// <summary>4 bits, blocks of 32, scale and minimum.</summary>
    Q4_1,
    /// <summary>5 bits, blocks of 32, scale.</summary>
    Q5_0,
    /// <summary>5 bits, blocks of 32, scale and minimum.</summary>
    Q5_1,
    /// <summary>8 bits, blocks of 32, scale.</summary>
    Q8_0,
    /// <summary>2 bits, blocks of 256 in 16 parts.</summary>
    Q2_K,
    /// <summary>3 bits, blocks of 256 in 16 parts.</summary>
    Q3_K,
    /// <summary>4 bits, blocks of 256 in 8 parts.</summary>
    Q4_K,
    /// <summary>5 bits, blocks of 256 in 8 parts.</summary>
    Q5_K,
    /// <summary>6 bits, blocks of 256 in 16 parts.</summary>
    Q6_K,
    /// <summary>1.56 bits, blocks of 256, codebook.</summary>
    IQ1_S,
    /// <summary>1.75 bits, blocks of 256, codebook.</summary>
    IQ1_M,
    /// <summary>2.06 bits, blocks of 256, codebook.</summary>
    IQ2_XXS,
    /// <summary>2.31 bits, blocks of 256, codebook.</summary>
    IQ2_XS,
    /// <summary>2.5 bits, blocks of 256, codebook.</summary>
    IQ2_S,
    /// <summary>3.06 bits, blocks of 256, codebook.</summary>
    IQ3_XXS,
    /// <summary>3.44 bits, blocks of 256, codebook.</summary>
    IQ3_S,
    /// <summary>4 bits, blocks of 32, non-linear levels.</summary>
    IQ4_NL,
    /// <summary>4 bits, blocks of 256, non-linear levels.</summary>
    IQ4_XS,
    /// <summary>OCP MXFP4: E2M1 in blocks of 32 with an E8M0 scale.</summary>
    MXFP4,
}
