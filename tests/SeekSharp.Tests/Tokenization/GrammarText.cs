using System.Text;
using SeekSharp.Tokenization;

namespace SeekSharp.Tests.Tokenization;

/// <summary>A vocabulary for grammar tests: every byte, some pieces of JSON and of words, special tokens. And texts tried against a grammar byte by byte.</summary>
internal static class GrammarText
{
    /// <summary>The id that ends a text.</summary>
    public const int End = 0;

    private static readonly string[] Pieces =
    [
        "{\"", "\":", "\": ", "\",\"", "\", \"", "\"}", "\"},", "}}", "[[", "]]", "[\"", "\"]", "],", "\":[", "\":{", "true", "false", "null", "tr", "ue", "nul", "12", "123", "00", "0.", ".5", "e+", "-1", "\n  ", "\n    ", "\r\n",
        "  ", "    ", "name", "na", "me", "value", "id", "\\u", "\\n", "\\\"", "\\\\", "ab", "abc", "hello world", " the", "é", "日本", "日", "😀", "a\"", "a\":", "x\",", ",\n", "{\n", "}\n", "null,", "true}", "1,", "1]", "\"a\"", "\"a\":1",
    ];

    public static Tokenizer Tokenizer { get; } = Make();

    public static GrammarVocabulary Vocabulary { get; } = new(Tokenizer, [End]);

    /// <summary>Whether the grammar takes a text, one byte a token.</summary>
    public static bool Takes(Grammar grammar, string text)
    {
        GrammarMatcher matcher = new TokenGrammar(grammar, Vocabulary).CreateMatcher();
        foreach (byte b in Encoding.UTF8.GetBytes(text))
            if (!matcher.Accept(IdOf(b))) return false;
        return matcher.CanEnd;
    }

    public static int IdOf(byte b) => 2 + b;

    /// <summary>A byte-level BPE vocabulary without merges: tokens can only be chosen, not found in a text, but for single bytes.</summary>
    private static Tokenizer Make()
    {
        StringBuilder vocabulary = new();
        int id = 2;
        for (int b = 0; b < 256; b++) vocabulary.Append($"{Quote([(byte)b])}: {id++}, ");
        foreach (string piece in Pieces) vocabulary.Append($"{Quote(Encoding.UTF8.GetBytes(piece))}: {id++}, ");
        // Two halves of a character, as real vocabularies have them.
        foreach (byte[] part in (byte[][])[[0xE6, 0x97], [0xA5, (byte)'"'], [(byte)'a', 0xE6]]) vocabulary.Append($"{Quote(part)}: {id++}, ");
        string json = $$"""
            {"version": "1.0", "added_tokens": [
              {"id": 0, "content": "<end>", "special": true, "normalized": false, "single_word": false, "lstrip": false, "rstrip": false},
              {"id": 1, "content": "true or so", "special": true, "normalized": false, "single_word": false, "lstrip": false, "rstrip": false}],
             "normalizer": null, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}, "post_processor": null,
             "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
             "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
               "vocab": { {{vocabulary.ToString().TrimEnd(' ', ',')}}, "<end>": 0, "true or so": 1 }, "merges": [] } }
            """;
        return SeekSharp.Tokenization.Tokenizer.FromJson(Encoding.UTF8.GetBytes(json));
    }

    /// <summary>Bytes as the letters of byte-level BPE (GPT-2's table), in JSON.</summary>
    private static string Quote(ReadOnlySpan<byte> bytes)
    {
        StringBuilder text = new("\"");
        foreach (byte b in bytes)
        {
            bool plain = b is (>= 33 and <= 126) or (>= 161 and <= 172) or (>= 174 and <= 255);
            int letter = plain ? b : 256 + Enumerable.Range(0, b).Count(i => !(i is (>= 33 and <= 126) or (>= 161 and <= 172) or (>= 174 and <= 255)));
            text.Append($"\\u{letter:x4}");
        }
        return text.Append('"').ToString();
    }
}
