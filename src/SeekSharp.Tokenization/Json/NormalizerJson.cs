using System.Text.Json;

namespace SeekSharp.Tokenization;

/// <summary>Reads the <c>normalizer</c> of a tokenizer.json.</summary>
internal static class NormalizerJson
{
    public static Normalizer[] Read(JsonElement? e) =>
        e is JsonElement root ? [.. Fields.Flatten(root, "normalizer", "normalizers").Select(ReadOne)] : [];

    private static Normalizer ReadOne(Fields f) => f.Type switch
    {
        "NFC" => new NormalizationForms(compatibility: false, compose: true),
        "NFD" => new NormalizationForms(compatibility: false, compose: false),
        "NFKC" => new NormalizationForms(compatibility: true, compose: true),
        "NFKD" => new NormalizationForms(compatibility: true, compose: false),
        "Replace" => new ReplaceNormalizer(f.Pattern(), f.String("content")),
        "Prepend" => new PrependNormalizer(f.String("prepend")),
        "Strip" => new StripNormalizer(f.Bool("strip_left"), f.Bool("strip_right")),
        "Lowercase" => new LowercaseNormalizer(),
        "StripAccents" => new StripAccentsNormalizer(),
        "ByteLevel" => new ByteLevelNormalizer(),
        _ => throw f.Unsupported("normalizer", "NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Replace, Prepend, ByteLevel, Sequence"),
    };
}
