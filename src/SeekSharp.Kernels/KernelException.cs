namespace SeekSharp.Kernels;

/// <summary>The kernels were asked for something that this machine or this build cannot do; the message is one line for a user.</summary>
/// <param name="message">Place, what was expected, what was found.</param>
public sealed class KernelException(string message) : Exception(message);
