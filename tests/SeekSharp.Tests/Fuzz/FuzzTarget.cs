namespace SeekSharp.Tests.Fuzz;

/// <summary>How far a mutant came.</summary>
internal enum Reached { Refused, Opened, Forward }

/// <summary>One golden file: makes a mutant of it and gives it to the program. One instance for each thread.</summary>
internal abstract class FuzzTarget : IDisposable
{
    /// <summary>The golden file, for reports.</summary>
    public required string Name { get; init; }

    /// <summary>Share of the mutants that this file gets, relative to others.</summary>
    public double Weight { get; init; } = 1;

    /// <summary>A part of a golden model: weights, config or index. Of their mutants a fifth must reach a forward pass.</summary>
    public bool IsCheckpoint { get; init; }

    /// <summary>The one type of exception that this boundary may throw.</summary>
    public required Type Boundary { get; init; }

    /// <summary>Bytes of the file: what a mutant may allocate beyond the fixed allowance.</summary>
    public long FileBytes { get; protected set; }

    /// <summary>Makes and runs one mutant. Exceptions of the boundary's type are caught by the runner.</summary>
    public abstract Reached Run(FuzzRandom r, Progress progress);

    public virtual void Dispose() { }

    /// <summary>Told how far a mutant came before it was refused.</summary>
    public sealed class Progress
    {
        public Reached Reached { get; set; }
    }
}
