using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>
/// How a file of packed experts lies on disk, little-endian. A header of 4096 bytes: magic, version of the file, <see cref="PackedLayout.Version"/>, number of experts, the file's length, the
/// identity of the model it was packed from (SHA-256), SHA-256 of what precedes, zeros. Then the experts, layer by layer, each at a multiple of 4096 and as it lies in memory:
/// gate, up, down. Then a checksum of 64 bits for each expert (0: the expert is not in the file), and the SHA-256 of these.
/// </summary>
internal sealed class PackedExpertsLayout
{
    public const int HeaderBytes = 4096, Version = 1;
    private static ReadOnlySpan<byte> Magic => "SEEKPACK"u8;
    private readonly byte[] _identity;

    /// <param name="images">The model's files.</param>
    /// <param name="experts">All experts in order.</param>
    public PackedExpertsLayout(IReadOnlyList<FileImage> images, IReadOnlyList<SwiGluWeights> experts)
    {
        _identity = Identity(images, experts);
        Offsets = new long[experts.Count];
        Lengths = new long[experts.Count];
        long at = HeaderBytes;
        for (int i = 0; i < experts.Count; i++)
        {
            (Offsets[i], Lengths[i]) = (at, Expert.PackedBytes(experts[i]));
            at = checked(at + Lengths[i] + 4095) & ~4095L;
        }
        SumsAt = at;
        FileBytes = checked(at + 8L * experts.Count + 32);
    }

    /// <summary>Where each expert lies.</summary>
    public long[] Offsets { get; }

    /// <summary>Bytes of each expert.</summary>
    public long[] Lengths { get; }

    /// <summary>Where the checksums lie.</summary>
    public long SumsAt { get; }

    /// <summary>Bytes of the file.</summary>
    public long FileBytes { get; }

    /// <summary>The header of a file of this model.</summary>
    public byte[] Header()
    {
        var header = new byte[HeaderBytes];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(8), Version);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(12), PackedLayout.Version);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(16), Offsets.Length);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(24), FileBytes);
        _identity.CopyTo(header, 32);
        SHA256.HashData(header.AsSpan(0, 64)).CopyTo(header, 64);
        return header;
    }

    /// <summary>What is wrong with a file's header; null where it is this model's.</summary>
    public string? Check(ReadOnlySpan<byte> header, long fileBytes)
    {
        if (header.Length < HeaderBytes || !header.StartsWith(Magic)) return "it is no file of packed experts";
        int version = BinaryPrimitives.ReadInt32LittleEndian(header[8..]), layout = BinaryPrimitives.ReadInt32LittleEndian(header[12..]);
        if (version != Version || layout != PackedLayout.Version) return $"it was written by another version of this program (file {version}, layout {layout}; expected {Version}, {PackedLayout.Version})";
        if (!SHA256.HashData(header[..64]).AsSpan().SequenceEqual(header.Slice(64, 32))) return "its header is damaged";
        if (!header.Slice(32, 32).SequenceEqual(_identity)) return "it was packed from another model, or the model has been changed since";
        return fileBytes == FileBytes ? null : $"it has {fileBytes} bytes, expected {FileBytes}";
    }

    /// <summary>A checksum of 64 bits, never 0: two CRC-32C over every other word (both are one instruction a word).</summary>
    public static unsafe ulong Sum(byte* data, long bytes)
    {
        uint even = 0x53454543, odd = 0x4B504143;
        var words = (ulong*)data;
        long count = bytes / 16 * 2;
        for (long i = 0; i < count; i += 2)
        {
            even = BitOperations.Crc32C(even, words[i]);
            odd = BitOperations.Crc32C(odd, words[i + 1]);
        }
        for (long i = count * 8; i < bytes; i++) even = BitOperations.Crc32C(even, data[i]);
        ulong sum = (ulong)odd << 32 | even;
        return sum == 0 ? 1 : sum;
    }

    // Names, lengths, times and beginnings of the files, and the shapes of the experts: what a changed model would not have in common.
    private static byte[] Identity(IReadOnlyList<FileImage> images, IReadOnlyList<SwiGluWeights> experts)
    {
        const int Beginning = 1 << 20;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (FileImage image in images)
        {
            hash.AppendData(Encoding.UTF8.GetBytes(image.Name));
            Number(image.Length);
            Number(image.Modified.Ticks);
            hash.AppendData(image.Span(0, (int)Math.Min(Beginning, image.Length)));
        }
        Number(experts.Count);
        foreach (SwiGluWeights e in experts)
            foreach (MatrixSource m in (MatrixSource[])[e.Gate, e.Up, e.Down])
            {
                Number((int)m.Format);
                Number(m.Rows);
                Number(m.Cols);
                Number(m.Scales is null ? 0 : 1);
            }
        return hash.GetHashAndReset();

        void Number(long value)
        {
            ReadOnlySpan<long> number = [value];
            hash.AppendData(MemoryMarshal.AsBytes(number));
        }
    }
}
