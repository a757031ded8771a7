namespace SeekSharp.Cli.Terminal;

/// <summary>Columns and rows of the terminal. One that nobody told its size (a serial line, <c>script</c>, some containers) says 0 × 0: then what terminals have had since the VT100.</summary>
internal static class TerminalSize
{
    public static (int Width, int Height) Now => (Console.WindowWidth is > 0 and int width ? width : 80, Console.WindowHeight is > 0 and int height ? height : 24);
}
