using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace SeekSharp.Engine;

/// <summary>
/// Names a full block of keys and values by everything that they depend on: a hash over the block before it and its own 64 token ids, and so over all tokens from
/// position 0. The chain's root names what computed them, and for whom. The first 128 bits of SHA-256 (FIPS 180-4): nobody finds two prompts with one key.
/// </summary>
internal readonly record struct BlockKey(ulong High, ulong Low)
{
    /// <summary>A chain's beginning. Two roots are the same only if every part is.</summary>
    /// <param name="parts">Model, adapter, weight version, cache format, kernel tier and what attention multiplies with, program version, tenant.</param>
    public static BlockKey Root(params ReadOnlySpan<string> parts)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> length = stackalloc byte[4];
        foreach (string part in parts)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(part);
            BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length); // so that ("a", "bc") is not ("ab", "c")
            hash.AppendData(length);
            hash.AppendData(bytes);
        }
        return Of(hash.GetHashAndReset());
    }

    /// <summary>The key of the block that follows this one and holds these tokens.</summary>
    public BlockKey Next(ReadOnlySpan<int> ids)
    {
        Span<byte> bytes = stackalloc byte[16 + 4 * 64], digest = stackalloc byte[32];
        if (ids.Length > 64) throw new ArgumentException($"a block has at most 64 tokens, not {ids.Length}", nameof(ids));
        Write(bytes);
        for (int i = 0; i < ids.Length; i++) BinaryPrimitives.WriteInt32LittleEndian(bytes[(16 + 4 * i)..], ids[i]);
        SHA256.HashData(bytes[..(16 + 4 * ids.Length)], digest);
        return Of(digest);
    }

    /// <summary>16 bytes.</summary>
    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, High);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], Low);
    }

    public static BlockKey Read(ReadOnlySpan<byte> bytes) => Of(bytes);

    /// <summary>32 hexadecimal digits.</summary>
    public override string ToString() => $"{High:x16}{Low:x16}";

    public static bool TryParse(ReadOnlySpan<char> text, out BlockKey key)
    {
        key = default;
        if (text.Length != 32 || !ulong.TryParse(text[..16], NumberStyles.AllowHexSpecifier, null, out ulong high) || !ulong.TryParse(text[16..], NumberStyles.AllowHexSpecifier, null, out ulong low))
            return false;
        key = new(high, low);
        return true;
    }

    private static BlockKey Of(ReadOnlySpan<byte> digest) => new(BinaryPrimitives.ReadUInt64LittleEndian(digest), BinaryPrimitives.ReadUInt64LittleEndian(digest[8..]));
}
