using System.Runtime.InteropServices;
using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using SeekSharp.Models;
using Xunit;

namespace SeekSharp.Tests.Models;

/// <summary>The last product takes its activations in 16 bits where the others take 8.</summary>
public sealed unsafe class OutputHeadTests
{
    [Theory]
    [InlineData(NumberFormat.Q8_0, 1)]
    [InlineData(NumberFormat.Q4_1, 37)] // more than two slices
    public void Integer_weights_get_16_bits_of_activations(NumberFormat format, int tokens)
    {
        const int V = 70, H = 96;
        using var random = new RandomWeights(9);
        byte[] encoded = new byte[NumberFormats.ByteCount(format, V * H)];
        BlockEncoder.Encode(format, random.Vector(V * H), encoded);
        byte* memory = (byte*)NativeMemory.Alloc((nuint)encoded.Length);
        encoded.CopyTo(new Span<byte>(memory, encoded.Length));
        try
        {
            var source = new MatrixSource("head", format, V, H, (nint)memory);
            float[] input = random.Vector(tokens * H);
            float[] exact = Run(source, input, tokens, Arithmetic.Exact), sixteen = Run(source, input, tokens, Arithmetic.Default);
            using var pool = new WorkerPool(2);
            using PackedMatrix packed = PackedMatrix.Pack(format, V, H, source.Address, null, KernelTable.Current, pool);
            using var rows = new ActivationBuffer(H);
            rows.Begin(tokens);
            for (int t = 0; t < tokens; t++) input.AsSpan(t * H, H).CopyTo(new Span<float>(rows.Row(t), H));
            var eight = new float[tokens * V];
            fixed (float* y = eight) MatrixProduct.Run(packed, rows, tokens, y, V, null, Arithmetic.Default, KernelTable.Current, pool);
            Assert.InRange(Golden.Distance(exact, sixteen), 0, 3e-5);
            Assert.InRange(Golden.Distance(exact, eight), 1e-3, 2e-2);
            Golden.AssertSameBits(sixteen[^V..], Run(source, input[^H..], 1, Arithmetic.Default), "the last row alone");
        }
        finally
        {
            NativeMemory.Free(memory);
        }
    }

    private static float[] Run(MatrixSource source, float[] input, int tokens, Arithmetic arithmetic)
    {
        int v = (int)source.Rows, h = (int)source.Cols;
        using var pool = new WorkerPool(2);
        using var workspace = new Workspace(KernelTable.Current, pool, arithmetic);
        using var packer = new WeightPacker(KernelTable.Current, pool, false, 0, null);
        var head = new OutputHead(source, v, h, packer, workspace);
        head.Rows.Begin(tokens);
        for (int t = 0; t < tokens; t++) input.AsSpan(t * h, h).CopyTo(new Span<float>(head.Rows.Row(t), h));
        var logits = new float[tokens * v];
        fixed (float* y = logits) head.Run(tokens, y);
        return logits;
    }

    [Fact]
    public void The_remainder_is_what_8_bits_leave()
    {
        using var random = new RandomWeights(4);
        float[] x = random.Vector(64), left = new float[64];
        x.AsSpan(32).Clear();
        fixed (float* p = x, q = left) OutputHead.Remainder(p, q, 64);
        float step = x.Max(Math.Abs) / 127;
        Assert.All(left, l => Assert.InRange(Math.Abs(l), 0, step * 0.5001f));
        for (int i = 0; i < 64; i++)
        {
            double code = (x[i] - left[i]) / (double)step;
            Assert.Equal(Math.Round(code), code, 1e-4);
        }
        Assert.Contains(left, l => l != 0);
        Assert.All(left[32..], l => Assert.Equal(0, l));
    }
}
