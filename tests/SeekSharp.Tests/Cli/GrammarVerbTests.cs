using System.Text.Json;
using SeekSharp.Tests.Chat;
using Xunit;

namespace SeekSharp.Tests.Cli;

public sealed class GrammarVerbTests
{
    /// <summary>A letter beyond U+FFFF is one letter, however the file writes it; half of one is no text.</summary>
    [Fact]
    public void Letters_may_be_surrogate_pairs()
    {
        using var folder = new TemporaryFolder();
        string file = folder.Write("lines.jsonl", """
            {"id":1,"schema":{"enum":["😀","\ud83d\ude01","\\ud83d\\ude00"]},"tests":[{"data":"\ud83d\ude00"},{"data":"😁"},{"data":"\\ud83d\\ude00"},{"data":"\ud83d\ude02"},{"data":"\ud83d"},{"data":"\ude00\ud83d"}]}
            {"id":2,"schema":{"type":"string","pattern":"^[a😀]$"},"tests":[{"data":"\ud83d\ude00"},{"data":"a"},{"data":"b"},{"data":"\ud83d\ude00\ud83d\ude00"}]}
            {"id":3,"schema":{"type":"string","maxLength":1},"tests":[{"data":"😀"},{"data":"😀x"}]}
            {"id":4,"schema":{"type":"object","properties":{"\ud83d\ude00":{"type":"integer"}},"required":["😀"]},"tests":[{"data":{"😀":1}},{"data":{"\ud83d\ude00":"x"}},{"data":{"\ud83d":1}}]}
            {"id":5,"regex":"😀+","tests":[{"data":"\ud83d\ude00😀"},{"data":"x"}]}
            {"id":6,"schema":{"const":"\ud83d"},"tests":[{"data":"x"}]}
            """);
        SeekSharpProgram.Outcome outcome = SeekSharpProgram.Run("grammar", SmolLm2.File_, "--jsonl", file);
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        JsonElement[] lines = [.. outcome.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement)];
        Assert.Equal(["compiled", "compiled", "compiled", "compiled", "compiled", "refused"], lines.Select(l => l.GetProperty("status").GetString()!));
        string[] accepted = [.. lines[..5].Select(l => string.Concat(l.GetProperty("accepted").EnumerateArray().Select(a => a.GetBoolean() ? '+' : '-')))];
        Assert.Equal(["+++---", "++--", "+-", "+--", "+-"], accepted);
    }
}
