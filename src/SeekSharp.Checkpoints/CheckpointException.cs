namespace SeekSharp.Checkpoints;

/// <summary>
/// A model file, folder or config that cannot be used. The message is one line for people: the place (file, tensor,
/// field, byte offset), what was expected and what was found.
/// </summary>
public sealed class CheckpointException : Exception
{
    /// <summary>Creates the exception with its one-line message.</summary>
    public CheckpointException(string message) : base(message.ReplaceLineEndings(" ")) { }

    /// <summary>Creates the exception with its one-line message and the error below it.</summary>
    public CheckpointException(string message, Exception inner) : base(message.ReplaceLineEndings(" "), inner) { }
}
