using System.Text.Json;

namespace SeekSharp.Checkpoints;

/// <summary>Reads <c>model.safetensors.index.json</c>: which shard holds which tensor.</summary>
internal static class SafetensorsIndex
{
    /// <summary>Largest index that is read: V3's, with 91,991 tensors, has 8.9 MB.</summary>
    private const long Largest = 256L << 20;

    /// <summary>Tensor name → shard's file name (in the index's own folder).</summary>
    /// <exception cref="CheckpointException">The index is broken, or names a file outside its folder.</exception>
    public static IReadOnlyDictionary<string, string> Read(string path)
    {
        using FileImage image = FileImage.Open(path);
        return Read(image);
    }

    /// <summary>Reads an index that lies in memory.</summary>
    public static IReadOnlyDictionary<string, string> Read(FileImage image)
    {
        if (image.Length > Largest) throw new CheckpointException($"{image.Path}: {image.Length} bytes are too many for an index (at most {Largest})");
        var map = new OrderedDictionary<string, string>(StringComparer.Ordinal);
        var shards = new HashSet<string>(StringComparer.Ordinal); // one string for each shard, not for each tensor
        var json = new Utf8JsonReader(image.Span(0, (int)image.Length), new JsonReaderOptions { MaxDepth = 16 });
        bool found = false;
        try
        {
            if (!json.Read() || json.TokenType != JsonTokenType.StartObject) throw new CheckpointException($"{image.Path}: expected a JSON object");
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
            {
                string key = json.GetString()!;
                json.Read();
                if (key != "weight_map") json.Skip();
                else if (found) throw new CheckpointException($"{image.Path}: weight_map is there twice");
                else { ReadMap(image.Path, map, shards, ref json); found = true; }
            }
            if (json.Read()) throw new CheckpointException($"{image.Path}: something follows the JSON object");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new CheckpointException($"{image.Path}: broken JSON near byte {json.BytesConsumed}", e);
        }
        if (map.Count == 0) throw new CheckpointException($"{image.Path}: expected an object weight_map with at least one tensor");
        return map;
    }

    private static void ReadMap(string path, OrderedDictionary<string, string> map, HashSet<string> shards, ref Utf8JsonReader json)
    {
        if (json.TokenType != JsonTokenType.StartObject) throw new CheckpointException($"{path}: weight_map is no object");
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            string name = json.GetString()!;
            json.Read();
            if (json.TokenType != JsonTokenType.String) throw new CheckpointException($"{path}: weight_map: {Checkpoint.Show(name)}: expected a file name");
            string file = json.GetString()!;
            if (shards.TryGetValue(file, out string? known)) file = known;
            else
            {
                CheckFileName(path, file);
                shards.Add(file);
            }
            if (!map.TryAdd(name, file)) throw new CheckpointException($"{path}: tensor {Checkpoint.Show(name)} is there twice");
        }
    }

    // A name from a file must not lead out of the model's folder.
    private static void CheckFileName(string path, string file)
    {
        bool plain = file.Length is > 0 and <= 255 && file is not ("." or "..") && file.AsSpan().IndexOfAny("/\\:\0") < 0 && !file.Any(char.IsControl);
        if (!plain) throw new CheckpointException($"{path}: weight_map names the file \"{Checkpoint.Show(file)}\"; a shard must lie in the index's own folder");
    }
}
