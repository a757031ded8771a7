using System.Runtime.CompilerServices;

namespace SeekSharp.Tokenization;

/// <summary>Kinds of <see cref="ByteRegex"/>.</summary>
internal enum ByteRegexKind : byte
{
    /// <summary>No text at all.</summary>
    None,

    /// <summary>The empty text.</summary>
    Empty,

    /// <summary>One byte of a set.</summary>
    Set,

    /// <summary>Left, then Right.</summary>
    Concat,

    /// <summary>Any of the items.</summary>
    Or,

    /// <summary>All of the items.</summary>
    And,

    /// <summary>What Left does not match.</summary>
    Not,

    /// <summary>Left, Min to Max times (Max -1: without end).</summary>
    Repeat,

    /// <summary>Decimal digits whose value divides by Modulus · 10^-Scale: see ByteRegexPool.Multiple.</summary>
    Multiple,
}

/// <summary>
/// A regular expression over bytes that is at the same time a state of its automaton: <see cref="Next"/> is Brzozowski's derivative (Derivatives of Regular
/// Expressions, J. ACM 11, 1964), computed when it is first asked for and kept. Equal expressions of one <see cref="ByteRegexPool"/> are one object. Intersection,
/// complement and counting cost nothing beforehand, and only the states that texts come to exist.
/// </summary>
internal sealed class ByteRegex
{
    private readonly ByteRegexPool _pool;
    private ByteRegex?[]? _row;
    private (ByteSet Set, ByteRegex Next)[]? _live;

    internal ByteRegex(ByteRegexPool pool, ByteRegexKind kind)
    {
        _pool = pool;
        Kind = kind;
    }

    /// <summary>Where it was made.</summary>
    public ByteRegexPool Pool => _pool;

    public int Id { get; internal set; }

    public ByteRegexKind Kind { get; }

    public ByteSet Set { get; internal init; }

    public ByteRegex? Left { get; internal init; }

    public ByteRegex? Right { get; internal init; }

    public ByteRegex[] Items { get; internal init; } = [];

    /// <summary>Of Repeat: the least number. Of Multiple: the remainder so far.</summary>
    public int Min { get; internal init; }

    /// <summary>Of Repeat: the greatest number, or -1. Of Multiple: digits behind the point so far, or -1 before it.</summary>
    public int Max { get; internal init; }

    public int Modulus { get; internal init; }

    public int Scale { get; internal init; }

    /// <summary>Matches the empty text: as a state, accepts.</summary>
    public bool Nullable { get; internal init; }

    /// <summary>Only a search can tell whether it matches anything (intersections and complements).</summary>
    public bool Doubtful { get; internal init; }

    /// <summary>Matches finitely many texts, for certain.</summary>
    public bool Finite { get; internal init; }

    /// <summary>What <see cref="ByteRegexPool.Matches"/> found: null before it was asked.</summary>
    internal bool? NonEmpty { get; set; }

    internal (ByteSet Set, ByteRegex Next)[]? Raw { get; set; }

    /// <summary>What <see cref="PlainReach"/> found, or -1.</summary>
    internal int Reach { get; set; } = -1;

    /// <summary>The states one character of plain text leads to, where all are alive; see <see cref="PlainReach"/>.</summary>
    internal ByteRegex[]? AfterPlain { get; set; }

    /// <summary>The ways on: disjoint sets of bytes and the states behind them, from which a match can still come.</summary>
    public (ByteSet Set, ByteRegex Next)[] Live => _live ?? MakeLive();

    /// <summary>A longer text may still match.</summary>
    public bool HasNext => Live.Length > 0;

    /// <summary>The state behind a byte; null when nothing that begins so can match.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ByteRegex? Next(byte b)
    {
        ByteRegex?[]? row = _row;
        return row is not null ? row[b] : Slow(b);
    }

    private ByteRegex? Slow(byte b)
    {
        (ByteSet Set, ByteRegex Next)[] live = Live;
        if (live.Length > 3)
        {
            ByteRegex?[] row = new ByteRegex?[256];
            foreach ((ByteSet set, ByteRegex next) in live)
                for (int i = 0; i < 256; i++)
                    if (set.Contains((byte)i)) row[i] = next;
            _row = row;
            return row[b];
        }
        foreach ((ByteSet set, ByteRegex next) in live)
            if (set.Contains(b)) return next;
        return null;
    }

    private (ByteSet Set, ByteRegex Next)[] MakeLive()
    {
        (ByteSet Set, ByteRegex Next)[] raw = _pool.Derive(this);
        foreach ((_, ByteRegex next) in raw)
        {
            if (_pool.Matches(next)) continue;
            raw = [.. raw.Where(t => _pool.Matches(t.Next))];
            break;
        }
        return _live = raw;
    }
}
