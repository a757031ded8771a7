using System.Text.Json;

namespace SeekSharp.Tokenization;

/// <summary>Reads the <c>normalizer</c> of a tokenizer.json.</summary>
internal static class NormalizerJson
{
    public static Normalizer[] Read(JsonElement? e) =>
        e is JsonElement root ? [.. Fields.Flatten(root, "normalizer", "normalizers").Select(ReadOne)] : [];

    private static Normalizer ReadOne(Fields f) => f.Type switch
    {
        "Prepend" => new PrependNormalizer(f.String("prepend")),
        "Strip" => new StripNormalizer(f.Bool("strip_left"), f.Bool("strip_right")),
        "Lowercase" => new LowercaseNormalizer(),
        "StripAccents" => new StripAccentsNormalizer(),
        "ByteLevel" => new ByteLevelNormalizer(),
        _ => throw f.Unsupported("normalizer", "NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Replace, Prepend, ByteLevel, Sequence"),
    };
}
