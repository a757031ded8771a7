using System.Globalization;

namespace SeekSharp.Checkpoints;

/// <summary>The keys of one architecture (<c>llama.…</c>) in GGUF metadata, read by kind and range.</summary>
internal sealed class GgufKeys(GgufMetadata metadata, string architecture)
{
    public string File => metadata.File;

    /// <summary>The full name of a key.</summary>
    public string Name(string key) => $"{architecture}.{key}";

    public bool Has(string key) => metadata.Contains(Name(key));

    /// <summary>A whole number within the range; null where missing. A list with one value for each layer counts where all are equal.</summary>
    public int? Whole(string key, int least, int most)
    {
        string name = Name(key);
        long? n = metadata.ArrayLength(name) is null ? metadata.GetInteger(name) : EqualForAllLayers(name);
        if (n is null) return null;
        return n >= least && n <= most ? (int)n : throw Wrong(key, $"a whole number from {least} to {most}", n.Value.ToString(CultureInfo.InvariantCulture));
    }

    public int RequiredWhole(string key, int least, int most) => Whole(key, least, most) ?? throw Missing(key);

    public double? Number(string key, double least, double most)
    {
        double? n = metadata.GetNumber(Name(key));
        if (n is null || (n >= least && n <= most)) return n;
        throw Wrong(key, string.Create(CultureInfo.InvariantCulture, $"a number from {least} to {most}"), n.Value.ToString(CultureInfo.InvariantCulture));
    }

    public bool Flag(string key) => metadata.GetBool(Name(key)) ?? false;

    public string? Text(string key) => metadata.GetString(Name(key));

    public CheckpointException Missing(string key) => new($"{File}: {Name(key)} is missing");

    public CheckpointException Wrong(string key, string expected, string found) => new($"{File}: {Name(key)}: expected {expected}, found {found}");

    private long EqualForAllLayers(string name)
    {
        int[] values = metadata.GetIntegers(name)!;
        if (values.Length == 0 || values.AsSpan().ContainsAnyExcept(values[0]))
            throw new CheckpointException($"{File}: {name}: a value of its own for each layer is not supported");
        return values[0];
    }
}
