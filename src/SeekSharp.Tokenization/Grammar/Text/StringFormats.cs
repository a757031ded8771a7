namespace SeekSharp.Tokenization;

/// <summary>
/// The <c>format</c>s of JSON Schema (2020-12 Validation, section 7.3) as patterns over the whole string. Where a specification leaves room (comments in mail addresses, leap seconds) the
/// pattern keeps to what every validator accepts.
/// </summary>
internal static class StringFormats
{
    private const string Date = @"(?:\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))"
        + @"|(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)-02-29)";

    private const string Time = @"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)";
    private const string Label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?";
    private const string Octet = @"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)";
    private const string IPv4 = Octet + @"(?:\." + Octet + "){3}";
    private const string Group = "[0-9a-fA-F]{1,4}";
    private const string Tail = "(?:" + Group + ":" + Group + "|" + IPv4 + ")"; // the last 32 bits (RFC 3986, ls32)

    private const string IPv6 = "(?:(?:" + Group + ":){6}" + Tail
        + "|::(?:" + Group + ":){5}" + Tail
        + "|(?:" + Group + ")?::(?:" + Group + ":){4}" + Tail
        + "|(?:(?:" + Group + ":){0,1}" + Group + ")?::(?:" + Group + ":){3}" + Tail
        + "|(?:(?:" + Group + ":){0,2}" + Group + ")?::(?:" + Group + ":){2}" + Tail
        + "|(?:(?:" + Group + ":){0,3}" + Group + ")?::" + Group + ":" + Tail
        + "|(?:(?:" + Group + ":){0,4}" + Group + ")?::" + Tail
        + "|(?:(?:" + Group + ":){0,5}" + Group + ")?::" + Group
        + "|(?:(?:" + Group + ":){0,6}" + Group + ")?::)";

    private const string Atom = "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+";

    private static readonly Dictionary<string, string> Patterns = new()
    {
        ["date"] = Date,
        ["time"] = Time,
        ["date-time"] = Date + "T" + Time,
        // RFC 3339, appendix A.
        ["duration"] = @"P(?:\d+W|(?:\d+D|\d+M(?:\d+D)?|\d+Y(?:\d+M(?:\d+D)?)?)(?:T(?:\d+S|\d+M(?:\d+S)?|\d+H(?:\d+M(?:\d+S)?)?))?|T(?:\d+S|\d+M(?:\d+S)?|\d+H(?:\d+M(?:\d+S)?)?))",
        ["email"] = Atom + @"(?:\." + Atom + ")*@" + Label + @"(?:\." + Label + ")*", // RFC 5321, Mailbox
        ["hostname"] = "(?=.{1,253}$)" + Label + @"(?:\." + Label + ")*",
        ["ipv4"] = IPv4,
        ["ipv6"] = IPv6,
        ["uuid"] = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
        ["uri"] = Uri(""),
        ["uri-reference"] = Reference(""),
        ["iri"] = Uri(International),
        ["iri-reference"] = Reference(International),
        ["json-pointer"] = "(?:/(?:[^~/]|~[01])*)*",
        ["relative-json-pointer"] = "(?:0|[1-9][0-9]*)(?:#|(?:/(?:[^~/]|~[01])*)*)",
    };

    // RFC 3987, ucschar, in its planes.
    private const string International = @"\u00a0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef\u{10000}-\u{1fffd}\u{20000}-\u{2fffd}\u{30000}-\u{3fffd}";

    /// <summary>Formats of the specification that have no pattern here: refused.</summary>
    public static bool IsRefused(string format) => format is "idn-email" or "idn-hostname" or "uri-template" or "regex";

    /// <summary>The pattern of a format, over the whole string; null when the specification does not know it, and so lets it pass.</summary>
    public static string? Pattern(string format) => Patterns.GetValueOrDefault(format);

    // RFC 3986, appendix A.
    private static string Character(string more, string besides) => $"(?:[a-zA-Z0-9._~!$&'()*+,;={besides}{more}-]|%[0-9a-fA-F]{{2}})";

    private static string Authority(string more) =>
        $@"(?:{Character(more, ":")}*@)?(?:\[(?:{IPv6}|v[0-9a-fA-F]+\.[a-zA-Z0-9._~!$&'()*+,;=:-]+)\]|{Character(more, "")}*)(?::[0-9]*)?";

    private static string Behind(string more) => $@"(?:\?(?:{Character(more, ":@/?")})*)?(?:#(?:{Character(more, ":@/?")})*)?";

    private static string Uri(string more)
    {
        string segment = Character(more, ":@");
        return $"[a-zA-Z][a-zA-Z0-9+.-]*:(?://{Authority(more)}(?:/{segment}*)*|/(?:{segment}+(?:/{segment}*)*)?|{segment}+(?:/{segment}*)*|){Behind(more)}";
    }

    private static string Reference(string more)
    {
        string segment = Character(more, ":@");
        string relative = $"(?://{Authority(more)}(?:/{segment}*)*|/(?:{segment}+(?:/{segment}*)*)?|{Character(more, "@")}+(?:/{segment}*)*|){Behind(more)}";
        return $"(?:{Uri(more)}|{relative})";
    }
}
