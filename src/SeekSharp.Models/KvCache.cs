using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>
/// The keys and values of one sequence, in blocks of 64 tokens that are taken when they are needed: from memory of its own, or from an
/// engine's pool, where sequences share the blocks of a common beginning. With grouped-query
/// attention a layer keeps a key and a value for each head; with multi-head latent attention only the latent and the rotated
/// key that all heads share: exactly <c>kv_lora_rank + qk_rope_head_dim</c> values a token and layer (DeepSeek-V2, arXiv
/// 2405.04434, section 2.1). Made by <see cref="LanguageModel.CreateCache(bool)"/>, for that model alone.
/// </summary>
public sealed unsafe class KvCache : IDisposable
{
    /// <summary>Tokens in a block.</summary>
    public const int BlockTokens = KvBlock.Tokens;

    private readonly BlockPool? _own; // null where the pool is an engine's
    /// <summary>Tokens that can be cut off after a step with the module still able to follow.</summary>
    internal const int MostRefused = HiddenKept - 1;
    private const int HiddenKept = 16; // rows: so many drafts can be refused and the last accepted token's hidden state is still there

    private readonly float[]? _hidden; // [HiddenKept, H]
    private readonly int _hiddenWidth;
    private int _hiddenFirst, _hiddenCount; // positions that it holds
    private bool _disposed;

    /// <summary>A cache with memory of its own.</summary>
    internal KvCache(KvLayout layout, int mtpHidden = 0) : this(new BlockPool(layout), mtpHidden) => _own = Table.Pool;

    /// <summary>A cache in a pool.</summary>
    /// <param name="pool">Stays its owner's, and must outlive this.</param>
    /// <param name="mtpHidden">H where a multi-token-prediction module follows the sequence, 0 without.</param>
    internal KvCache(BlockPool pool, int mtpHidden = 0)
    {
        Table = new BlockTable(pool);
        _hiddenWidth = mtpHidden;
        if (mtpHidden > 0) _hidden = new float[HiddenKept * mtpHidden];
    }

    internal KvLayout Layout => Table.Pool.Layout;

    internal BlockTable Table { get; }

    /// <summary>What changes the model for this sequence; null for nothing. Set while it is empty.</summary>
    internal LoraAdapter? Adapter { get; init; }

    /// <summary>Tokens held.</summary>
    public int Length { get; private set; }

    /// <summary>Bytes of the blocks, shared ones too.</summary>
    public long Bytes => Table.Count * Layout.BlockBytes;

    /// <summary>Bytes that a token takes in all layers.</summary>
    public long BytesPerToken => Layout.BlockBytes / BlockTokens;

    /// <summary>How keys and values are stored.</summary>
    public KvFormat Format => Layout.Format;

    /// <summary>A multi-token-prediction module follows this sequence, in a layer of its own.</summary>
    internal bool FollowsMtp => _hidden is not null;

    /// <summary>
    /// Tokens in the module's layer. The module needs a token's hidden state and the token after it, so it is one behind; as far as the sequence itself
    /// after <see cref="StepBack"/>.
    /// </summary>
    internal int MtpLength { get; private set; }

    /// <summary>[H]: the last token's hidden state after the final norm, for the module; empty where it is not known.</summary>
    internal ReadOnlySpan<float> LastHidden => Length - 1 - _hiddenFirst is int row && row >= 0 && row < _hiddenCount ? _hidden.AsSpan(row * _hiddenWidth, _hiddenWidth) : [];

    /// <summary>Forgets every token from <paramref name="length"/> on; the memory stays for the tokens to come.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Negative, or more than are held.</exception>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        if (length == Length) return;
        Length = length;
        MtpLength = Math.Min(MtpLength, Math.Max(0, length - 1));
    }

    /// <summary>Forgets the last token, with the promise that the same one comes again: so it gets its hidden state for the module, whose layer stays as it is.</summary>
    internal void StepBack()
    {
        if (Length > 0) MtpLength = Math.Min(MtpLength, --Length);
    }

    /// <summary>Undoes a <see cref="StepBack"/> from a block's end: another block follows.</summary>
    internal void StepForward() => Length++;

    /// <summary>Appends a full block that holds the sequence's next 64 tokens, and that others hold too. The sequence ends at a block's end.</summary>
    internal void Share(int block)
    {
        if (Length % BlockTokens != 0) throw new InvalidOperationException($"a block cannot follow {Length} tokens");
        Table.Cut(Length / BlockTokens);
        Table.Share(block);
        Length += BlockTokens;
        MtpLength = Length - 1; // the last slot of the module's layer belongs to another sequence's next token
        _hiddenCount = 0;
    }

    /// <summary>Blocks that <see cref="Reserve"/> would take from the pool.</summary>
    internal int Missing(int length) => Table.Missing(FirstWritten, Blocks(length));

    /// <summary>Makes room for tokens 0 … length − 1, and sees to it that what will be written is nobody else's.</summary>
    /// <exception cref="ModelException">The pool has no more blocks.</exception>
    internal void Reserve(int length)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Table.Own(FirstWritten, Blocks(length));
    }

    /// <summary>The tokens are in the blocks.</summary>
    internal void Advance(int tokens)
    {
        Length += tokens;
        _hiddenCount = 0;
    }

    /// <summary>As <see cref="Advance(int)"/>, with the module following.</summary>
    /// <param name="tokens">T, at least one.</param>
    /// <param name="hidden">[T, H] the tokens' hidden states after the final norm.</param>
    /// <param name="stride">From one to the next, in floats.</param>
    internal void Advance(int tokens, float* hidden, int stride)
    {
        Length += tokens;
        MtpLength = Length - 1;
        _hiddenCount = Math.Min(tokens, HiddenKept);
        _hiddenFirst = Length - _hiddenCount;
        for (int i = 0; i < _hiddenCount; i++)
            new ReadOnlySpan<float>(hidden + (long)(tokens - _hiddenCount + i) * stride, _hiddenWidth).CopyTo(_hidden.AsSpan(i * _hiddenWidth));
    }

    /// <summary>Gives every block back. The cache is empty, and can be used again.</summary>
    internal void Release()
    {
        Table.Cut(0);
        (Length, MtpLength, _hiddenCount) = (0, 0, 0);
    }

    /// <summary>A layer's blocks of keys; for latent attention, of latents.</summary>
    internal byte** Keys(int layer) => Table.Keys(layer);

    /// <summary>A layer's blocks of values; unused for latent attention.</summary>
    internal byte** Values(int layer) => Table.Values(layer);

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        Table.Dispose();
        _own?.Dispose();
        Length = 0;
    }

    internal static int Blocks(int tokens) => (int)(((long)tokens + BlockTokens - 1) / BlockTokens);

    // The module writes a place before the model does.
    private int FirstWritten => Math.Min(Length, FollowsMtp ? MtpLength : Length) / BlockTokens;
}

/// <summary>Where things lie in a block of the cache: layer after layer, keys before values.</summary>
internal sealed class KvLayout
{
    private KvLayout(KvFormat format, int layers, long keyBytes, long valueBytes)
        => (Format, Layers, KeyBytes, LayerBytes) = (format, layers, Aligned(keyBytes), checked(Aligned(keyBytes) + Aligned(valueBytes)));

    public static KvLayout Of(ModelConfig config, KvFormat format, int layers) => config.IsLatentAttention
        ? new(format, layers, LatentBlock.Bytes(format, config.KvLoraRank, config.QkRopeHeadDim), 0)
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
