namespace SeekSharp.Models;

/// <summary>One chunk of one sequence on its way through the layers: T tokens from a position on.</summary>
internal unsafe struct Step
{
    /// <summary>The sequence's cache, with room for the chunk.</summary>
    public KvCache Cache;
    /// <summary>Position of the chunk's first token.</summary>
    public int Position;
    /// <summary>T.</summary>
    public int Tokens;
    /// <summary>[T, P] cosines of the chunk's positions.</summary>
    public float* Cos;
    /// <summary>[T, P] sines.</summary>
    public float* Sin;
    /// <summary>Null where nobody looks.</summary>
    public ForwardTrace? Trace;
    /// <summary>The chunk's first row in the trace.</summary>
    public int TraceRow;
}
