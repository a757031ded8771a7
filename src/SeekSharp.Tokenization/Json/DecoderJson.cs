using System.Text.Json;

namespace SeekSharp.Tokenization;

/// <summary>Reads the <c>decoder</c> of a tokenizer.json.</summary>
internal static class DecoderJson
{
    public static DecoderStep[]? Read(JsonElement? e) =>
        e is JsonElement root ? [.. Fields.Flatten(root, "decoder", "decoders").Select(ReadOne)] : null;

    private static DecoderStep ReadOne(Fields f)
    {
        switch (f.Type)
        {
            case "ByteLevel":
                return new ByteLevelDecoder();
            case "ByteFallback":
                return new ByteFallbackDecoder();
            case "Replace":
                return new ReplaceDecoder(f.Pattern(), f.String("content"));
            case "Fuse":
                return new FuseDecoder();
            case "Metaspace":
                (string replacement, PrependScheme scheme) = PreTokenizerJson.Metaspace(f);
                return new MetaspaceDecoder(replacement, scheme);
            case "Strip":
                return new StripDecoder(f.Character("content"), f.Count("start"), f.Count("stop"));
            case "BPEDecoder":
                return new SuffixDecoder(f.String("suffix"));
            default:
                throw f.Unsupported("decoder", "ByteLevel, ByteFallback, Fuse, Metaspace, Replace, Strip, BPEDecoder, Sequence");
        }
    }
}
