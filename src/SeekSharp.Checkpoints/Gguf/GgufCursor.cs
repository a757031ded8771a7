using System.Buffers.Binary;

namespace SeekSharp.Checkpoints;

/// <summary>Reads little-endian values from a mapped file, forwards only, never past its end.</summary>
internal struct GgufCursor(FileImage image)
{
    /// <summary>Offset of the next byte.</summary>
    public long Position { get; private set; }

    public readonly FileImage Image => image;

    /// <summary>Bytes left.</summary>
    public readonly long Remaining => image.Length - Position;

    public uint ReadUInt32(string what) => BinaryPrimitives.ReadUInt32LittleEndian(Take(4, what));

    public ulong ReadUInt64(string what) => BinaryPrimitives.ReadUInt64LittleEndian(Take(8, what));

    /// <summary>A string: 8 bytes length, then UTF-8. Returns where its bytes lie.</summary>
    public (long Offset, int Length) ReadString(string what)
    {
        long at = Position;
        ulong length = ReadUInt64(what);
        if (length > (ulong)Remaining || length > int.MaxValue)
            throw new CheckpointException($"{image.Path}: {what} at byte {at}: a string of {length} bytes does not fit in the {Remaining} that follow");
        long start = Position;
        Position += (long)length;
        return (start, (int)length);
    }

    /// <summary>Passes over <paramref name="count"/> values of <paramref name="size"/> bytes.</summary>
    public void Skip(ulong count, int size, string what)
    {
        if (count > (ulong)Remaining / (ulong)size)
            throw new CheckpointException($"{image.Path}: {what} at byte {Position}: {count} values of {size} bytes do not fit in the {Remaining} that follow");
        Position += (long)count * size;
    }

    private ReadOnlySpan<byte> Take(int count, string what)
    {
        if (Remaining < count) throw new CheckpointException($"{image.Path}: the file ends at byte {image.Length}, inside {what}");
        ReadOnlySpan<byte> span = image.Span(Position, count);
        Position += count;
        return span;
    }
}
