using System.Runtime.InteropServices;
using SeekSharp.Kernels;
using Xunit;

namespace SeekSharp.Tests.Kernels;

/// <summary>The tables in the repository are those of ../shared/data/codebooks.safetensors.</summary>
public sealed class FormatsCodebookTests
{
    [Fact]
    public void Codebooks_equal_the_shared_file()
    {
        GoldenFile shared = GoldenFile.Open(Repository.Shared("data/codebooks.safetensors"));
        AssertSame(shared, "iq2_xxs", MemoryMarshal.AsBytes<ulong>(Codebooks.Iq2Xxs));
        AssertSame(shared, "iq2_xs", MemoryMarshal.AsBytes<ulong>(Codebooks.Iq2Xs));
        AssertSame(shared, "iq2_s", MemoryMarshal.AsBytes<ulong>(Codebooks.Iq2S));
        AssertSame(shared, "iq3_xxs", MemoryMarshal.AsBytes<uint>(Codebooks.Iq3Xxs));
        AssertSame(shared, "iq3_s", MemoryMarshal.AsBytes<uint>(Codebooks.Iq3S));
        AssertSame(shared, "iq1", MemoryMarshal.AsBytes<ulong>(Codebooks.Iq1));
        AssertSame(shared, "iq4_nl", MemoryMarshal.AsBytes(Codebooks.Iq4));
        AssertSame(shared, "mxfp4", MemoryMarshal.AsBytes(Codebooks.Mxfp4));
        AssertSame(shared, "ksigns", Codebooks.Signs);
    }

    private static void AssertSame(GoldenFile shared, string name, ReadOnlySpan<byte> ours) =>
        Assert.True(shared.Bytes(name).SequenceEqual(ours), $"codebook {name} differs");
}
