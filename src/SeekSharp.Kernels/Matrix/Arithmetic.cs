namespace SeekSharp.Kernels;

/// <summary>What a matrix product computes with.</summary>
internal enum Arithmetic
{
    /// <summary>By weight format: fp32 (F32, F16), bf16 activations (BF16, FP8), int8 activations (integer formats).</summary>
    Default,
    /// <summary>The reference: dequantized weights and activations in fp32, every sum in plain order.</summary>
    Exact,
}
