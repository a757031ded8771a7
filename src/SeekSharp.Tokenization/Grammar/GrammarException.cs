namespace SeekSharp.Tokenization;

/// <summary>
/// A grammar that cannot be compiled, or that is too costly to follow. The message is one line for people: the place (a JSON pointer into the schema, a character
/// of the expression, a line of the GBNF text), the keyword, and what is wrong with it.
/// </summary>
/// <param name="message">The message; line breaks in it become blanks.</param>
public sealed class GrammarException(string message) : Exception(message.ReplaceLineEndings(" "));
