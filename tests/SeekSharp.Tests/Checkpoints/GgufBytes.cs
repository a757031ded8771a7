using System.Text;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>Writes GGUF files by hand, right or wrong as a test wants them.</summary>
internal sealed class GgufBytes
{
    private readonly MemoryStream _keys = new(), _tensors = new();

    public uint Magic { get; set; } = 0x46554747;
    public uint Version { get; set; } = 3;
    public ulong? KeyCount { get; set; }
    public ulong? TensorCount { get; set; }
    public int DataBytes { get; set; }
    public int Alignment { get; set; } = 32;
    private ulong _keysWritten, _tensorsWritten;

    public GgufBytes Key(string key, string value) => Raw(key, 8, w => Text(w, value));

    public GgufBytes Key(string key, uint value) => Raw(key, 4, w => w.Write(value));

    public GgufBytes Float(string key, float value) => Raw(key, 6, w => w.Write(value));

    public GgufBytes Strings(string key, IReadOnlyList<string> values) => Raw(key, 9, w =>
    {
        w.Write(8u);
        w.Write((ulong)values.Count);
        foreach (string v in values) Text(w, v);
    });

    /// <summary>A key of any kind with any bytes.</summary>
    public GgufBytes Raw(string key, uint kind, Action<BinaryWriter> value)
    {
        using var w = new BinaryWriter(_keys, Encoding.UTF8, leaveOpen: true);
        Text(w, key);
        w.Write(kind);
        value(w);
        _keysWritten++;
        return this;
    }

    /// <summary>A tensor; dimensions as in the file, fastest first.</summary>
    public GgufBytes Tensor(string name, ulong[] dimensions, uint type, ulong offset, uint? rank = null)
    {
        using var w = new BinaryWriter(_tensors, Encoding.UTF8, leaveOpen: true);
        Text(w, name);
        w.Write(rank ?? (uint)dimensions.Length);
        foreach (ulong d in dimensions) w.Write(d);
        w.Write(type);
        w.Write(offset);
        _tensorsWritten++;
        return this;
    }

    public byte[] ToArray()
    {
        using var file = new MemoryStream();
        using var w = new BinaryWriter(file);
        w.Write(Magic);
        w.Write(Version);
        w.Write(TensorCount ?? _tensorsWritten);
        w.Write(KeyCount ?? _keysWritten);
        w.Write(_keys.ToArray());
        w.Write(_tensors.ToArray());
        while (file.Length % Alignment != 0) w.Write((byte)0);
        w.Write(new byte[DataBytes]);
        return file.ToArray();
    }

    private static void Text(BinaryWriter w, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        w.Write((ulong)bytes.Length);
        w.Write(bytes);
    }
}
