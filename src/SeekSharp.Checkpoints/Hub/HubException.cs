namespace SeekSharp.Checkpoints;

/// <summary>A model that cannot be pulled, found or removed. The message is one line for people.</summary>
internal sealed class HubException : Exception
{
    public HubException(string message) : base(message) { }

    public HubException(string message, Exception inner) : base(message, inner) { }
}
