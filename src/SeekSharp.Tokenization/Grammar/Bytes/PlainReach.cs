namespace SeekSharp.Tokenization;

/// <summary>
/// How many characters of plain text a state takes, whatever they are. Plain are all of Unicode but the quote, the backslash, control characters and line ends: what nearly every token
/// consists of. A state that takes n of them allows all plain tokens up to n characters, with no look at them one by one (LLGuidance's slices).
/// </summary>
internal static class PlainReach
{
    /// <summary>Plain text of any length is taken.</summary>
    public const int Endless = 255;

    /// <summary>The furthest that is looked for.</summary>
    public const int Most = 16;

    private const int MostStates = 120;

    private static readonly ByteSet Ascii = ByteSet.Range(0x20, 0x7F) & ~ByteSet.Of('"') & ~ByteSet.Of('\\');

    // Lead bytes, and the ranges of their continuations (RFC 3629, section 4).
    private static readonly (ByteSet Lead, ByteSet[] Tails)[] Longer =
    [
        (ByteSet.Range(0xC2, 0xDF), [Tail(0x80, 0xBF)]),
        (ByteSet.Of(0xE0), [Tail(0xA0, 0xBF), Tail(0x80, 0xBF)]),
        (ByteSet.Range(0xE1, 0xEC) & ~ByteSet.Of(0xE2) | ByteSet.Range(0xEE, 0xEF), [Tail(0x80, 0xBF), Tail(0x80, 0xBF)]),
        (ByteSet.Of(0xE2), [Tail(0x81, 0xBF), Tail(0x80, 0xBF)]),
        (ByteSet.Of(0xE2), [Tail(0x80, 0x80), Tail(0x80, 0xBF) & ~Tail(0xA8, 0xA9)]), // not U+2028 and U+2029, which a pattern's point leaves out
        (ByteSet.Of(0xED), [Tail(0x80, 0x9F), Tail(0x80, 0xBF)]),
        (ByteSet.Of(0xF0), [Tail(0x90, 0xBF), Tail(0x80, 0xBF), Tail(0x80, 0xBF)]),
        (ByteSet.Range(0xF1, 0xF3), [Tail(0x80, 0xBF), Tail(0x80, 0xBF), Tail(0x80, 0xBF)]),
        (ByteSet.Of(0xF4), [Tail(0x80, 0x8F), Tail(0x80, 0xBF), Tail(0x80, 0xBF)]),
    ];

    private static ByteSet Tail(int first, int last) => ByteSet.Range(first, last);

    /// <summary>Whether a byte may stand in plain text at all.</summary>
    public static bool IsPlain(ReadOnlySpan<byte> utf8)
    {
        foreach (byte b in utf8)
            if (b < 128 && !Ascii.Contains(b)) return false;
        if (utf8.IndexOf("\u2028"u8) >= 0 || utf8.IndexOf("\u2029"u8) >= 0) return false;
        return System.Text.Unicode.Utf8.IsValid(utf8);
    }

    public static int Of(ByteRegex state)
    {
        if (state.Reach < 0) state.Reach = Structural(state) ? Endless : Search(state);
        return state.Reach;
    }

    /// <summary>Told by the form alone. For the search, a key that may be all but a hundred names would have hundreds of states.</summary>
    private static bool Structural(ByteRegex e) => e.Kind switch
    {
        ByteRegexKind.Concat => Structural(e.Left!), // what stands behind it is no empty set, or the whole were
        ByteRegexKind.Or => e.Items.Any(Structural),
        // An endless language without a finite one is endless still, at every state on the way.
        ByteRegexKind.And => e.Items.Count(i => i is not { Kind: ByteRegexKind.Not, Left.Finite: true }) == 1
            && e.Items.All(i => i is { Kind: ByteRegexKind.Not, Left.Finite: true } || Structural(i)),
        ByteRegexKind.Repeat => e.Max < 0 && After(e) is { } after && after.All(t => t.Kind == ByteRegexKind.Repeat && t.Max < 0 && ReferenceEquals(t.Left, e.Left)),
        _ => false,
    };

    private static int Search(ByteRegex state)
    {
        HashSet<ByteRegex> seen = [state];
        List<ByteRegex> level = [state];
        for (int reach = 0; reach < Most; reach++)
        {
            List<ByteRegex> next = [];
            foreach (ByteRegex s in level)
            {
                if (After(s) is not { } after) return reach;
                foreach (ByteRegex t in after)
                    if (seen.Add(t)) next.Add(t);
            }
            if (next.Count == 0) return Endless;
            if (seen.Count > MostStates) return reach + 1;
            level = next;
        }
        return Most;
    }

    /// <summary>The states behind one plain character; null when one of the characters is not taken.</summary>
    private static ByteRegex[]? After(ByteRegex state)
    {
        if (state.AfterPlain is { } known) return known.Length == 0 ? null : known;
        HashSet<ByteRegex> all = [];
        bool alive = Step([state], Ascii, all);
        foreach ((ByteSet lead, ByteSet[] tails) in Longer)
        {
            if (!alive) break;
            HashSet<ByteRegex> at = [];
            alive = Step([state], lead, at);
            foreach (ByteSet tail in tails)
            {
                if (!alive) break;
                HashSet<ByteRegex> further = [];
                alive = Step(at, tail, further);
                at = further;
            }
            all.UnionWith(at);
        }
        state.AfterPlain = alive ? [.. all] : [];
        return alive ? state.AfterPlain : null;
    }

    private static bool Step(IEnumerable<ByteRegex> from, ByteSet bytes, HashSet<ByteRegex> to)
    {
        foreach (ByteRegex state in from)
        {
            ByteSet left = bytes;
            foreach ((ByteSet set, ByteRegex next) in state.Live)
            {
                if ((set & bytes).IsEmpty) continue;
                left &= ~set;
                to.Add(next);
            }
            if (!left.IsEmpty) return false;
        }
        return true;
    }
}
