using SeekSharp.Engine;
using Xunit;

namespace SeekSharp.Tests.Engine;

public sealed class CounterRandomTests
{
    /// <summary>Known answers of the authors' own library, Random123 (<c>tests/kat_vectors</c>, philox4x32 10).</summary>
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0u, 0u, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void Philox_gives_the_published_answers(uint c0, uint c1, uint c2, uint c3, uint k0, uint k1, uint a, uint b, uint c, uint d) =>
        Assert.Equal((a, b, c, d), CounterRandom.Philox(c0, c1, c2, c3, k0, k1));

    [Fact]
    public void Draws_are_uniform_over_positions_and_over_seeds()
    {
        foreach (bool overSeeds in new[] { false, true })
        {
            var counts = new int[16];
            for (int i = 0; i < 16000; i++)
            {
                double u = overSeeds ? CounterRandom.Uniform((ulong)i, 7) : CounterRandom.Uniform(7, i);
                Assert.InRange(u, 0, 1 - 1e-17);
                counts[(int)(u * 16)]++;
            }
            // χ² with 15 degrees of freedom: 37.7 is the 0.1% point. The draws are fixed, so this cannot flicker.
            Assert.InRange(counts.Sum(n => (n - 1000.0) * (n - 1000.0) / 1000.0), 2, 37.7);
        }
    }
}
