namespace SeekSharp.Tokenization;

/// <summary>What a piece of a model's output is.</summary>
public enum RoutedKind
{
    /// <summary>Text that the model thought, from between its thinking tags.</summary>
    Reasoning,

    /// <summary>Text of the answer.</summary>
    Content,

    /// <summary>A complete tool call.</summary>
    ToolCall,
}

/// <summary>One complete and well-formed tool call. It has no id: whoever sends it on gives it one.</summary>
/// <param name="Name">The function's name, never empty.</param>
/// <param name="Arguments">The arguments as the model wrote them: the text of one JSON object.</param>
public sealed record RoutedToolCall(string Name, string Arguments);

/// <summary>One piece of a model's output, in the order of the text.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">The next part of the reasoning or of the content; <c>""</c> for a tool call. It never begins or ends inside a surrogate pair that the input held.</param>
/// <param name="ToolCall">The call, where <paramref name="Kind"/> is <see cref="RoutedKind.ToolCall"/>.</param>
public readonly record struct RoutedPiece(RoutedKind Kind, string Text, RoutedToolCall? ToolCall = null);
