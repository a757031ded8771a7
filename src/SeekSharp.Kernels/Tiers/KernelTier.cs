namespace SeekSharp.Kernels;

/// <summary>The instruction sets that kernels are written for.</summary>
internal enum KernelTier
{
    /// <summary>128-bit vectors of any CPU, Arm too.</summary>
    Portable,
    /// <summary>AVX2 and FMA.</summary>
    Avx2,
    /// <summary>AVX-512 F, BW, DQ and VL.</summary>
    Vector512,
    /// <summary>Inner loops assembled at run time (AVX512-VNNI, AVX512-BF16).</summary>
    Assembled,
}
