using System.Text;

namespace SeekSharp.Cli;

internal static class Program
{
    private static int Main(string[] args)
    {
        Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false); // whatever the terminal's language is
        Interrupts.Install();
        return CommandLine.Run(args, Console.Error);
    }
}
