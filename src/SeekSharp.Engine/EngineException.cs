namespace SeekSharp.Engine;

/// <summary>What kind of refusal an <see cref="EngineException"/> is, for those who answer others.</summary>
internal enum EngineRefusal
{
    /// <summary>A value that the caller gave.</summary>
    Value,
    /// <summary>The prompt is longer than the context.</summary>
    TooLong,
    /// <summary>Too many wait already.</summary>
    QueueFull,
    /// <summary>The engine is closed.</summary>
    Closed,
    /// <summary>It was accepted, and failed on the way.</summary>
    Failed,
}

/// <summary>
/// What the engine was asked for cannot be done: a prompt longer than the context, an id outside the vocabulary, a sampling value out of range,
/// logits that are no numbers. The message is one line for people, with what was expected and what was found.
/// </summary>
/// <param name="message">One line.</param>
public sealed class EngineException(string message) : Exception(message)
{
    internal EngineException(EngineRefusal refusal, string message) : this(message) => Refusal = refusal;

    internal EngineRefusal Refusal { get; }
}
