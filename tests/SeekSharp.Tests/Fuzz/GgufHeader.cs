using System.Buffers.Binary;
using System.Text;

namespace SeekSharp.Tests.Fuzz;

/// <summary>The fields of a golden GGUF file's header, found by a parser of the tests' own, and mutations that know them.</summary>
internal sealed class GgufHeader
{
    private enum Kind { Header, KeyLength, KeyText, ValueKind, Integer, Float, Bool, StringLength, StringText, ArrayKind, ArrayCount, NameLength, NameText, Rank, Dimension, Type, Offset }

    private readonly record struct Field(Kind Kind, int Start, int Length);
    private readonly record struct Range(int Start, int End);

    private static readonly string[] Texts =
    [
        "", "llama", "qwen2", "qwen3", "qwen3moe", "deepseek2", "gemma2", "yarn", "linear", "none", "longrope", "gpt2", "default", "deepseek-v3", "llama-bpe", "qwen2 ", "smollm", "\0", "ü",
    ];

    private readonly byte[] _source;
    private readonly List<Field> _fields = [];
    private readonly List<Range> _keys = [], _tensors = [];
    private readonly ILookup<Kind, Field> _byKind;
    private int _at;

    public GgufHeader(byte[] file)
    {
        _source = file;
        _fields.AddRange([new Field(Kind.Header, 0, 4), new Field(Kind.Header, 4, 4), new Field(Kind.Header, 8, 8), new Field(Kind.Header, 16, 8)]);
        long tensors = BitConverter.ToInt64(file, 8), keys = BitConverter.ToInt64(file, 16);
        _at = 24;
        for (long i = 0; i < keys; i++) Key();
        for (long i = 0; i < tensors; i++) Tensor();
        Length = _at;
        while (Length % 64 != 0 && Length < file.Length) Length++; // padding: 32, or 64 in metadata.gguf
        if (Length % 64 == 32 || Length - _at >= 32) Length -= 32;
        _byKind = _fields.ToLookup(f => f.Kind);
    }

    /// <summary>Bytes before the data.</summary>
    public int Length { get; }

    /// <summary>The header with one to four mutations; its length stays a multiple of 32.</summary>
    public byte[] Mutate(FuzzRandom r)
    {
        byte[] header = _source[..Length];
        if (r.Once(6)) return Padded(Restructured(r));
        for (int i = r.Once(3) ? 1 + r.Next(4) : 1; i > 0; i--)
        {
            Kind kind = r.Next(10) switch
            {
                < 4 => r.Pick<Kind>([Kind.Integer, Kind.Float, Kind.Integer, Kind.Bool]),
                < 6 => r.Pick<Kind>([Kind.StringText, Kind.KeyText, Kind.NameText]),
                < 9 => r.Pick<Kind>([Kind.Dimension, Kind.Type, Kind.Offset, Kind.Rank, Kind.NameLength, Kind.ValueKind, Kind.ArrayCount, Kind.ArrayKind, Kind.StringLength, Kind.KeyLength]),
                _ => Kind.Header,
            };
            Field[] fields = [.. _byKind[kind]];
            if (fields.Length > 0) Overwrite(header, r.Pick(fields), r);
        }
        return header;
    }

    private static void Overwrite(byte[] header, Field f, FuzzRandom r)
    {
        Span<byte> at = header.AsSpan(f.Start, f.Length);
        switch (f.Kind)
        {
            case Kind.Float when f.Length == 4:
                float old = BinaryPrimitives.ReadSingleLittleEndian(at);
                if (r.Once(2)) BinaryPrimitives.WriteUInt32LittleEndian(at, r.FloatBits());
                else BinaryPrimitives.WriteSingleLittleEndian(at, r.Next(4) switch { 0 => old * 2, 1 => old / 2, 2 => -old, _ => 0 });
                break;
            case Kind.KeyText or Kind.NameText or Kind.StringText:
                if (f.Length > 0) at[r.Next(f.Length)] = (byte)(r.Once(2) ? r.Bits() : (ulong)('0' + r.Next(10)));
                break;
            case Kind.Type or Kind.ValueKind or Kind.ArrayKind or Kind.Rank when r.Once(2):
                BinaryPrimitives.WriteUInt32LittleEndian(at, (uint)r.Next(42));
                break;
            default:
                ulong n = f.Length switch { 1 => at[0], 2 => BinaryPrimitives.ReadUInt16LittleEndian(at), 4 => BinaryPrimitives.ReadUInt32LittleEndian(at), _ => BinaryPrimitives.ReadUInt64LittleEndian(at) };
                Span<byte> bytes = stackalloc byte[8];
                BinaryPrimitives.WriteUInt64LittleEndian(bytes, r.Number(n));
                bytes[..f.Length].CopyTo(at);
                break;
        }
    }

    // Keys and tensors gone, twice or swapped (counts corrected), strings replaced by others of another length.
    private byte[] Restructured(FuzzRandom r)
    {
        bool keys = _keys.Count > 0 && (_tensors.Count == 0 || r.Once(2));
        List<Range> from = keys ? _keys : _tensors;
        int counter = keys ? 16 : 8;
        Range one = r.Pick(from);
        byte[] header = _source[..Length];
        switch (r.Next(4))
        {
            case 0:
                Count(header, counter, -1);
                return JsonMutator.Splice(header, one.Start, one.End, []);
            case 1:
                Count(header, counter, 1);
                return JsonMutator.Splice(header, one.Start, one.Start, _source.AsSpan(one.Start, one.End - one.Start));
            case 2:
                Range other = r.Pick(from);
                if (other.Start < one.Start) (one, other) = (other, one);
                if (other.Start <= one.Start) return header;
                return [.. header.AsSpan(0, one.Start), .. header.AsSpan(other.Start, other.End - other.Start), .. header.AsSpan(one.End, other.Start - one.End),
                    .. header.AsSpan(one.Start, one.End - one.Start), .. header.AsSpan(other.End)];
            default:
                Field[] strings = [.. _byKind[Kind.StringText]];
                if (strings.Length == 0) return header;
                Field s = r.Pick(strings);
                byte[] text = Encoding.UTF8.GetBytes(r.Once(20) ? new string('x', r.Next(100_000)) : r.Pick(Texts));
                return JsonMutator.Splice(header, s.Start - 8, s.Start + s.Length, (byte[])[.. BitConverter.GetBytes((long)text.Length), .. text]);
        }
    }

    private static void Count(byte[] header, int at, int change) => BitConverter.TryWriteBytes(header.AsSpan(at), BitConverter.ToInt64(header, at) + change);

    // The data must begin at a multiple of 32 again: cut padding off, or add some.
    private byte[] Padded(byte[] header)
    {
        int padding = Length - _at, length = Math.Max(24, header.Length - padding);
        return [.. header.AsSpan(0, length), .. new byte[(32 - length % 32) % 32]];
    }

    private void Key()
    {
        int start = _at;
        Text(Kind.KeyLength, Kind.KeyText, keep: true);
        uint kind = BitConverter.ToUInt32(_source, _at);
        _fields.Add(new Field(Kind.ValueKind, _at, 4));
        _at += 4;
        if (kind == 8) Text(Kind.StringLength, Kind.StringText, keep: true);
        else if (kind != 9) Scalar(kind);
        else
        {
            uint element = BitConverter.ToUInt32(_source, _at);
            long count = BitConverter.ToInt64(_source, _at + 4);
            _fields.AddRange([new Field(Kind.ArrayKind, _at, 4), new Field(Kind.ArrayCount, _at + 4, 8)]);
            _at += 12;
            for (long i = 0; i < count; i++)
                if (element == 8) Text(Kind.StringLength, Kind.StringText, keep: i < 6 || i >= count - 3);
                else
                {
                    if (i < 4) Scalar(element);
                    else _at += Size(element);
                }
        }
        _keys.Add(new Range(start, _at));
    }

    private void Scalar(uint kind)
    {
        int size = Size(kind);
        _fields.Add(new Field(kind is 6 or 12 ? Kind.Float : kind == 7 ? Kind.Bool : Kind.Integer, _at, size));
        _at += size;
    }

    private static int Size(uint kind) => kind switch { 0 or 1 or 7 => 1, 2 or 3 => 2, 4 or 5 or 6 => 4, _ => 8 };

    private void Tensor()
    {
        int start = _at;
        Text(Kind.NameLength, Kind.NameText, keep: true);
        uint rank = BitConverter.ToUInt32(_source, _at);
        _fields.Add(new Field(Kind.Rank, _at, 4));
        _at += 4;
        for (uint d = 0; d < rank; d++, _at += 8) _fields.Add(new Field(Kind.Dimension, _at, 8));
        _fields.AddRange([new Field(Kind.Type, _at, 4), new Field(Kind.Offset, _at + 4, 8)]);
        _at += 12;
        _tensors.Add(new Range(start, _at));
    }

    private void Text(Kind length, Kind text, bool keep)
    {
        int n = (int)BitConverter.ToInt64(_source, _at);
        if (keep) _fields.AddRange([new Field(length, _at, 8), new Field(text, _at + 8, n)]);
        _at += 8 + n;
    }
}
