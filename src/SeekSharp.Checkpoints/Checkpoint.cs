using System.Numerics;
using SeekSharp.Kernels;

namespace SeekSharp.Checkpoints;

/// <summary>
/// The tensors of a model on disk, by name, in the order of the file. Nothing is copied: a tensor is an address in a
/// mapped file, and every offset and length has been checked against that file's size.
/// </summary>
internal abstract class Checkpoint : IDisposable
{
    private readonly OrderedDictionary<string, CheckpointTensor> _tensors = new(StringComparer.Ordinal);
    private readonly List<FileImage> _images = [];

    /// <summary>All tensors in file order (shards one after the other).</summary>
    public IReadOnlyDictionary<string, CheckpointTensor> Tensors => _tensors;

    /// <summary>The mapped files.</summary>
    public IReadOnlyList<FileImage> Images => _images;

    /// <summary>Bytes of all files.</summary>
    public long FileBytes => _images.Sum(i => i.Length);

    /// <summary>Values of all tensors.</summary>
    public BigInteger ParameterCount
    {
        get
        {
            BigInteger sum = 0;
            foreach (CheckpointTensor t in _tensors.Values) sum += t.Count;
            return sum;
        }
    }

    /// <summary>Adds a mapped file, which this checkpoint now owns.</summary>
    protected void Own(FileImage image) => _images.Add(image);

    /// <summary>Adds a checked tensor.</summary>
    /// <exception cref="CheckpointException">There is one of this name.</exception>
    protected void Add(CheckpointTensor tensor)
    {
        if (_tensors.TryAdd(tensor.Name, tensor)) return;
        string other = _tensors[tensor.Name].File;
        throw new CheckpointException(other == tensor.File
            ? $"{tensor.File}: tensor {Show(tensor.Name)} is there twice"
            : $"{tensor.File}: tensor {Show(tensor.Name)} is in {other} too");
    }

    /// <summary>A name from a file as it may stand in a one-line message: short, and without control characters.</summary>
    public static string Show(string name)
    {
        const int Longest = 100;
        bool cut = name.Length > Longest;
        Span<char> kept = stackalloc char[Math.Min(name.Length, Longest)];
        for (int i = 0; i < kept.Length; i++) kept[i] = char.IsControl(name[i]) || char.IsSurrogate(name[i]) || name[i] is '\u2028' or '\u2029' ? '?' : name[i];
        return cut ? $"{kept}…" : kept.ToString();
    }

    /// <summary>Dimensions as they stand in messages: [out, in].</summary>
    public static string Show(ReadOnlySpan<long> shape)
    {
        const int Longest = 8;
        string text = string.Join(", ", shape[..Math.Min(shape.Length, Longest)].ToArray());
        return shape.Length > Longest ? $"[{text}, …]" : $"[{text}]";
    }

    /// <summary>Bytes of a tensor of this shape; false where the product does not fit in 63 bits or rows are no whole number of blocks.</summary>
    public static bool TryByteCount(NumberFormat format, ReadOnlySpan<long> shape, out long bytes)
    {
        bytes = 0;
        long count = 1;
        foreach (long d in shape)
            if (d < 0 || (d != 0 && count > long.MaxValue / d)) return false;
            else count *= d;
        int block = NumberFormats.BlockSize(format), size = NumberFormats.BlockBytes(format);
        long row = shape.Length == 0 ? 1 : shape[^1];
        if (row % block != 0 || count / block > long.MaxValue / size) return false;
        bytes = count / block * size;
        return true;
    }

    public void Dispose()
    {
        foreach (FileImage image in _images) image.Dispose();
        GC.SuppressFinalize(this);
    }
}
