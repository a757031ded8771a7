namespace SeekSharp.Checkpoints;

/// <summary>A checkpoint some of whose tensors have been replaced by others of the same names and shapes. It owns no file.</summary>
internal sealed class UpdatedCheckpoint : Checkpoint
{
    /// <param name="original">The checkpoint as it was opened.</param>
    /// <param name="replacement">The tensor in place of one of that name; null where it stays.</param>
    public UpdatedCheckpoint(Checkpoint original, Func<string, CheckpointTensor?> replacement)
    {
        IsGguf = original is GgufCheckpoint;
        foreach (CheckpointTensor tensor in original.Tensors.Values) Add(replacement(tensor.Name) ?? tensor);
    }

    /// <summary>The names are GGUF's.</summary>
    public bool IsGguf { get; }
}
