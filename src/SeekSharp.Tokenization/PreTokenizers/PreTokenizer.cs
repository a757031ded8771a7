namespace SeekSharp.Tokenization;

/// <summary>Cuts pieces of text into smaller ones: an entry of tokenizer.json's <c>pre_tokenizer</c>, Sequences flattened.</summary>
internal abstract class PreTokenizer
{
    public abstract void Split(in Piece piece, PieceList output);

    /// <summary>Cuts all pieces with each of the steps in turn.</summary>
    /// <param name="steps">One after the other.</param>
    /// <param name="pieces">What is cut; then the result.</param>
    /// <param name="spare">Room; it is empty afterwards.</param>
    /// <param name="budget">What patterns may still cost.</param>
    public static void CutAll(PreTokenizer[] steps, ref PieceList pieces, ref PieceList spare, ref long budget)
    {
        foreach (PreTokenizer step in steps)
        {
            spare.Clear();
            spare.Budget = budget;
            for (int i = 0; i < pieces.Count; i++) step.Split(pieces[i], spare);
            budget = spare.Budget;
            (pieces, spare) = (spare, pieces);
        }
        spare.Clear();
    }
}

/// <summary>What becomes of the matches of a split (the library's SplitDelimiterBehavior).</summary>
internal enum SplitBehavior
{
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

/// <summary>Takes the stretches of a piece, matches and what lies between them, from left to right, and writes pieces as a <see cref="SplitBehavior"/> says.</summary>
internal ref struct SplitSink(Piece piece, SplitBehavior behavior, bool invert, PieceList output)
{
    private int _start = -1; // of a stretch that waits for the next one
    private int _end;
    private bool _match;

    /// <summary>Takes the next stretch; empty ones between two matches must not be given, empty matches must.</summary>
    public void Add(int start, int end, bool match)
    {
        match ^= invert;
        switch (behavior)
        {
            case SplitBehavior.Isolated:
                Emit(start, end);
                break;
            case SplitBehavior.Removed:
                if (!match) Emit(start, end);
                break;
            case SplitBehavior.Contiguous when _start >= 0 && match == _match:
            case SplitBehavior.MergedWithPrevious when _start >= 0 && match && !_match:
            case SplitBehavior.MergedWithNext when _start >= 0 && !match && _match:
                _end = end;
                _match = match;
                break;
            default:
                Finish();
                (_start, _end, _match) = (start, end, match);
                break;
        }
    }

    /// <summary>Writes what waits.</summary>
    public void Finish()
    {
        if (_start >= 0) Emit(_start, _end);
        _start = -1;
    }

    private readonly void Emit(int start, int end) => output.Add(piece.Source, piece.Start + start, end - start, piece.First && start == 0);
}
