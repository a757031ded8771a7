using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace SeekSharp.Engine;

/// <summary>
/// A block's file: a header of 64 bytes (magic, key, length of the block, checksum of the block), then the block as it lies in memory. Its name is
/// <c>KEY-PARENT.kv</c>, so that the tier finds out what it has by listing its folder.
/// </summary>
internal static class DiskBlockFile
{
    public const int HeaderBytes = 64;
    private const ulong Magic = 0x0001_564b_6b65_6573; // "seekKV", version 1

    public static string Name(BlockKey key, BlockKey parent) => $"{key}-{parent}.kv";

    public static bool TryParseName(ReadOnlySpan<char> name, out BlockKey key, out BlockKey parent)
    {
        parent = default;
        return BlockKey.TryParse(name.Length == 68 ? name[..32] : [], out key) && name[32] == '-' && name.EndsWith(".kv") && BlockKey.TryParse(name[33..65], out parent);
    }

    /// <summary>Fills in the header of a file whose block is in its place already.</summary>
    public static void Seal(Span<byte> file, BlockKey key)
    {
        Span<byte> header = file[..HeaderBytes];
        header.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(header, Magic);
        key.Write(header[8..]);
        BinaryPrimitives.WriteInt64LittleEndian(header[24..], file.Length - HeaderBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(header[32..], Checksum(file[HeaderBytes..]));
    }

    /// <summary>Is this header followed by this block?</summary>
    public static bool IsSound(ReadOnlySpan<byte> header, ReadOnlySpan<byte> block, BlockKey key) =>
        BinaryPrimitives.ReadUInt64LittleEndian(header) == Magic
        && BlockKey.Read(header[8..]) == key
        && BinaryPrimitives.ReadInt64LittleEndian(header[24..]) == block.Length
        && BinaryPrimitives.ReadUInt64LittleEndian(header[32..]) == Checksum(block)
        && !header[40..].ContainsAnyExcept((byte)0);

    /// <summary>
    /// 64 bits: the CRC-32C (RFC 3720, appendix B.4) of the even words and that of the odd ones. Every burst of up to 64 bits is found, and everything else but one case in 2⁶⁴;
    /// two at a time keep the processor's unit busy.
    /// </summary>
    public static ulong Checksum(ReadOnlySpan<byte> bytes)
    {
        uint even = uint.MaxValue, odd = uint.MaxValue;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        int i = 0;
        for (; i + 1 < words.Length; i += 2) (even, odd) = (BitOperations.Crc32C(even, words[i]), BitOperations.Crc32C(odd, words[i + 1]));
        foreach (byte b in bytes[(i * 8)..]) even = BitOperations.Crc32C(even, b);
        return (ulong)~even << 32 | ~odd;
    }
}
