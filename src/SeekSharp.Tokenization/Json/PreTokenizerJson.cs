using System.Text.Json;

namespace SeekSharp.Tokenization;

/// <summary>Reads the <c>pre_tokenizer</c> of a tokenizer.json.</summary>
internal static class PreTokenizerJson
{
    /// <summary>The steps, and whether the last of them, a ByteLevel, writes bytes as letters (which the model then does, word by word).</summary>
    public static (PreTokenizer[] Steps, bool MapsBytes) Read(JsonElement? e)
    {
        if (e is not JsonElement root) return ([], false);
        List<PreTokenizer> steps = [];
        foreach (Fields f in Fields.Flatten(root, "pre_tokenizer", "pretokenizers")) ReadOne(f, steps);
        bool mapsBytes = steps is [.., ByteLetters];
        if (mapsBytes) steps.RemoveAt(steps.Count - 1);
        return ([.. steps], mapsBytes);
    }

    private static void ReadOne(Fields f, List<PreTokenizer> steps)
    {
        switch (f.Type)
        {
            case "ByteLevel":
                f.Bool("trim_offsets");
                if (f.Bool("add_prefix_space")) steps.Add(new SpacePrefix());
                if (f.Bool("use_regex", otherwise: true)) steps.Add(new PatternSplit(TextPattern.ByteLevel, SplitBehavior.Isolated));
                steps.Add(new ByteLetters());
                break;
            case "Split":
                steps.Add(new PatternSplit(f.Pattern(), Behavior(f), f.Bool("invert")));
                break;
            case "Whitespace":
                steps.Add(new PatternSplit(TextPattern.Shared(@"[\p{RustWord}]+|[^\p{RustWord}\s]+"), SplitBehavior.Removed, invert: true));
                break;
            case "UnicodeScripts":
                steps.Add(new ScriptSplit());
                break;
            case "WhitespaceSplit":
                steps.Add(new CharacterSplit(UnicodeData.IsWhiteSpace, SplitBehavior.Removed));
                break;
            case "Digits":
                steps.Add(new CharacterSplit(UnicodeData.IsNumber, f.Bool("individual_digits") ? SplitBehavior.Isolated : SplitBehavior.Contiguous));
                break;
            case "Punctuation":
                steps.Add(new CharacterSplit(UnicodeData.IsPunctuation, f.Find("behavior") is null ? SplitBehavior.Isolated : Behavior(f)));
                break;
            case "CharDelimiterSplit":
                int delimiter = char.ConvertToUtf32(f.Character("delimiter"), 0);
                steps.Add(new CharacterSplit(c => c == delimiter, SplitBehavior.Removed));
                break;
            case "Metaspace":
                (string replacement, PrependScheme scheme) = Metaspace(f);
                steps.Add(new MetaspaceSplit(replacement, scheme, f.Bool("split", otherwise: true)));
                break;
            default:
                throw f.Unsupported("pre-tokenizer", "ByteLevel, Split, Whitespace, WhitespaceSplit, Digits, Punctuation, Metaspace, CharDelimiterSplit, UnicodeScripts, Sequence");
        }
    }

    /// <summary>What Metaspace says as a pre-tokenizer and as a decoder.</summary>
    public static (string Replacement, PrependScheme Scheme) Metaspace(Fields f)
    {
        PrependScheme scheme = f.StringOrNull("prepend_scheme") switch
        {
            null or "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            string other => throw new TokenizerException($"{f.Place}.prepend_scheme: \"{other}\", expected always, first or never"),
        };
        // The field's old name; true says nothing.
        if (f.Find("add_prefix_space") is not null && !f.Bool("add_prefix_space"))
        {
            if (f.Find("prepend_scheme") is not null && scheme != PrependScheme.Never)
                throw new TokenizerException($"{f.Place}: add_prefix_space does not go with prepend_scheme");
            scheme = PrependScheme.Never;
        }
        return (f.Character("replacement"), scheme);
    }

    private static SplitBehavior Behavior(Fields f) => f.String("behavior") switch
    {
        "Removed" => SplitBehavior.Removed,
        "Isolated" => SplitBehavior.Isolated,
        "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" => SplitBehavior.MergedWithNext,
        "Contiguous" => SplitBehavior.Contiguous,
        string other => throw new TokenizerException($"{f.Place}.behavior: \"{other}\", expected Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous"),
    };
}
