namespace SeekSharp.Engine;

/// <summary>
/// Drafts by looking up: where the sequence's last tokens stood before, what came after them may come again (code that is edited, a text that is quoted, a list that goes on).
/// The match finder is that of LZ77 compressors: a table from each three tokens to the last place where they stood, and from each place to the one before it. Of a bounded number of places
/// the one with the longest match is taken, the latest of several. One for each sequence.
/// </summary>
internal sealed class PromptLookup
{
    /// <summary>Tokens that must agree.</summary>
    public const int ShortestMatch = 3;
    /// <summary>More than so many are not counted.</summary>
    public const int LongestMatch = 32;
    private const int MostPlaces = 32;

    private int[] _last = [];   // [2ᵏ] by hash: 1 + the last place where such three tokens end; 0 for none
    private int[] _before = []; // [capacity] by place: 1 + the place before it with the same hash
    private int _indexed;       // places below are in the table

    /// <param name="capacity">Ids that are expected; the tables grow where there are more.</param>
    public PromptLookup(int capacity = 256) => Grow(capacity);

    /// <summary>Proposes what may come after the ids.</summary>
    /// <param name="ids">The sequence: what was given before, and more.</param>
    /// <param name="draft">Is filled from the start.</param>
    /// <returns>Tokens that agree before the proposed ones: the match's length; 0 where there is none and the draft is as it was.</returns>
    public int Propose(ReadOnlySpan<int> ids, Span<int> draft)
    {
        if (ids.Length > _before.Length) Grow(2 * ids.Length);
        // The last three tokens themselves are entered only when something has come after them.
        for (int end = Math.Max(_indexed, ShortestMatch - 1); end < ids.Length - 1; end++) Enter(ids, end);
        _indexed = Math.Max(_indexed, ids.Length - 1);
        if (ids.Length <= ShortestMatch) return 0;

        int best = 0, from = 0;
        int place = _last[Hash(ids, ids.Length - 1)];
        for (int tried = 0; place > 0 && tried < MostPlaces && best < LongestMatch; tried++, place = _before[place - 1])
        {
            int matched = Match(ids, place - 1);
            if (matched > best) (best, from) = (matched, place);
        }
        if (best < ShortestMatch) return 0;
        // Where the match is near the end, what follows runs into the draft itself: a repetition goes on.
        for (int i = 0; i < draft.Length; i++) draft[i] = from + i < ids.Length ? ids[from + i] : draft[from + i - ids.Length];
        return best;
    }

    // Tokens before and at `end` that agree with the sequence's last ones.
    private static int Match(ReadOnlySpan<int> ids, int end)
    {
        int matched = 0, most = Math.Min(LongestMatch, end + 1);
        while (matched < most && ids[end - matched] == ids[ids.Length - 1 - matched]) matched++;
        return matched;
    }

    private void Enter(ReadOnlySpan<int> ids, int end)
    {
        ref int last = ref _last[Hash(ids, end)];
        _before[end] = last;
        last = end + 1;
    }

    private int Hash(ReadOnlySpan<int> ids, int end)
    {
        ulong mixed = (uint)ids[end] * 0x9E3779B97F4A7C15UL ^ (uint)ids[end - 1] * 0xC2B2AE3D27D4EB4FUL ^ (uint)ids[end - 2] * 0x165667B19E3779F9UL;
        return (int)(mixed * 0x9E3779B97F4A7C15UL >> 32) & (_last.Length - 1);
    }

    private void Grow(int capacity)
    {
        _last = new int[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(256, capacity))];
        _before = new int[capacity];
        _indexed = 0; // everything is entered again
    }
}
