namespace SeekSharp.Tokenization;

/// <summary>
/// A tokenizer that cannot be read, or a text or id that it cannot take. The message is one line for people: the place
/// (field, token, byte offset), what was expected and what was found.
/// </summary>
/// <param name="message">The message; line breaks in it (of a token's text, say) become blanks.</param>
public sealed class TokenizerException(string message) : Exception(message.ReplaceLineEndings(" "));
