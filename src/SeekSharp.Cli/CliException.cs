namespace SeekSharp.Cli;

/// <summary>What a verb has to tell the user in one line; the program then ends with <see cref="ExitCode"/>.</summary>
internal sealed class CliException(string message, int exitCode = 1) : Exception(message)
{
    /// <summary>1: it could not be done. 2: it was asked for in the wrong way.</summary>
    public int ExitCode { get; } = exitCode;

    /// <summary>Wrong usage that only a verb can see (options that exclude each other, a value out of range).</summary>
    public static CliException Usage(string message) => new(message, 2);
}
