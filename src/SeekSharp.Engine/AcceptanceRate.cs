namespace SeekSharp.Engine;

/// <summary>How likely a drafted token is the one that is chosen: counted, with old trials fading. Until there are trials it is what was expected.</summary>
/// <param name="expected">0 to 1.</param>
internal struct AcceptanceRate(double expected)
{
    private const double Confidence = 4, Memory = 64; // trials that the expectation is worth; trials that are remembered

    private double _accepted, _trials;

    public readonly double Value => (expected * Confidence + _accepted) / (Confidence + _trials);

    /// <summary>Of the proposed tokens so many were accepted; the one after them was tried too, what came later was not.</summary>
    public void Add(int proposed, int accepted)
    {
        int trials = Math.Min(proposed, accepted + 1);
        _accepted += accepted;
        _trials += trials;
        if (_trials <= Memory) return;
        _accepted *= Memory / _trials;
        _trials = Memory;
    }
}
