using System.Text;

namespace SeekSharp.Cli;

/// <summary>Standard input as text.</summary>
internal static class StandardInput
{
    private const int MostBytes = 256 << 20;

    /// <summary>All of it, as UTF-8 whatever the terminal's language.</summary>
    public static string ReadText()
    {
        using Stream input = Console.OpenStandardInput();
        using var all = new MemoryStream();
        var buffer = new byte[1 << 16];
        for (int read; (read = input.Read(buffer)) > 0;)
        {
            if (all.Length + read > MostBytes) throw new CliException($"standard input holds more than {MostBytes} bytes");
            all.Write(buffer, 0, read);
        }
        return Encoding.UTF8.GetString(all.GetBuffer(), 0, (int)all.Length).TrimStart('\uFEFF');
    }
}
