namespace SeekSharp.Models;

/// <summary>
/// A request that a model cannot serve: a token id outside its vocabulary, a sequence longer than its context, a cache
/// of another model. The message is one line for people and holds the numbers.
/// </summary>
public sealed class ModelException : Exception
{
    /// <summary>Creates the exception with its one-line message.</summary>
    public ModelException(string message) : base(message) { }
}
