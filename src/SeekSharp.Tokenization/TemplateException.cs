namespace SeekSharp.Tokenization;

/// <summary>
/// A chat template that cannot be parsed, or a rendering that fails: a syntax error, an operation Python would refuse, a call of
/// <c>raise_exception</c>, or a template that was stopped because it ran, grew or recursed without bound.
/// </summary>
/// <param name="message">What is wrong. A message given to <c>raise_exception</c> is kept as it is; others name the line.</param>
public sealed class TemplateException(string message) : Exception(message)
{
    /// <summary>The line of the template, from 1, where known.</summary>
    public int? Line { get; internal init; }

    /// <summary>True when the template itself refused, by <c>raise_exception</c>: the message is then the template's own.</summary>
    public bool RaisedByTemplate { get; internal init; }
}
