using SeekSharp.Kernels;
using Xunit;

namespace SeekSharp.Tests.Kernels;

public sealed class KernelTableTests
{
    [Fact]
    public void The_variable_chooses_the_tier()
    {
        Assert.Equal(KernelTier.Portable, KernelTable.Choose("portable").Tier);
        Assert.Equal(KernelTier.Portable, KernelTable.Choose(" Portable ").Tier);
        Assert.Equal(KernelTable.Best, KernelTable.Choose(null).Tier);
        Assert.Equal(KernelTable.Best, KernelTable.Choose("").Tier);
        foreach (KernelTier tier in MatrixProductTests.Tiers) Assert.Equal(tier, KernelTable.Choose(tier.ToString()).Tier);
        KernelTable served = KernelTable.Choose("assembled");
        Assert.True(served.Tier == KernelTier.Assembled || KernelTable.Notice!.Contains(served.Name));
    }

    [Fact]
    public void An_unknown_tier_is_one_clear_line()
    {
        string message = Assert.Throws<KernelException>(() => KernelTable.Choose("fast")).Message;
        Assert.Equal("SEEKSHARP_KERNELS: expected portable, avx2, vector512 or assembled, found \"fast\"", message);
    }

    [Fact]
    public void A_tier_has_one_table() => Assert.Same(KernelTable.For(KernelTier.Portable), KernelTable.For(KernelTier.Portable));

    [Fact]
    public void Level_tables_in_the_kernels_are_the_codebooks()
    {
        for (int i = 0; i < 16; i++)
        {
            ulong iq4 = i < 8 ? Words.Iq4Lower : Words.Iq4Upper, mxfp4 = i < 8 ? Words.Mxfp4Lower : Words.Mxfp4Upper;
            Assert.Equal(Codebooks.Iq4[i], (sbyte)(iq4 >> 8 * (i & 7)));
            Assert.Equal(Codebooks.Mxfp4[i] + 12, (int)(byte)(mxfp4 >> 8 * (i & 7)));
        }
    }

    private static class Words
    {
        public const ulong Iq4Lower = IntegerFormats<Simd128, System.Runtime.Intrinsics.Vector128<float>, System.Runtime.Intrinsics.Vector128<int>>.Iq4Lower;
        public const ulong Iq4Upper = IntegerFormats<Simd128, System.Runtime.Intrinsics.Vector128<float>, System.Runtime.Intrinsics.Vector128<int>>.Iq4Upper;
        public const ulong Mxfp4Lower = IntegerFormats<Simd128, System.Runtime.Intrinsics.Vector128<float>, System.Runtime.Intrinsics.Vector128<int>>.Mxfp4Lower;
        public const ulong Mxfp4Upper = IntegerFormats<Simd128, System.Runtime.Intrinsics.Vector128<float>, System.Runtime.Intrinsics.Vector128<int>>.Mxfp4Upper;
    }
}
