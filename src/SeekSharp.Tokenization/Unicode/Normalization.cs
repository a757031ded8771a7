using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>
/// The four Unicode normalization forms (UAX #15) on our own tables: globalization is invariant, and string.Normalize needs ICU for anything but ASCII.
/// </summary>
internal sealed class NormalizationForms(bool compatibility, bool compose) : Normalizer
{
    private const int SBase = 0xAC00, LBase = 0x1100, VBase = 0x1161, TBase = 0x11A7, LCount = 19, VCount = 21, TCount = 28;

    private static readonly Lazy<Dictionary<(int, int), int>> Compositions = new(MakeCompositions);
    private readonly Lazy<CodePointSet> _changes = new(() => MakeChanges(compatibility, compose));

    public override string Apply(string text)
    {
        // Text below U+00A0, and below U+0300 for NFC, is normal in every form; so is text without a code point that may change.
        int plain = compose && !compatibility ? 0x300 : 0xA0;
        int i = text.AsSpan().IndexOfAnyExceptInRange('\0', (char)(plain - 1));
        if (i < 0) return text;
        // What may change lies in stretches: the character before (a mark may join it), then one or more that may change.
        CodePointSet changes = _changes.Value;
        StringBuilder? result = null;
        int done = 0;
        while (i < text.Length)
        {
            int length = char.IsHighSurrogate(text[i]) ? 2 : 1;
            if (text[i] < plain || !changes.Contains(length == 1 ? text[i] : char.ConvertToUtf32(text[i], text[i + 1])))
            {
                i += length;
                continue;
            }
            int start = i == 0 ? 0 : i - (char.IsLowSurrogate(text[i - 1]) ? 2 : 1);
            start = Math.Max(start, done);
            int end = i + length;
            while (end < text.Length && text[end] >= plain && changes.Contains(char.ConvertToUtf32(text, end))) end += char.IsHighSurrogate(text[end]) ? 2 : 1;
            result ??= new StringBuilder(text.Length);
            result.Append(text, done, start - done);
            Rewrite(text.AsSpan(start, end - start), result);
            if (result.Length > Limit(text.Length)) throw TooLong();
            done = i = end;
        }
        return result is null ? text : result.Append(text, done, text.Length - done).ToString();
    }

    /// <summary>Every code point that a form may change, alone or by what stands before it: those that decompose, have a combining class, or compose with one before.</summary>
    private static CodePointSet MakeChanges(bool compatibility, bool compose)
    {
        List<(int, int)> found = [];
        foreach ((int c, (DecompositionKind kind, int[] _)) in UnicodeTables.Decompositions)
        {
            if (kind == DecompositionKind.Compatibility ? compatibility : kind == DecompositionKind.OneWay || !compose) found.Add((c, c));
        }
        foreach (int c in UnicodeTables.CombiningClasses.Keys) found.Add((c, c));
        if (compose)
        {
            foreach ((int _, int second) in Compositions.Value.Keys) found.Add((second, second));
            found.Add((VBase, VBase + VCount - 1));
            found.Add((TBase + 1, TBase + TCount - 1));
        }
        else
        {
            found.Add((SBase, SBase + LCount * VCount * TCount - 1));
        }
        return CodePointSet.From(found);
    }

    private static Dictionary<(int, int), int> MakeCompositions()
    {
        Dictionary<(int, int), int> pairs = [];
        foreach ((int c, (DecompositionKind kind, int[] parts)) in UnicodeTables.Decompositions)
            if (kind == DecompositionKind.Composes && parts.Length == 2) pairs[(parts[0], parts[1])] = c;
        return pairs;
    }

    private void Rewrite(ReadOnlySpan<char> text, StringBuilder result)
    {
        List<(int CodePoint, byte Class)> run = new(text.Length);
        foreach (Rune rune in text.EnumerateRunes()) Decompose(rune.Value, run);
        // Canonical order: marks between two starters, sorted by class, equal classes as they came.
        for (int i = 0; i < run.Count;)
        {
            if (run[i].Class == 0)
            {
                i++;
                continue;
            }
            int end = i + 1;
            bool sorted = true;
            for (; end < run.Count && run[end].Class != 0; end++) sorted &= run[end - 1].Class <= run[end].Class;
            if (!sorted)
            {
                (int CodePoint, byte Class)[] marks = [.. run.GetRange(i, end - i).OrderBy(m => m.Class)];
                for (int k = 0; k < marks.Length; k++) run[i + k] = marks[k];
            }
            i = end;
        }
        if (compose) Compose(run);
        Span<char> units = stackalloc char[2];
        foreach ((int c, byte _) in run) result.Append(units[..new Rune(c).EncodeToUtf16(units)]);
    }

    private void Decompose(int c, List<(int, byte)> output)
    {
        if (c < 0xA0)
        {
            output.Add((c, 0));
        }
        else if (c - SBase is >= 0 and < LCount * VCount * TCount and int s)
        {
            output.Add((LBase + s / (VCount * TCount), 0));
            output.Add((VBase + s % (VCount * TCount) / TCount, 0));
            if (s % TCount > 0) output.Add((TBase + s % TCount, 0));
        }
        else if (UnicodeTables.Decompositions.TryGetValue(c, out (DecompositionKind Kind, int[] Parts) d) && (compatibility || d.Kind != DecompositionKind.Compatibility))
        {
            foreach (int part in d.Parts) Decompose(part, output);
        }
        else
        {
            output.Add((c, UnicodeTables.CombiningClasses.GetValueOrDefault(c)));
        }
    }

    private static void Compose(List<(int CodePoint, byte Class)> run)
    {
        int kept = 0;
        int starter = -1;   // where in what is kept
        int lastClass = -1; // of what is kept behind the starter; -1: nothing
        for (int i = 0; i < run.Count; i++)
        {
            (int c, byte cc) = run[i];
            if (starter >= 0 && (lastClass < cc) && Pair(run[starter].CodePoint, c) is >= 0 and int composed)
            {
                run[starter] = (composed, 0);
                continue;
            }
            if (cc == 0)
            {
                starter = kept;
                lastClass = -1;
            }
            else
            {
                lastClass = cc;
            }
            run[kept++] = (c, cc);
        }
        run.RemoveRange(kept, run.Count - kept);
    }

    private static int Pair(int first, int second)
    {
        if (first - LBase is >= 0 and < LCount and int l && second - VBase is >= 0 and < VCount and int v) return SBase + (l * VCount + v) * TCount;
        if (first - SBase is >= 0 and < LCount * VCount * TCount and int s && s % TCount == 0 && second - TBase is > 0 and < TCount and int t) return first + t;
        return Compositions.Value.TryGetValue((first, second), out int c) ? c : -1;
    }
}
