using System.Buffers.Binary;
using System.Security.Cryptography;
using SeekSharp.Checkpoints;

namespace SeekSharp.Models;

/// <summary>
/// A file of packed experts beside its model (<c>seeksharp pack</c>): each expert in one piece, ready for the kernels. It belongs to one state of one model; a file of another is not used.
/// An expert whose bytes are damaged is packed from the model instead. For several threads.
/// </summary>
internal sealed unsafe class PackedExpertsFile : IDisposable
{
    private readonly FileImage _image;
    private readonly PackedExpertsLayout _layout;
    private readonly ulong[] _sums;
    private readonly Action<string>? _notify;
    private int _told;

    private PackedExpertsFile(FileImage image, PackedExpertsLayout layout, ulong[] sums, Action<string>? notify) => (_image, _layout, _sums, _notify) = (image, layout, sums, notify);

    /// <summary>Where a model's packed experts lie.</summary>
    public static string PathFor(ModelFolder folder) => folder.IsGguf ? folder.Checkpoint!.Images[0].Path + ".packed" : Path.Combine(folder.Path, "experts.packed");

    /// <summary>Opens the file; null where there is none, or, with a line that says why, where it is not this model's.</summary>
    /// <param name="path">Where it would be.</param>
    /// <param name="layout">How this model's file lies.</param>
    /// <param name="notify">Told in one line what is wrong.</param>
    public static PackedExpertsFile? Open(string path, PackedExpertsLayout layout, Action<string>? notify)
    {
        if (!File.Exists(path)) return null;
        FileImage? image = null;
        string? problem;
        try
        {
            image = FileImage.Open(path);
            problem = layout.Check(image.Span(0, (int)Math.Min(PackedExpertsLayout.HeaderBytes, image.Length)), image.Length);
            if (problem is null)
            {
                ReadOnlySpan<byte> sums = image.Span(layout.SumsAt, 8 * layout.Offsets.Length), hash = image.Span(layout.SumsAt + 8L * layout.Offsets.Length, 32);
                if (SHA256.HashData(sums).AsSpan().SequenceEqual(hash))
                {
                    var values = new ulong[layout.Offsets.Length];
                    for (int i = 0; i < values.Length; i++) values[i] = BinaryPrimitives.ReadUInt64LittleEndian(sums[(8 * i)..]);
                    return new PackedExpertsFile(image, layout, values, notify);
                }
                problem = "its checksums are damaged";
            }
        }
        catch (CheckpointException e)
        {
            problem = e.Message;
        }
        image?.Dispose();
        notify?.Invoke($"{path} is not used: {problem}; seeksharp pack writes it again");
        return null;
    }

    /// <summary>Is the expert in the file?</summary>
    public bool Has(int expert) => Volatile.Read(ref _sums[expert]) != 0;

    /// <summary>Has an expert read in soon.</summary>
    public void WillNeed(int expert) => _image.WillNeed(_image.Address + (nint)_layout.Offsets[expert], _layout.Lengths[expert]);

    /// <summary>Copies an expert. False where it is not in the file, or damaged there; it is not tried again then.</summary>
    public bool TryRead(int expert, byte* memory)
    {
        ulong sum = Volatile.Read(ref _sums[expert]);
        if (sum == 0) return false;
        nint source = _image.Address + (nint)_layout.Offsets[expert];
        Buffer.MemoryCopy((void*)source, memory, _layout.Lengths[expert], _layout.Lengths[expert]);
        _image.Forget(source, _layout.Lengths[expert]);
        if (PackedExpertsLayout.Sum(memory, _layout.Lengths[expert]) == sum) return true;
        Volatile.Write(ref _sums[expert], 0);
        if (Interlocked.Exchange(ref _told, 1) == 0) _notify?.Invoke($"{_image.Path}: expert {expert} is damaged, the model's own file is read instead; seeksharp pack writes it again");
        return false;
    }

    public void Dispose() => _image.Dispose();
}
