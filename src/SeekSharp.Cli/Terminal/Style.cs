namespace SeekSharp.Cli.Terminal;

/// <summary>Escape sequences for terminals. Where a stream is none, or NO_COLOR is set (no-color.org), texts stay as they are.</summary>
internal static class Style
{
    public const string Reset = "\x1b[0m";

    private static readonly bool Allowed = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")) && Environment.GetEnvironmentVariable("TERM") != "dumb";

    public static bool OnOutput { get; } = Allowed && !Console.IsOutputRedirected;
    public static bool OnError { get; } = Allowed && !Console.IsErrorRedirected;

    public static string Dim(bool styled) => styled ? "\x1b[2m" : "";
    public static string End(bool styled) => styled ? Reset : "";
}
