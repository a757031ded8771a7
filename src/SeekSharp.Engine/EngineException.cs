namespace SeekSharp.Engine;

/// <summary>
/// What the engine was asked for cannot be done: a prompt longer than the context, an id outside the vocabulary, a sampling value out of range,
/// logits that are no numbers. The message is one line for people, with what was expected and what was found.
/// </summary>
/// <param name="message">One line.</param>
public sealed class EngineException(string message) : Exception(message);
