using System.Diagnostics;
using Xunit;

namespace SeekSharp.Tests.Chat;

/// <summary>The sample that a .NET developer copies: it runs, it has five lines, and the page shows it as it is.</summary>
public sealed class SampleTests
{
    private static string Source => File.ReadAllText(Path.Combine(Repository.Root, "samples", "ChatInFiveLines", "Program.cs")).ReplaceLineEndings("\n");

    [Fact]
    public void It_has_at_most_five_lines_and_stands_in_the_documentation()
    {
        Assert.InRange(Source.Split('\n').Count(line => line.Length > 0), 1, 5);
        Assert.Contains(Source, File.ReadAllText(Path.Combine(Repository.Root, "docs", "chat.md")).ReplaceLineEndings("\n"));
    }

    [Fact]
    public void It_answers()
    {
        var start = new ProcessStartInfo(McpToolsTests.Dotnet, [Path.Combine(AppContext.BaseDirectory, "ChatInFiveLines.dll"), SmolLm2.File_, "Say one word."]) { RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        string answer = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(60_000));
        Assert.Equal(0, process.ExitCode);
        Assert.NotEmpty(answer.Trim());
    }
}
