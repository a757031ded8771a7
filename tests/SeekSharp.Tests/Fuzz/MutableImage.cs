using System.Runtime.InteropServices;
using SeekSharp.Checkpoints;

namespace SeekSharp.Tests.Fuzz;

/// <summary>
/// A golden tensor file in memory that can be mutated and healed without copying its data: the header lies directly
/// before the data and grows to the left; bytes of the data that a mutant overwrites are put back afterwards.
/// </summary>
internal sealed unsafe class MutableImage : IDisposable
{
    private const int Slack = 1 << 20;

    private readonly byte* _block;
    private readonly byte* _data;
    private readonly int _headerRoom;
    private readonly List<(long Offset, byte[] Old)> _undo = [];

    public MutableImage(string path, int headerLength, byte[] file)
    {
        Path = path;
        Header = file[..headerLength];
        DataLength = file.Length - headerLength;
        _headerRoom = (headerLength * 2 + Slack + 4095) / 4096 * 4096;
        _block = (byte*)NativeMemory.AlignedAlloc((nuint)(_headerRoom + DataLength + Slack), 4096);
        _data = _block + _headerRoom;
        NativeMemory.Clear(_block, (nuint)(_headerRoom + DataLength + Slack));
        file.AsSpan(headerLength).CopyTo(new Span<byte>(_data, DataLength));
    }

    public string Path { get; }

    /// <summary>The golden header, everything before the data.</summary>
    public byte[] Header { get; }

    public int DataLength { get; }

    /// <summary>Overwrites data until <see cref="Heal"/>.</summary>
    public void Poke(long offset, ReadOnlySpan<byte> bytes)
    {
        int n = (int)Math.Min(bytes.Length, DataLength - offset);
        if (n <= 0) return;
        var target = new Span<byte>(_data + offset, n);
        _undo.Add((offset, target.ToArray()));
        bytes[..n].CopyTo(target);
    }

    /// <summary>Mutates data in one of several ways: wild floats, random bytes, a flipped bit, zeros.</summary>
    public void PokeRandomly(FuzzRandom r)
    {
        if (DataLength == 0) return;
        long at = r.Next((long)DataLength);
        switch (r.Next(5))
        {
            case 0:
                Span<byte> run = stackalloc byte[4 * (1 + r.Next(16))];
                for (int i = 0; i < run.Length; i += 4) BitConverter.TryWriteBytes(run[i..], r.FloatBits());
                Poke(at & ~3L, run);
                break;
            case 1:
                Span<byte> bytes = stackalloc byte[1 + r.Next(256)];
                for (int i = 0; i < bytes.Length; i++) bytes[i] = (byte)r.Bits();
                Poke(at, bytes);
                break;
            case 2:
                Poke(at, [(byte)(_data[at] ^ (1 << r.Next(8)))]);
                break;
            case 3:
                Span<byte> same = stackalloc byte[1 + r.Next(512)];
                same.Fill((byte)(r.Once(2) ? 0 : 0xFF));
                Poke(at, same);
                break;
            default:
                Poke(at & ~3L, BitConverter.GetBytes(r.FloatBits()));
                break;
        }
    }

    /// <summary>The file with this header, <paramref name="cut"/> bytes shorter (or longer, where negative).</summary>
    public FileImage With(ReadOnlySpan<byte> header, long cut = 0)
    {
        if (header.Length > _headerRoom) header = header[.._headerRoom];
        header.CopyTo(new Span<byte>(_data - header.Length, header.Length));
        long length = Math.Clamp(header.Length + DataLength - cut, 0, header.Length + DataLength + Slack);
        return FileImage.OfMemory(Path, (nint)(_data - header.Length), length);
    }

    /// <summary>Puts overwritten data back.</summary>
    public void Heal()
    {
        for (int i = _undo.Count - 1; i >= 0; i--) _undo[i].Old.CopyTo(new Span<byte>(_data + _undo[i].Offset, _undo[i].Old.Length));
        _undo.Clear();
    }

    public void Dispose() => NativeMemory.AlignedFree(_block);
}
