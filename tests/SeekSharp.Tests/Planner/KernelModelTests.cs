using SeekSharp.Planner;
using Xunit;

namespace SeekSharp.Tests.Planner;

/// <summary>The kernel model beside kernel benchmarks on an H800 that were published with the kernels.</summary>
public sealed class KernelModelTests
{
    private static readonly KernelModel H800 = new(new HardwareLibrary().Find("h800"));

    // README of deepseek-ai/DeepGEMM, 2025-02-26: groups, rows of each, N, K, TFLOP/s.
    private static readonly (int Groups, int M, int N, int K, double Tflops)[] DeepGemm =
    [
        (1, 64, 2112, 7168, 206), (1, 64, 24576, 1536, 289), (1, 64, 32768, 512, 219), (1, 64, 7168, 16384, 336), (1, 64, 4096, 7168, 287), (1, 64, 7168, 2048, 295),
        (1, 128, 2112, 7168, 352), (1, 128, 24576, 1536, 535), (1, 128, 32768, 512, 358), (1, 128, 7168, 16384, 645), (1, 128, 4096, 7168, 533), (1, 128, 7168, 2048, 510),
        (1, 4096, 2112, 7168, 1058), (1, 4096, 24576, 1536, 990), (1, 4096, 32768, 512, 590), (1, 4096, 7168, 16384, 1358), (1, 4096, 4096, 7168, 1304), (1, 4096, 7168, 2048, 1025),
        (4, 8192, 4096, 7168, 1297), (4, 8192, 7168, 2048, 1099), (8, 4096, 4096, 7168, 1288), (8, 4096, 7168, 2048, 1093),
        (1, 1024, 4096, 7168, 1233), (1, 1024, 7168, 2048, 925), (2, 512, 4096, 7168, 1040), (2, 512, 7168, 2048, 916), (4, 256, 4096, 7168, 932), (4, 256, 7168, 2048, 815),
    ];

    [Fact]
    public void Products_take_what_DeepGEMM_measured()
    {
        double sum = 0;
        foreach ((int groups, int m, int n, int k, double tflops) in DeepGemm)
        {
            double ratio = H800.Product(m, n, k, Precision.Fp8, 2, groups) / (2.0 * groups * m * n * k / (tflops * 1e12));
            Assert.True(ratio is > 0.7 and < 1.4, $"{groups} × {m}×{n}×{k}: {ratio:0.00} of the measured time");
            sum += Math.Abs(Math.Log(ratio));
        }
        Assert.True(sum / DeepGemm.Length < 0.12, $"mean deviation {sum / DeepGemm.Length:0.000}");
    }

    [Fact]
    public void Attention_over_latents_takes_what_FlashMLA_measured()
    {
        // README of deepseek-ai/FlashMLA: 3,000 GB/s bound by memory, 580 (February 2025) to 660 (April 2025) TFLOP/s bound by arithmetic, on H800.
        const double Flops = 2 * (576 + 512);
        double scores = 128.0 * 128 * 8192;
        Assert.InRange(scores * Flops / H800.Attention(scores, Flops, 0) / 1e12, 580 * 0.9, 660 * 1.15);
        Assert.Equal(3000e9, 1e9 / H800.Attention(1, Flops, 1e9), 100e9);
    }
}
