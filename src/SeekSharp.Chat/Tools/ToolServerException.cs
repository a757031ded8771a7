namespace SeekSharp.Chat;

/// <summary>An MCP server does not start, does not answer, or breaks off. The message is one line for people.</summary>
/// <param name="message">What happened.</param>
/// <param name="inner">What it came from.</param>
public sealed class ToolServerException(string message, Exception? inner = null) : Exception(message.ReplaceLineEndings(" "), inner);
