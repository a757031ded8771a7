namespace SeekSharp.Tokenization;

/// <summary>A rendered conversation.</summary>
/// <param name="Text">The prompt.</param>
/// <param name="GenerationSpans">
/// What stood inside <c>{% generation %}</c>, in order: start and end as offsets in code points (as Python counts), end exclusive.
/// </param>
public sealed record RenderedPrompt(string Text, IReadOnlyList<(int Start, int End)> GenerationSpans);
