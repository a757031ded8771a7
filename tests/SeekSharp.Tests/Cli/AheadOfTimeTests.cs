using System.Reflection.PortableExecutable;
using Xunit;

namespace SeekSharp.Tests.Cli;

/// <summary>What a Release build compiles ahead of time (AheadOfTime.targets): a program that compiles all of itself at each start takes longer for that than for a small model.</summary>
public sealed class AheadOfTimeTests
{
    // Compiled when they are called, for this processor, and once.
    private static readonly string[] AtRunTime = ["SeekSharp.Kernels", "SeekSharp.Models", "SeekSharp.Engine"];

    [Fact]
    public void A_release_build_holds_machine_code_of_everything_but_the_hot_parts()
    {
        string configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name; // bin/Release/net10.0
        string project = Path.Combine(Repository.Root, "src", "SeekSharp.Cli"), built = Path.Combine(project, "bin", configuration, "net10.0");
        // The build asks for the compiler once, and leaves what it was told where it was not to be had.
        bool compiled = configuration == "Release" && Directory.Exists(Path.Combine(project, "obj", configuration, "net10.0", "aot"));
        if (configuration == "Release" && !compiled) Assert.NotEmpty(Directory.GetFiles(Path.Combine(project, "obj", configuration, "net10.0"), "crossgen-*.log"));
        string[] files = Directory.GetFiles(built, "*.dll");
        Assert.Contains(Path.Combine(built, "seeksharp.dll"), files);
        foreach (string file in files)
        {
            string name = Path.GetFileNameWithoutExtension(file);
            bool expected = compiled && !AtRunTime.Contains(name);
            Assert.True(HasMachineCode(file) == expected, $"{name}: machine code was {(expected ? "" : "not ")}expected");
        }
    }

    private static bool HasMachineCode(string file)
    {
        using var reader = new PEReader(File.OpenRead(file));
        return reader.PEHeaders.CorHeader is { ManagedNativeHeaderDirectory.Size: > 0 };
    }
}
