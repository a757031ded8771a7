using System.Buffers;
using System.Text;
using System.Text.Json;

namespace SeekSharp.Tokenization;

/// <summary>Reads the <c>model</c> of a tokenizer.json: a BPE.</summary>
internal static class BpeJson
{
    public static (TokenTable Tokens, MergeTable Merges, BpeOptions Options) Read(ReadOnlySpan<byte> json)
    {
        Dictionary<string, Range> fields = TokenizerJson.FieldsOf(json, "model");
        if (fields.TryGetValue("type", out Range type) && TokenizerJson.Element(json[type]) is var t && (t.ValueKind != JsonValueKind.String || t.GetString() != "BPE"))
            throw new TokenizerException($"model.type: {TokenizerJson.Show(t)} is not supported, only \"BPE\" is");
        if (!fields.TryGetValue("vocab", out Range vocab)) throw new TokenizerException("model: it has no vocab");
        if (!fields.TryGetValue("merges", out Range merges)) throw new TokenizerException("model: it has no merges");

        BpeOptions options = new()
        {
            UnkToken = String(json, fields, "unk_token"),
            ContinuingSubwordPrefix = String(json, fields, "continuing_subword_prefix"),
            EndOfWordSuffix = String(json, fields, "end_of_word_suffix"),
            FuseUnk = Bool(json, fields, "fuse_unk"),
            ByteFallback = Bool(json, fields, "byte_fallback"),
            IgnoreMerges = Bool(json, fields, "ignore_merges"),
        };
        // Encodings with dropout are random: it is for training, and here it is read and left out.
        if (Find(json, fields, "dropout") is JsonElement d && !(d.ValueKind == JsonValueKind.Number && d.TryGetDouble(out double p) && p is >= 0 and <= 1))
            throw new TokenizerException($"model.dropout: {TokenizerJson.Show(d)}, expected a number from 0 to 1");

        TokenTable tokens = ReadVocabulary(json[vocab]);
        return (tokens, ReadMerges(json[merges], tokens, Encoding.UTF8.GetByteCount(options.ContinuingSubwordPrefix ?? "")), options);
    }

    private static JsonElement? Find(ReadOnlySpan<byte> json, Dictionary<string, Range> fields, string name)
    {
        if (!fields.TryGetValue(name, out Range range)) return null;
        JsonElement e = TokenizerJson.Element(json[range]);
        return e.ValueKind == JsonValueKind.Null ? null : e;
    }

    private static string? String(ReadOnlySpan<byte> json, Dictionary<string, Range> fields, string name)
    {
        if (Find(json, fields, name) is not JsonElement e) return null;
        return e.ValueKind == JsonValueKind.String ? e.GetString() : throw new TokenizerException($"model.{name}: {TokenizerJson.Show(e)}, expected a string");
    }

    private static bool Bool(ReadOnlySpan<byte> json, Dictionary<string, Range> fields, string name)
    {
        if (Find(json, fields, name) is not JsonElement e) return false;
        return e.ValueKind is JsonValueKind.True or JsonValueKind.False ? e.GetBoolean() : throw new TokenizerException($"model.{name}: {TokenizerJson.Show(e)}, expected true or false");
    }

    private static TokenTable ReadVocabulary(ReadOnlySpan<byte> json)
    {
        Utf8JsonReader reader = TokenizerJson.Reader(json);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject) throw new TokenizerException("model.vocab: expected an object of tokens and ids");
        // Most lines of a vocabulary are `"token": id,`: some 20 bytes.
        TokenTable tokens = new(Math.Max(16, json.Length / 24), json.Length / 3);
        using Unescaped text = new();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            ReadOnlySpan<byte> token = text.Of(ref reader);
            reader.Read();
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetUInt32(out uint id))
                throw new TokenizerException($"model.vocab: the id of \"{Encoding.UTF8.GetString(token)}\" is {Value(ref reader)}, expected an integer from 0 to 2^32 - 1");
            if (id > int.MaxValue - 1_000_000) throw new TokenizerException($"model.vocab: the id of \"{Encoding.UTF8.GetString(token)}\" is {id}, expected one below 2^31 - 10^6");
            tokens.Set(token, (int)id);
        }
        return tokens;
    }

    private static string Value(ref Utf8JsonReader reader)
    {
        if (reader.TokenType is JsonTokenType.StartObject) return "an object";
        if (reader.TokenType is JsonTokenType.StartArray) return "an array";
        ReadOnlySpan<byte> value = reader.ValueSpan;
        return Encoding.UTF8.GetString(value[..Math.Min(value.Length, 40)]);
    }

    /// <summary>Merges are strings "left right" or pairs ["left", "right"], all of one kind.</summary>
    private static MergeTable ReadMerges(ReadOnlySpan<byte> json, TokenTable tokens, int prefixLength)
    {
        Utf8JsonReader reader = TokenizerJson.Reader(json);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray) throw new TokenizerException("model.merges: expected an array");
        List<(int Left, int Right, int New)> merges = new(json.Length / 24 + 4);
        using Unescaped first = new();
        using Unescaped second = new();
        byte[] joined = new byte[256];
        JsonTokenType kind = JsonTokenType.None;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType is not (JsonTokenType.String or JsonTokenType.StartArray)) throw Bad(merges.Count, "expected a string or a pair");
            if (kind == JsonTokenType.None) kind = reader.TokenType;
            if (reader.TokenType != kind) throw Bad(merges.Count, "strings and pairs in one list");
            ReadOnlySpan<byte> left;
            ReadOnlySpan<byte> right;
            if (kind == JsonTokenType.String)
            {
                ReadOnlySpan<byte> line = first.Of(ref reader);
                if (line.StartsWith("#version"u8)) continue;
                int space = line.IndexOf((byte)' ');
                if (space < 0 || line[(space + 1)..].Contains((byte)' ')) throw Bad(merges.Count, $"\"{Encoding.UTF8.GetString(line)}\", expected two tokens with a space between them");
                left = line[..space];
                right = line[(space + 1)..];
            }
            else
            {
                reader.Read();
                if (reader.TokenType != JsonTokenType.String) throw Bad(merges.Count, "expected a pair of strings");
                left = first.Of(ref reader);
                reader.Read();
                if (reader.TokenType != JsonTokenType.String) throw Bad(merges.Count, "expected a pair of strings");
                right = second.Of(ref reader);
                reader.Read();
                if (reader.TokenType != JsonTokenType.EndArray) throw Bad(merges.Count, "expected a pair of strings");
            }

            if (!tokens.TryGetId(left, out int leftId)) throw Unknown(merges.Count, left);
            if (!tokens.TryGetId(right, out int rightId)) throw Unknown(merges.Count, right);
            if (right.Length < prefixLength) throw Bad(merges.Count, $"\"{Encoding.UTF8.GetString(right)}\" is shorter than continuing_subword_prefix");
            int length = left.Length + right.Length - prefixLength;
            if (length > joined.Length) joined = new byte[length * 2];
            left.CopyTo(joined);
            right[prefixLength..].CopyTo(joined.AsSpan(left.Length));
            if (!tokens.TryGetId(joined.AsSpan(0, length), out int newId)) throw Unknown(merges.Count, joined.AsSpan(0, length));
            merges.Add((leftId, rightId, newId));
        }
        MergeTable table = new(merges.Count);
        for (int i = 0; i < merges.Count; i++) table.Set(merges[i].Left, merges[i].Right, i, merges[i].New);
        return table;
    }

    private static TokenizerException Bad(int index, string what) => new($"model.merges[{index}]: {what}");

    private static TokenizerException Unknown(int index, ReadOnlySpan<byte> token) =>
        new($"model.merges[{index}]: the token \"{Encoding.UTF8.GetString(token[..Math.Min(token.Length, 100)])}\" is not in the vocabulary");

    /// <summary>The UTF-8 of a JSON string, with its escapes undone.</summary>
    private sealed class Unescaped : IDisposable
    {
        private byte[] _buffer = ArrayPool<byte>.Shared.Rent(256);

        public ReadOnlySpan<byte> Of(scoped ref Utf8JsonReader reader)
        {
            if (!reader.ValueIsEscaped) return reader.ValueSpan;
            if (reader.ValueSpan.Length > _buffer.Length)
            {
                ArrayPool<byte>.Shared.Return(_buffer);
                _buffer = ArrayPool<byte>.Shared.Rent(reader.ValueSpan.Length);
            }
            return _buffer.AsSpan(0, reader.CopyString(_buffer));
        }

        public void Dispose() => ArrayPool<byte>.Shared.Return(_buffer);
    }
}
