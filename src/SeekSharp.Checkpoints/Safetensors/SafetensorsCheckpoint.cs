namespace SeekSharp.Checkpoints;

/// <summary>
/// A safetensors checkpoint: one file, or the shards that a <c>model.safetensors.index.json</c> names.
/// Format: https://github.com/huggingface/safetensors#format.
/// </summary>
internal sealed class SafetensorsCheckpoint : Checkpoint
{
    private SafetensorsCheckpoint() { }

    /// <summary>Opens one file, or an index with its shards.</summary>
    /// <param name="path">A <c>.safetensors</c> file or a <c>.safetensors.index.json</c>.</param>
    /// <exception cref="CheckpointException">A file is missing or broken; the message says which and where.</exception>
    public static SafetensorsCheckpoint Open(string path) =>
        path.EndsWith(".index.json", StringComparison.Ordinal) ? OpenShards(path) : Open(FileImage.Open(path));

    /// <summary>Reads a mapped file, which the checkpoint then owns.</summary>
    public static SafetensorsCheckpoint Open(FileImage image)
    {
        var checkpoint = new SafetensorsCheckpoint();
        try
        {
            checkpoint.Append(image);
            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    private static SafetensorsCheckpoint OpenShards(string indexPath)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(indexPath))!;
        IReadOnlyDictionary<string, string> map = SafetensorsIndex.Read(indexPath);
        var checkpoint = new SafetensorsCheckpoint();
        try
        {
            foreach (string file in map.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
                checkpoint.Append(FileImage.Open(Path.Combine(folder, file)));
            foreach ((string name, string file) in map)
            {
                if (!checkpoint.Tensors.TryGetValue(name, out CheckpointTensor? tensor))
                    throw new CheckpointException($"{indexPath}: tensor {Show(name)} should be in {file}, and is in no shard");
                if (Path.GetFileName(tensor.File) != file)
                    throw new CheckpointException($"{indexPath}: tensor {Show(name)} should be in {file}, and is in {Path.GetFileName(tensor.File)}");
            }
            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    private void Append(FileImage image)
    {
        Own(image);
        foreach (CheckpointTensor tensor in SafetensorsHeader.Read(image)) Add(tensor);
    }
}
