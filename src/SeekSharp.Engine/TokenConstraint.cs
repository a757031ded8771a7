namespace SeekSharp.Engine;

/// <summary>
/// Says which tokens may come next: a grammar, seen from the engine. The engine asks before each choice and tells what was chosen, so that the constraint
/// follows its sequence. Used by one thread at a time.
/// </summary>
internal abstract class TokenConstraint
{
    /// <summary>The admitted ids, end tokens included where the text may end here.</summary>
    /// <param name="mask">[(V + 31) / 32] bit i % 32 of word i / 32 belongs to id i. Every word is written, or none.</param>
    /// <returns>False where any token may come (before the constraint begins); the mask is then as it was.</returns>
    public abstract bool FillMask(Span<uint> mask);

    /// <summary>The sequence goes on with this id, which the mask admitted or somebody forced.</summary>
    public abstract void Accept(int id);

    /// <summary>Takes the last accepted ids back.</summary>
    /// <param name="count">At most as many as were accepted since the beginning.</param>
    public abstract void Rollback(int count);
}
