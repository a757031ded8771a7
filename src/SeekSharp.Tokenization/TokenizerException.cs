namespace SeekSharp.Tokenization;

/// <summary>
/// A tokenizer that cannot be read, or a text or id that it cannot take. The message is one line for people: the place
/// (field, token, byte offset), what was expected and what was found.
/// </summary>
/// <param name="message">The one-line message.</param>
public sealed class TokenizerException(string message) : Exception(message);
