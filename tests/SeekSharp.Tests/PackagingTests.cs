using System.Diagnostics;
using Xunit;

namespace SeekSharp.Tests;

/// <summary><c>dotnet pack</c> gives the library packages and the tool, and the tool installs from a folder and runs.</summary>
public sealed class PackagingTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("seeksharp-pack-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Packages_are_made_and_the_tool_installs_from_a_folder_feed()
    {
        string feed = Path.Combine(_folder, "feed");
        string configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name; // bin/Release/net10.0
        Run("dotnet", "pack", Path.Combine(Repository.Root, "SeekSharp.slnx"), "-c", configuration, "--no-build", "-o", feed, "-v", "q");
        string[] packages = [.. Directory.GetFiles(feed, "*.nupkg").Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];
        foreach (string library in PublicApiTests.Libraries.Append("SeekSharp.Cli"))
            Assert.Contains(packages, p => p.StartsWith(library + ".0", StringComparison.Ordinal));
        Assert.DoesNotContain(packages, p => p.Contains("Tests", StringComparison.Ordinal));

        string config = Path.Combine(_folder, "nuget.config");
        File.WriteAllText(config, $"""<configuration><packageSources><clear /><add key="feed" value="{feed}" /></packageSources></configuration>""");
        string tools = Path.Combine(_folder, "tools");
        Run("dotnet", "tool", "install", "SeekSharp.Cli", "--tool-path", tools, "--configfile", config, "--prerelease");
        string program = Path.Combine(tools, OperatingSystem.IsWindows() ? "seeksharp.exe" : "seeksharp");
        string help = Run(program, "--help");
        Assert.Contains("run", help, StringComparison.Ordinal);
        string version = Run(program, "--version");
        Assert.Matches(@"^\d+\.\d+\.\d+", version.Trim());
    }

    private string Run(string file, params string[] arguments)
    {
        ProcessStartInfo start = new(file, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = _folder };
        start.Environment["NUGET_PACKAGES"] = Path.Combine(_folder, "packages"); // never a package cached by an earlier run
        start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        start.Environment.Remove("MSBUILD_EXE_PATH");
        if (arguments[0] == "pack") start.Environment.Remove("NUGET_PACKAGES");
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{file} {string.Join(' ', arguments)} exited with {process.ExitCode}:\n{output}\n{errors.Result}");
        return output;
    }
}
