using System.Buffers.Binary;
using System.Security.Cryptography;
using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>Writes the file of packed experts that belongs to a model.</summary>
internal static unsafe class PackedExpertsWriter
{
    /// <summary>What was written.</summary>
    public sealed record Result(string Path, int Experts, long Bytes);

    /// <summary>Packs all experts of a model, a few at a time on all threads, and writes them; the file appears when it is whole.</summary>
    /// <param name="folder">The model.</param>
    /// <param name="threads">0 for one per core.</param>
    /// <param name="progress">Told the share that is done.</param>
    /// <param name="cancellation">Ends it; nothing is left behind.</param>
    /// <exception cref="CheckpointException">The model cannot be run, or the file cannot be written.</exception>
    /// <exception cref="ModelException">The model has no experts.</exception>
    public static Result Run(ModelFolder folder, int threads, IProgress<double>? progress, CancellationToken cancellation)
    {
        ModelWeights weights = folder.LoadWeights();
        SwiGluWeights[] experts = [.. ModelMatrices.Experts(weights, multiTokenPrediction: true)];
        if (experts.Length == 0) throw new ModelException($"{folder.Path}: the model has no experts; only experts are packed into a file");
        IReadOnlyList<FileImage> images = folder.Checkpoint!.Images;
        var layout = new PackedExpertsLayout(images, experts);
        var pages = new SourcePages(images);
        string path = PackedExpertsFile.PathFor(folder);
        using var pool = new WorkerPool(threads);
        KernelTable kernels = KernelTable.Current;
        long slot = (layout.Lengths.Max() + 63) & ~63L;
        int together = 2 * pool.Threads;
        using var memory = new NativeBuffer(checked(slot * together));
        var sums = new ulong[experts.Length];
        using var file = new OutputFile(path);
        file.Write(layout.Header());
        for (int first = 0; first < experts.Length; first += together)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = Math.Min(together, experts.Length - first);
            byte* slots = memory.Address;
            pool.Run(count, (i, _) =>
            {
                int id = first + i;
                SwiGluWeights e = experts[id];
                // 1. The next round's pages are asked for. 2. Packed. 3. Given back. Experts that had to be widened stay out: they are rare, and packed from the model when they are needed.
                if (id + together < experts.Length) Each(experts[id + together], m => pages.WillNeed(m.Address, m.ByteLength));
                byte* at = slots + i * slot;
                new Span<byte>(at, checked((int)layout.Lengths[id])).Clear(); // gaps between matrices
                Expert expert = Expert.PackInto(at, e, kernels);
                sums[id] = expert.LiesInOnePiece ? PackedExpertsLayout.Sum(at, layout.Lengths[id]) : 0;
                expert.Forget();
                Each(e, m => pages.Forget(m.Address, m.ByteLength));
            });
            for (int i = 0; i < count; i++)
            {
                file.Write(new ReadOnlySpan<byte>(slots + i * slot, (int)layout.Lengths[first + i]));
                file.Pad(PackedExpertsLayout.HeaderBytes);
            }
            progress?.Report((double)(first + count) / experts.Length);
        }
        var table = new byte[8 * sums.Length];
        for (int i = 0; i < sums.Length; i++) BinaryPrimitives.WriteUInt64LittleEndian(table.AsSpan(8 * i), sums[i]);
        file.Write(table);
        file.Write(SHA256.HashData(table));
        file.Complete();
        return new Result(path, experts.Length, layout.FileBytes);
    }

    private static void Each(SwiGluWeights e, Action<MatrixSource> action)
    {
        action(e.Gate);
        action(e.Up);
        action(e.Down);
    }
}
