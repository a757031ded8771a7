namespace SeekSharp.Planner;

/// <summary>
/// The closed forms of DeepSeek-V3's table 2 (arXiv 2412.19437), F a forward chunk, B a whole backward chunk, W its weights' part, F&amp;B a pair. They show where the
/// simulated bubbles come from; no plan is computed from them.
/// </summary>
internal static class PipelineBubbles
{
    /// <summary>(PP − 1)(F + B).</summary>
    public static double OneForwardOneBackward(int ranks, double f, double b) => (ranks - 1) * (f + b);

    /// <summary>(PP − 1)(F + B − 2W).</summary>
    public static double ZeroBubble(int ranks, double f, double b, double w) => (ranks - 1) * (f + b - 2 * w);

    /// <summary>(PP/2 − 1)(F&amp;B + B − 3W).</summary>
    public static double DualPipe(int ranks, double pair, double b, double w) => (ranks / 2 - 1) * (pair + b - 3 * w);
}
