namespace SeekSharp.Tokenization;

/// <summary>
/// Text to ids in the order of Hugging Face's library:
/// (1) added tokens with <c>normalized: false</c> are cut out of the raw text, (2) what is left is normalized, piece by piece, (3) the other added tokens are
/// cut out of that, (4) pre-tokenizers cut the rest into words, (5) BPE, (6) the post-processor puts special ids around it all.
/// </summary>
internal sealed class HuggingFaceEncoder(
    AddedTokens added, Normalizer[] normalizers, PreTokenizer[] preTokenizers, bool mapsBytes, BpeModel model, PostTemplate[] templates) : TextEncoder
{
    private readonly HashSet<int> _templateIds = [.. templates.SelectMany(t => t.AddedIds)];
    private Work? _idle;

    private sealed class Work(BpeModel model)
    {
        public readonly BpeModel.Workspace Model = model.CreateWorkspace();
        public readonly IdList Ids = new();
        public PieceList From = new();
        public PieceList To = new();
        public long Budget;
        public long PatternBudget;
        public long Growth; // how long the normalized text may still become
    }

    public override int[] LeadingIds { get; } = PostTemplate.Leading(templates);

    public override bool MayAdd(int id) => _templateIds.Contains(id);

    public override int[] Encode(string text, bool addSpecialTokens, bool parseSpecial)
    {
        text = WellFormed(text);
        Work work = Interlocked.Exchange(ref _idle, null) ?? new Work(model);
        work.Ids.Clear();
        work.Budget = TokenMatcher.Budget(text.Length);
        work.PatternBudget = TextPattern.Budget(text.Length);
        work.Growth = Normalizer.Limit(text.Length);
        // (1)
        Split(text, 0, text.Length, added.Raw, parseSpecial, work, normalized: false);
        PostTemplate.Apply(templates, work.Ids, addSpecialTokens); // (6)
        int[] result = work.Ids.ToArray();
        _idle = work;
        return result;
    }

    /// <summary>The text as the normalizers leave it, added tokens ignored.</summary>
    internal string Normalize(string text)
    {
        long budget = TextPattern.Budget(text.Length);
        return Normalizer.ApplyAll(normalizers, WellFormed(text), ref budget);
    }

    /// <summary>The pieces that the pre-tokenizers make of a normalized text, added tokens ignored.</summary>
    internal List<string> PreTokenize(string normalized)
    {
        PieceList from = new();
        PieceList to = new();
        from.Add(normalized, first: true);
        long budget = TextPattern.Budget(normalized.Length);
        PreTokenizer.CutAll(preTokenizers, ref from, ref to, ref budget);
        List<string> pieces = [];
        for (int i = 0; i < from.Count; i++) pieces.Add(mapsBytes ? ByteLevelNormalizer.Letters(from[i].Span) : from[i].Span.ToString());
        return pieces;
    }

    private void Split(string text, int start, int end, TokenMatcher? matcher, bool parseSpecial, Work work, bool normalized, bool first = true)
    {
        int done = start;
        int at = start;
        while (matcher is not null && matcher.Find(text.AsSpan(0, end), at, ref work.Budget, out int from, out int length, out int id))
        {
            at = from + length;
            added.TryGet(id, out AddedToken token);
            if (!parseSpecial && added.IsSpecial(token.Content)) continue;
            if (token.SingleWord && (EndsInWord(text, start, from) || BeginsWithWord(text, at, end))) continue;
            int to = at;
            if (token.LStrip)
                while (from > done && UnicodeData.IsWhiteSpace(text[from - 1])) from--;
            if (token.RStrip)
                while (to < end && UnicodeData.IsWhiteSpace(text[to])) to++;
            // The search goes on behind the token itself: a next one may begin in what rstrip swallowed.
            if (done < from) Rest(text, done, from, parseSpecial, work, normalized, first && done == 0);
            work.Ids.Add(id);
            done = to;
        }
        if (done < end) Rest(text, done, end, parseSpecial, work, normalized, first && done == 0);
    }

    private void Rest(string text, int start, int end, bool parseSpecial, Work work, bool normalized, bool first)
    {
        if (!normalized)
        {
            // (2), (3)
            if (normalizers.Length > 0)
            {
                text = Normalizer.ApplyAll(normalizers, text[start..end], ref work.PatternBudget);
                if ((work.Growth -= text.Length) < 0) throw Normalizer.TooLong();
                start = 0;
                end = text.Length;
            }
            if (added.Normalized is not null)
            {
                if (start > 0 || end < text.Length) text = text[start..end];
                Split(text, 0, text.Length, added.Normalized, parseSpecial, work, normalized: true, first);
                return;
            }
        }
        // (4)
        work.From.Clear();
        work.From.Add(text, start, end - start, first);
        PreTokenizer.CutAll(preTokenizers, ref work.From, ref work.To, ref work.PatternBudget);
        // (5)
        PieceList words = work.From;
        for (int i = 0; i < words.Count; i++) model.Encode(words[i].Span, work.Model, work.Ids);
        words.Clear();
    }

    private static bool EndsInWord(string text, int start, int end)
    {
        if (end <= start) return false;
        int c = text[end - 1];
        if (char.IsLowSurrogate((char)c)) c = char.ConvertToUtf32(text[end - 2], text[end - 1]);
        return UnicodeData.IsWord(c);
    }

    private static bool BeginsWithWord(string text, int start, int end) =>
        start < end && UnicodeData.IsWord(char.ConvertToUtf32(text, start));
}
