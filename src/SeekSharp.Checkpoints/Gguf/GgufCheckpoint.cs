using System.Globalization;
using System.Text.RegularExpressions;

namespace SeekSharp.Checkpoints;

/// <summary>
/// A GGUF model: one file, or the shards <c>NAME-00001-of-000NN.gguf</c>, of which any may be named. All metadata is in
/// the first shard; a shard has <c>split.no</c>, <c>split.count</c> and <c>split.tensors.count</c>.
/// </summary>
internal sealed partial class GgufCheckpoint : Checkpoint
{
    private const int MostShards = 9999;

    private GgufCheckpoint(GgufMetadata metadata, uint version)
    {
        Metadata = metadata;
        Version = version;
    }

    /// <summary>The model's metadata (the first shard's).</summary>
    public GgufMetadata Metadata { get; }

    /// <summary>2 or 3.</summary>
    public uint Version { get; }

    /// <summary>Alignment of the tensors' data (the first shard's).</summary>
    public uint Alignment { get; private set; }

    /// <summary>Opens a file, or all shards of a split model from any one of them.</summary>
    /// <exception cref="CheckpointException">A file is missing or broken, or a shard does not belong here; the message says which.</exception>
    public static GgufCheckpoint Open(string path)
    {
        string[] shards = Shards(path);
        return Open([.. shards.Select(FileImage.Open)]);
    }

    /// <summary>Reads mapped files, which the checkpoint then owns: one, or all shards in order.</summary>
    public static GgufCheckpoint Open(IReadOnlyList<FileImage> images)
    {
        GgufCheckpoint? checkpoint = null;
        try
        {
            GgufFile.Contents first = GgufFile.Read(images[0]);
            checkpoint = new GgufCheckpoint(first.Metadata, first.Version) { Alignment = first.Alignment };
            foreach (FileImage image in images) checkpoint.Own(image);
            long count = Integer(first.Metadata, "split.count") ?? 1;
            if (images.Count == 1 && count > 1)
                throw new CheckpointException($"{images[0].Path}: one of {count} parts; all must lie side by side and be named …-00001-of-{count:D5}.gguf and so on");
            for (int i = 0; i < images.Count; i++)
            {
                GgufFile.Contents part = i == 0 ? first : GgufFile.Read(images[i]);
                if (images.Count > 1) CheckPart(part.Metadata, i, images.Count);
                foreach (CheckpointTensor tensor in part.Tensors) checkpoint.Add(tensor);
            }
            if (images.Count > 1 && Integer(first.Metadata, "split.tensors.count") is long all && all != checkpoint.Tensors.Count)
                throw new CheckpointException($"{images[0].Path}: split.tensors.count is {all}, the {images.Count} parts have {checkpoint.Tensors.Count} tensors");
            return checkpoint;
        }
        catch
        {
            checkpoint?.Dispose();
            foreach (FileImage image in images) image.Dispose();
            throw;
        }
    }

    /// <summary>The files of the model that <paramref name="path"/> belongs to, in order.</summary>
    public static string[] Shards(string path)
    {
        Match match = SplitName().Match(Path.GetFileName(path));
        if (!match.Success) return [path];
        int count = int.Parse(match.Groups["count"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture);
        if (count is < 1 or > MostShards) return [path];
        string folder = Path.GetDirectoryName(path) ?? "";
        var shards = new string[count];
        for (int i = 0; i < count; i++)
        {
            shards[i] = Path.Combine(folder, $"{match.Groups["name"].Value}-{i + 1:D5}-of-{count:D5}.gguf");
            if (!File.Exists(shards[i])) throw new CheckpointException($"{path}: part {i + 1} of {count} is missing ({Path.GetFileName(shards[i])})");
        }
        return shards;
    }

    private static void CheckPart(GgufMetadata part, int index, int count)
    {
        long? number = Integer(part, "split.no"), parts = Integer(part, "split.count");
        if (number != index || parts != count)
            throw new CheckpointException($"{part.File}: split.no and split.count are {Text(number)} and {Text(parts)}, expected {index} and {count}");
    }

    private static long? Integer(GgufMetadata metadata, string key) => metadata.GetInteger(key);

    private static string Text(long? n) => n?.ToString(CultureInfo.InvariantCulture) ?? "missing";

    [GeneratedRegex(@"^(?<name>.*)-(?<no>[0-9]{5})-of-(?<count>[0-9]{5})\.gguf$", RegexOptions.CultureInvariant | RegexOptions.Singleline)]
    private static partial Regex SplitName();
}
