using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

// New weights for a loaded model, by the path that loading takes: names → ModelWeights → layers, each matrix packed into the place of the one before it.
public sealed unsafe partial class LanguageModel
{
    private readonly Dictionary<string, WeightUpdate.NewTensor> _published = new(StringComparer.Ordinal); // what is no longer as in the file; its values only where they are read again
    private Exception? _halfPublished;

    /// <summary>New weights, to be filled and published.</summary>
    /// <exception cref="ModelException">The model has no file, or its experts are read as they are needed.</exception>
    internal WeightUpdate BeginUpdate()
    {
        if (_folder?.Checkpoint is not { } checkpoint) throw new ModelException("the model was not loaded from a file: its tensors have no names");
        if (_packer.Experts is not null) throw new ModelException("the model's experts are read from its file as they are needed: new weights cannot be published");
        return new WeightUpdate(checkpoint, _folder.Path);
    }

    /// <summary>
    /// Puts new weights in place of the old ones; those that the update does not name stay. Nothing changes where it does not fit. Passes wait meanwhile, and caches filled before are worth nothing
    /// afterwards: that is for their owner to see to. No second copy of the model is made.
    /// </summary>
    /// <param name="update">From <see cref="BeginUpdate"/>; empty afterwards.</param>
    /// <exception cref="CheckpointException">A tensor is in a format that no product takes. The weights are as before.</exception>
    /// <exception cref="ModelException">The update was begun for another model. The weights are as before.</exception>
    internal void Publish(WeightUpdate update)
    {
        lock (_calls)
        {
            // 1. All tensors, old and new, as loading finds them: every name and shape is checked here. 2. Packing, in place. 3. What will be read again is kept, the rest of the values is freed.
            ThrowIfUnusable();
            if (!update.IsFor(_folder?.Checkpoint)) throw new ModelException("the update was begun for another model");

            // 1.
            var merged = new UpdatedCheckpoint(_folder!.Checkpoint!, name => update.Tensors.TryGetValue(name, out WeightUpdate.NewTensor t) || _published.TryGetValue(name, out t) ? t.Tensor : null);
            ModelWeights weights = ModelFolder.LoadWeights(merged, Config, _folder.Path);
            bool mtp = _mtp is not null;
            RequireProducts(weights, mtp, update);

            // 2.
            _packer.BeginUpdate(update.Holds);
            try
            {
                Build(weights, mtp);
                _packer.EndUpdate();
            }
            catch (Exception e) // memory: some matrices are new and some are old
            {
                _halfPublished = e;
                throw;
            }

            // 3.
            HashSet<nint> embeddings = [weights.Embedding.Address, .. weights.MultiTokenPrediction.Select(m => m.Embedding?.Address ?? 0)];
            foreach (string name in update.Tensors.Keys.ToArray())
            {
                if (_published.Remove(name, out WeightUpdate.NewTensor before)) before.Memory?.Dispose();
                CheckpointTensor tensor = update.Tensors[name].Tensor;
                bool again = tensor.Shape.Length < 2 || name.EndsWith("_scale_inv", StringComparison.Ordinal) || embeddings.Contains(tensor.Address);
                WeightUpdate.NewTensor kept = again ? update.Take(name) : new(tensor with { Address = 0 }, null);
                if (embeddings.Contains(tensor.Address)) MoveEmbedding(tensor.Address, kept.Tensor.Address);
                _published.Add(name, kept);
            }
            update.Dispose();
        }
    }

    // The embedding's values were in a file that is the update's: they have been copied.
    private void MoveEmbedding(nint from, nint to)
    {
        if (_embedding.Address == from) _embedding = _embedding with { Address = to };
        _mtp?.MoveEmbedding(from, to);
    }

    private static void RequireProducts(ModelWeights weights, bool mtp, WeightUpdate update)
    {
        HashSet<nint> decoded = [.. weights.Layers.Concat(weights.MultiTokenPrediction.Select(m => m.Layer)).Select(l => l.Latent?.KvB?.Address ?? 0)]; // those are rearranged first
        foreach (MatrixSource m in ModelMatrices.Dense(weights, mtp).Concat(ModelMatrices.Experts(weights, mtp).SelectMany(e => (MatrixSource[])[e.Gate, e.Up, e.Down])))
            if (update.Holds(m) && !decoded.Contains(m.Address) && !PackedLayout.HasProduct(m.Format))
                throw new CheckpointException($"{m.Name}: no matrix products with weights in {m.Format}");
    }

    private void ThrowIfUnusable()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_halfPublished is { } e) throw new ModelException($"the model's weights are incomplete since new ones could not be put in place: {e.Message}");
    }
}
