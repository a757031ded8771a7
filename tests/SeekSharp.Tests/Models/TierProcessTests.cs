using System.Diagnostics;
using SeekSharp.Kernels;
using Xunit;

namespace SeekSharp.Tests.Models;

/// <summary>The tests that hold the contract run once more in a process of its own for every tier of the machine but the one that runs anyway.</summary>
public sealed class TierProcessTests
{
    private static readonly string[] Classes = ["Models.FormatInvarianceTests", "Models.BatchInvarianceTests", "Models.BatchedForwardTests", "Models.LlamaCppGoldenTests", "Models.TransformersGoldenTests"];

    // What lies on top of the kernels, and takes a minute: all of the engine's that run a model, and the chat's and the server's that show most of theirs. Everything passes in every tier (docs/kernels.md, Twins, tells how to run it).
    private static readonly string[] Above =
    [
        "Engine.EngineInvarianceTests", "Engine.EngineLoopTests", "Engine.LlmEngineTests", "Engine.SpeculationTests", "Engine.SharedPromptTests", "Engine.PrefixCacheTests", "Engine.DiskTierTests",
        "Engine.PublishTests", "Engine.EmbedderTests", "Engine.ThreadBudgetTests", "Chat.ChatRunTests", "Chat.ChatSessionTests", "Chat.EmbeddingTests", "Server.ChatApiTests",
    ];

    public static TheoryData<string> Others()
        => [.. Enum.GetValues<KernelTier>().Where(tier => tier != KernelTable.Best && KernelTable.IsSupported(tier)).Select(tier => tier.ToString().ToLowerInvariant())];

    [Theory]
    [MemberData(nameof(Others))]
    public Task A_tier_keeps_the_contract_and_the_goldens(string tier) => RunAsync(tier, Classes, []);

    /// <summary>Engine, chat and server have no code of their own for a tier: once, in the one that every machine has.</summary>
    [Fact]
    public Task What_lies_above_the_kernels_runs_in_the_portable_tier_too() => RunAsync("portable", Above, []);

    // Where the processor has AVX-VNNI, products of the avx2 tier are its; these are those of the processors without.
    [Fact]
    public Task Products_have_their_twins_bits_without_the_instruction_for_four_products()
    {
        Assert.SkipUnless(KernelTable.IsSupported(KernelTier.Avx2), "the machine lacks AVX2");
        return RunAsync("avx2", ["Kernels.MatrixProductTests"], new() { ["DOTNET_EnableAVXVNNI"] = "0" });
    }

    private static async Task RunAsync(string tier, string[] classes, Dictionary<string, string> environment)
    {
        Assert.SkipWhen(Environment.GetEnvironmentVariable(KernelTable.Variable) is not null, "runs in such a process already");
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) is "dotnet" or "testhost") start.FileName = "dotnet";
        if (start.FileName == "dotnet") start.ArgumentList.Add(typeof(TierProcessTests).Assembly.Location);
        start.ArgumentList.Add("-noLogo");
        foreach (string test in classes)
        {
            start.ArgumentList.Add("-class");
            start.ArgumentList.Add("SeekSharp.Tests." + test);
        }
        start.Environment[KernelTable.Variable] = tier;
        foreach ((string name, string value) in environment) start.Environment[name] = value;
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, $"{tier}: {output[^Math.Min(output.Length, 4000)..]}{await errors}");
        Assert.Matches(@"Total: [1-9]\d\d?,? ", output); // it ran some
    }
}
