using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using SeekSharp.Models;

namespace SeekSharp.Tests.Models;

/// <summary>A copy of a golden model whose file holds other numbers, and the same numbers in memory.</summary>
internal sealed class ChangedWeights : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Dictionary<string, (long[] Shape, float[] Values)> _values = [];
    private readonly string _path;

    /// <param name="golden">Below <c>../shared/goldens</c>.</param>
    /// <param name="seed">Chooses the numbers.</param>
    /// <param name="which">The tensors that change; null for all.</param>
    public unsafe ChangedWeights(string golden, int seed, Func<string, bool>? which = null)
    {
        string? path = null;
        string source = Repository.Shared("goldens/" + golden);
        foreach (string file in File.Exists(source) ? [source] : Directory.GetFiles(source).Where(f => !f.Contains("expected")))
        {
            string copy = Path.Combine(_folder.Path, Path.GetFileName(file));
            File.WriteAllBytes(copy, File.ReadAllBytes(file)); // not the file's rights: it is read-only
            if (file == source) path = copy;
        }
        _path = path ?? _folder.Path;

        var random = new Random(seed);
        using ModelFolder folder = ModelFolder.Open(source);
        foreach (CheckpointTensor t in folder.Checkpoint!.Tensors.Values.Where(t => which?.Invoke(t.Name) != false))
        {
            FileImage image = folder.Checkpoint.Images.Single(i => i.Maps(t.Address));
            var values = new float[t.Count];
            BlockDecoder.Decode(t.Format, new ReadOnlySpan<byte>((byte*)t.Address, (int)t.ByteLength), values);
            foreach (ref float v in values.AsSpan()) v *= 1 + 0.2f * ((float)random.NextDouble() - 0.5f);
            var bytes = new byte[t.ByteLength];
            BlockEncoder.Encode(t.Format, values, bytes);
            if (t.Shape.Length < 2) BlockDecoder.Decode(t.Format, bytes, values); // vectors are published as they are
            _values.Add(t.Name, (t.Shape, values));
            string target = Directory.GetFiles(_folder.Path).Single(f => Path.GetFileName(f) == Path.GetFileName(t.File));
            using FileStream stream = File.OpenWrite(target);
            stream.Position = t.Address - image.Address;
            stream.Write(bytes);
        }
    }

    public ModelFolder Open() => ModelFolder.Open(_path);

    public LanguageModel Load(ModelOptions options)
    {
        using ModelFolder folder = Open();
        return LanguageModel.Load(folder, options);
    }

    /// <summary>Adds the numbers that are in memory.</summary>
    public void AddTo(WeightUpdate update)
    {
        foreach ((string name, (long[] shape, float[] values)) in _values) update.Add(name, shape, values);
    }

    public static LanguageModel LoadGolden(string golden, ModelOptions options)
    {
        using ModelFolder folder = ModelFolder.Open(Repository.Shared("goldens/" + golden));
        return LanguageModel.Load(folder, options);
    }

    public void Dispose() => _folder.Dispose();
}
