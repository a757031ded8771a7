using System.Text.Json;

namespace SeekSharp.Cli;

/// <summary>Token ids from a file: a JSON array of whole numbers.</summary>
internal static class TokenFile
{
    private const long MostBytes = 256 << 20;

    /// <exception cref="CliException">The file is no such array.</exception>
    public static int[] Read(string path)
    {
        var file = new FileInfo(path);
        if (!file.Exists) throw new CliException($"{path}: no such file");
        if (file.Length > MostBytes) throw new CliException($"{path}: {file.Length} bytes, expected at most {MostBytes}");
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            if (document.RootElement.ValueKind != JsonValueKind.Array) throw new CliException($"{path}: expected a JSON array of token ids, found {document.RootElement.ValueKind}");
            var ids = new int[document.RootElement.GetArrayLength()];
            int at = 0;
            foreach (JsonElement element in document.RootElement.EnumerateArray())
            {
                if (element.ValueKind != JsonValueKind.Number || !element.TryGetInt32(out ids[at]))
                    throw new CliException($"{path}: entry {at}: expected a token id, found {Short(element.GetRawText())}");
                at++;
            }
            return ids;
        }
        catch (JsonException e)
        {
            throw new CliException($"{path}: expected a JSON array of token ids: {e.Message}");
        }
    }

    private static string Short(string text) => text.Length <= 40 ? text : text[..40] + "…";
}
