namespace SeekSharp.Models;

/// <summary>
/// One step's tokens on their way through the layers: T rows, a run of them for each of several sequences. Matrix products take all rows at
/// once; rotation, cache and attention go by the row's place. Nothing about a row depends on the others.
/// </summary>
internal unsafe struct Step
{
    /// <summary>The sequences' parts, in the order of their rows.</summary>
    public StepPart[] Parts;
    /// <summary>How many of <see cref="Parts"/> count.</summary>
    public int PartCount;
    /// <summary>T.</summary>
    public int Tokens;
    /// <summary>[T] where each row belongs.</summary>
    public RowPlace* Rows;
    /// <summary>[T, P] cosines of the rows' positions.</summary>
    public float* Cos;
    /// <summary>[T, P] sines.</summary>
    public float* Sin;
    /// <summary>Some sequence has an adapter.</summary>
    public bool HasAdapters;
    /// <summary>Null where nobody looks.</summary>
    public ForwardTrace? Trace;
    /// <summary>The step's first row in the trace.</summary>
    public int TraceRow;
}

/// <summary>A run of one sequence's tokens within a step.</summary>
internal struct StepPart
{
    /// <summary>The sequence's cache, with room for the tokens.</summary>
    public KvCache Cache;
    /// <summary>The first of its rows.</summary>
    public int Row;
    /// <summary>Rows.</summary>
    public int Tokens;
    /// <summary>Position of the first token in its sequence.</summary>
    public int Position;
}

/// <summary>Where a row belongs: which part, and which position in that part's sequence.</summary>
internal struct RowPlace
{
    public int Part, Position;
}

/// <summary>What a caller asks of one sequence in a step.</summary>
/// <param name="Cache">The sequence so far; each sequence at most once in a step.</param>
/// <param name="Tokens">Tokens to append, at least one.</param>
/// <param name="LogitRows">Logits are wanted after so many of the last tokens, 0 to all.</param>
internal readonly record struct BatchPart(KvCache Cache, int Tokens, int LogitRows);
