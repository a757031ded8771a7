using System.Globalization;

namespace SeekSharp.Tokenization;

/// <summary>The sets behind <c>\p{…}</c>, <c>[:…:]</c>, <c>\w</c>, <c>\s</c>, <c>\d</c> and <c>\h</c>, as Oniguruma defines them for Unicode.</summary>
internal static class RegexProperties
{
    private static readonly string[] CategoryNames =
    [
        "Lu:uppercaseletter", "Ll:lowercaseletter", "Lt:titlecaseletter", "Lm:modifierletter", "Lo:otherletter", "Mn:nonspacingmark", "Mc:spacingmark", "Me:enclosingmark",
        "Nd:decimalnumber", "Nl:letternumber", "No:othernumber", "Zs:spaceseparator", "Zl:lineseparator", "Zp:paragraphseparator", "Cc:control", "Cf:format", "Cs:surrogate",
        "Co:privateuse", "Pc:connectorpunctuation", "Pd:dashpunctuation", "Ps:openpunctuation", "Pe:closepunctuation", "Pi:initialpunctuation", "Pf:finalpunctuation",
        "Po:otherpunctuation", "Sm:mathsymbol", "Sc:currencysymbol", "Sk:modifiersymbol", "So:othersymbol", "Cn:unassigned",
    ];

    private static readonly Dictionary<string, string> Groups = new()
    {
        ["l"] = "Lu Ll Lt Lm Lo",
        ["letter"] = "Lu Ll Lt Lm Lo",
        ["lc"] = "Lu Ll Lt",
        ["casedletter"] = "Lu Ll Lt",
        ["m"] = "Mn Mc Me",
        ["mark"] = "Mn Mc Me",
        ["combiningmark"] = "Mn Mc Me",
        ["n"] = "Nd Nl No",
        ["number"] = "Nd Nl No",
        ["p"] = "Pc Pd Ps Pe Pi Pf Po",
        ["punctuation"] = "Pc Pd Ps Pe Pi Pf Po",
        ["s"] = "Sm Sc Sk So",
        ["symbol"] = "Sm Sc Sk So",
        ["z"] = "Zs Zl Zp",
        ["separator"] = "Zs Zl Zp",
        ["c"] = "Cc Cf Cs Co Cn",
        ["other"] = "Cc Cf Cs Co Cn",
        ["digit"] = "Nd",
        ["cntrl"] = "Cc",
        ["punct"] = "Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So",
    };

    private static readonly Dictionary<string, string> ScriptCodes = new()
    {
        ["arab"] = "arabic",
        ["armn"] = "armenian",
        ["beng"] = "bengali",
        ["bopo"] = "bopomofo",
        ["cyrl"] = "cyrillic",
        ["deva"] = "devanagari",
        ["ethi"] = "ethiopic",
        ["geor"] = "georgian",
        ["grek"] = "greek",
        ["gujr"] = "gujarati",
        ["guru"] = "gurmukhi",
        ["hang"] = "hangul",
        ["hani"] = "han",
        ["hebr"] = "hebrew",
        ["hira"] = "hiragana",
        ["kana"] = "katakana",
        ["khmr"] = "khmer",
        ["knda"] = "kannada",
        ["laoo"] = "lao",
        ["latn"] = "latin",
        ["mlym"] = "malayalam",
        ["mong"] = "mongolian",
        ["mymr"] = "myanmar",
        ["orya"] = "oriya",
        ["sinh"] = "sinhala",
        ["taml"] = "tamil",
        ["telu"] = "telugu",
        ["thai"] = "thai",
        ["tibt"] = "tibetan",
        ["zyyy"] = "common",
        ["zinh"] = "inherited",
        ["qaai"] = "inherited",
        ["yiii"] = "yi",
    };

    private static readonly Dictionary<string, CodePointSet> Known = [];

    public static readonly CodePointSet WhiteSpace = CodePointSet.Of((9, 13), (0x20, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029),
        (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000));

    public static CodePointSet Word => Find("word")!;

    /// <summary>The set of a property's name, or null. Case, spaces, hyphens and underscores in the name say nothing.</summary>
    public static CodePointSet? Find(string name)
    {
        string key = string.Concat(name.Where(c => c is not (' ' or '-' or '_'))).ToLowerInvariant();
        lock (Known)
        {
            if (Known.TryGetValue(key, out CodePointSet? set)) return set;
            set = Make(key);
            if (set is not null) Known[key] = set;
            return set;
        }
    }

    private static CodePointSet? Make(string key)
    {
        if (Groups.TryGetValue(key, out string? group)) return Categories(group);
        for (int i = 0; i < CategoryNames.Length; i++)
            if (CategoryNames[i][..2].Equals(key, StringComparison.OrdinalIgnoreCase) || CategoryNames[i][3..] == key) return UnicodeTables.Of((UnicodeCategory)i);
        CodePointSet assigned = UnicodeTables.Of(UnicodeCategory.OtherNotAssigned).Negate();
        CodePointSet graph = assigned.Intersect(WhiteSpace.Union(Categories("Cc Cs")).Negate());
        switch (key)
        {
            case "any": return CodePointSet.All;
            case "assigned": return assigned;
            case "ascii": return CodePointSet.Of((0, 127));
            case "alpha" or "alphabetic": return UnicodeTables.Alphabetic.Intersect(assigned);
            case "alnum": return UnicodeTables.Alphabetic.Intersect(assigned).Union(Categories("Nd"));
            case "lower" or "lowercase": return UnicodeTables.Lowercase.Intersect(assigned);
            case "upper" or "uppercase": return UnicodeTables.Uppercase.Intersect(assigned);
            case "space" or "whitespace": return WhiteSpace;
            case "blank": return Categories("Zs").Union(CodePointSet.Of(9));
            case "xdigit": return CodePointSet.Of(('0', '9'), ('A', 'F'), ('a', 'f'));
            case "graph": return graph;
            case "print": return graph.Union(Categories("Zs"));
            case "word": return UnicodeTables.Alphabetic.Intersect(assigned).Union(Categories("Mn Mc Me Nd Pc"));
            case "rustword": return Find("word")!.Union(CodePointSet.Of((0x200C, 0x200D))); // The Rust regex crate adds Join_Control.
        }
        return UnicodeTables.Scripts.TryGetValue(ScriptCodes.GetValueOrDefault(key, key), out CodePointSet? script) ? script.Intersect(assigned) : null;
    }

    private static CodePointSet Categories(string names) =>
        CodePointSet.From(names.Split(' ').SelectMany(n => UnicodeTables.Of((UnicodeCategory)Array.FindIndex(CategoryNames, c => c.StartsWith(n, StringComparison.Ordinal))).Ranges.ToArray()));
}
