namespace SeekSharp.Planner;

/// <summary>What is wrong with a plan's inputs, in one line: the place, what was expected and what was found.</summary>
public sealed class PlannerException : Exception
{
    /// <param name="message">One line.</param>
    public PlannerException(string message) : base(message) { }

    /// <param name="message">One line.</param>
    /// <param name="inner">What was caught.</param>
    public PlannerException(string message, Exception inner) : base(message, inner) { }
}
