using Xunit;

namespace SeekSharp.Tests.Cli;

/// <summary>Exit codes and what a newcomer sees.</summary>
public sealed class UsageTests
{
    [Fact]
    public void Without_arguments_the_help_is_shown()
    {
        SeekSharpProgram.Outcome outcome = SeekSharpProgram.Run();
        Assert.Equal(0, outcome.ExitCode);
        Assert.Contains("info", outcome.Output);
        Assert.Equal("", outcome.Error);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("info", "--nonsense")]
    [InlineData("info", "too", "many")]
    public void Wrong_usage_is_one_line_and_exit_code_2(params string[] arguments)
    {
        SeekSharpProgram.Outcome outcome = SeekSharpProgram.Run(arguments);
        Assert.Equal(2, outcome.ExitCode);
        Assert.Equal("", outcome.Output);
        Assert.StartsWith("seeksharp: ", outcome.Error);
        Assert.Contains("--help", outcome.Error);
        Assert.Single(outcome.Error.TrimEnd('\n').Split('\n'));
    }
}
