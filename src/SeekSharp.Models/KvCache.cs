using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>
/// The keys and values of one sequence, in blocks of 64 tokens that are made when they are needed. With grouped-query
/// attention a layer keeps a key and a value for each head; with multi-head latent attention only the latent and the rotated
/// key that all heads share: exactly <c>kv_lora_rank + qk_rope_head_dim</c> values a token and layer (DeepSeek-V2, arXiv
/// 2405.04434, section 2.1). Made by <see cref="LanguageModel.CreateCache"/>, for that model alone.
/// </summary>
public sealed unsafe class KvCache : IDisposable
{
    /// <summary>Tokens in a block.</summary>
    public const int BlockTokens = KvBlock.Tokens;

    private readonly KvLayout _layout;
    private readonly List<NativeBuffer> _blocks = [];
    private NativeBuffer? _table; // [layers][keys, values][capacity] pointers
    private int _capacity;
    private bool _disposed;

    internal KvCache(KvLayout layout, bool followsMtp) => (_layout, FollowsMtp) = (layout, followsMtp);

    internal KvLayout Layout => _layout;

    /// <summary>Tokens held.</summary>
    public int Length { get; internal set; }

    /// <summary>Bytes allocated, whole blocks.</summary>
    public long Bytes => _blocks.Count * _layout.BlockBytes;

    /// <summary>Bytes that a token takes in all layers.</summary>
    public long BytesPerToken => _layout.BlockBytes / BlockTokens;

    /// <summary>How keys and values are stored.</summary>
    public KvFormat Format => _layout.Format;

    /// <summary>A multi-token-prediction module follows this sequence; its layer holds one token less.</summary>
    internal bool FollowsMtp { get; }

    /// <summary>[H]: the last token's hidden state after the final norm, for that module; null where it was cut off.</summary>
    internal float[]? LastHidden { get; set; }

    /// <summary>Forgets every token from <paramref name="length"/> on; the memory stays for the tokens to come.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Negative, or more than are held.</exception>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        if (length != Length) LastHidden = null;
        Length = length;
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        _disposed = true;
        foreach (NativeBuffer block in _blocks) block.Dispose();
        _blocks.Clear();
        _table?.Dispose();
        _table = null;
        _capacity = 0;
        Length = 0;
    }

    /// <summary>Makes room for tokens 0 … length − 1.</summary>
    internal void Reserve(int length)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        int needed = (length + BlockTokens - 1) / BlockTokens;
        if (needed > _capacity)
        {
            int capacity = Math.Max(needed, Math.Max(4, 2 * _capacity));
            var table = new NativeBuffer((long)_layout.Layers * 2 * capacity * sizeof(byte*));
            _table?.Dispose();
            (_table, _capacity) = (table, capacity);
            for (int b = 0; b < _blocks.Count; b++) Enter(b);
        }
        while (_blocks.Count < needed)
        {
            _blocks.Add(new NativeBuffer(_layout.BlockBytes));
            Enter(_blocks.Count - 1);
        }
    }

    /// <summary>A layer's blocks of keys; for latent attention, of latents.</summary>
    internal byte** Keys(int layer) => (byte**)_table!.Address + (long)layer * 2 * _capacity;

    /// <summary>A layer's blocks of values; unused for latent attention.</summary>
    internal byte** Values(int layer) => Keys(layer) + _capacity;

    private void Enter(int block)
    {
        byte* address = _blocks[block].Address;
        for (int layer = 0; layer < _layout.Layers; layer++)
        {
            Keys(layer)[block] = address + layer * _layout.LayerBytes;
            Values(layer)[block] = address + layer * _layout.LayerBytes + _layout.KeyBytes;
        }
    }
}

/// <summary>Where things lie in a block of the cache: layer after layer, keys before values.</summary>
internal sealed class KvLayout
{
    private KvLayout(KvFormat format, int layers, long keyBytes, long valueBytes)
        => (Format, Layers, KeyBytes, LayerBytes) = (format, layers, Aligned(keyBytes), checked(Aligned(keyBytes) + Aligned(valueBytes)));

    public static KvLayout Of(ModelConfig config, KvFormat format, int layers) => config.IsLatentAttention
        ? new(format, layers, KvBlock.ValueBytes(format, 1, checked(config.KvLoraRank + config.QkRopeHeadDim)), 0)
        : new(format, layers, KvBlock.KeyBytes(format, config.NumKeyValueHeads, config.HeadDim), KvBlock.ValueBytes(format, config.NumKeyValueHeads, config.HeadDim));

    /// <summary>The same with more layers.</summary>
    public KvLayout Grown(int layers) => new(Format, checked(Layers + layers), KeyBytes, LayerBytes - KeyBytes);

    public KvFormat Format { get; }
    public int Layers { get; }
    public long KeyBytes { get; }
    public long LayerBytes { get; }
    public long BlockBytes => checked(LayerBytes * Layers);

    // A block of 64 values of any format is a multiple of 64 bytes, so this adds nothing; kernels may count on it.
    private static long Aligned(long bytes) => (bytes + 63) & ~63;
}
