namespace SeekSharp.Tokenization;

/// <summary>The tags around a model's thinking, <c>&lt;think&gt;</c> and <c>&lt;/think&gt;</c>.</summary>
public static class ThinkTags
{
    /// <summary>Whether a rendered prompt ends in an open <c>&lt;think&gt;</c>, white space behind it allowed: the model's output then begins inside its thinking.</summary>
    public static bool OpensThinking(ReadOnlySpan<char> prompt) => prompt.TrimEnd(Markers.WhiteSpace).EndsWith(Markers.ThinkOpen);
}
