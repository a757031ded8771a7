using System.Buffers;
using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>The options of a BPE model, named as in tokenizer.json.</summary>
internal sealed record BpeOptions
{
    public string? UnkToken { get; init; }
    public string? ContinuingSubwordPrefix { get; init; }
    public string? EndOfWordSuffix { get; init; }
    public bool FuseUnk { get; init; }
    public bool ByteFallback { get; init; }
    public bool IgnoreMerges { get; init; }
}

/// <summary>
/// A BPE model: a word (a piece that the pre-tokenizers left) to ids. With <c>mapsBytes</c> a word's UTF-8 bytes are written in
/// <see cref="ByteAlphabet"/> before anything is looked up, which is what a ByteLevel pre-tokenizer or normalizer at the end of the chain does.
/// </summary>
internal sealed class BpeModel
{
    private const int MaxAffixes = 1024; // they are written for every word

    private readonly TokenTable _tokens;
    private readonly MergeTable _merges;
    private readonly BpeOptions _options;
    private readonly bool _mapsBytes;
    private readonly byte[] _prefix;
    private readonly byte[] _suffix;
    private readonly int _unknown = -1;
    private readonly int[] _idOfByte = new int[256];     // of the byte's letter, -1: none
    private readonly int[] _fallbackOfByte = new int[256]; // of <0x00>…
    private readonly bool _everyByteHasLetter;

    /// <summary>
    /// Ids from here on are of texts that only merges name: llama.cpp merges through them, and if one is left at the end it writes other ids for it.
    /// </summary>
    private readonly int _firstVirtual;
    private readonly int[][] _virtualIds;

    public BpeModel(TokenTable tokens, MergeTable merges, BpeOptions options, bool mapsBytes, int firstVirtual = int.MaxValue, int[][]? virtualIds = null)
    {
        _firstVirtual = firstVirtual;
        _virtualIds = virtualIds ?? [];
        _tokens = tokens;
        _merges = merges;
        _options = options;
        _mapsBytes = mapsBytes;
        _prefix = Encoding.UTF8.GetBytes(options.ContinuingSubwordPrefix ?? "");
        _suffix = Encoding.UTF8.GetBytes(options.EndOfWordSuffix ?? "");
        if (options.UnkToken is not null) tokens.TryGetId(options.UnkToken, out _unknown);
        if (_prefix.Length + _suffix.Length > MaxAffixes) throw new TokenizerException($"model: continuing_subword_prefix and end_of_word_suffix have over {MaxAffixes} bytes");
        for (int b = 0; b < 256; b++)
        {
            tokens.TryGetId(ByteAlphabet.CharOf((byte)b).ToString(), out _idOfByte[b]);
            tokens.TryGetId($"<0x{b:X2}>", out _fallbackOfByte[b]);
        }
        _everyByteHasLetter = _idOfByte.AsSpan().IndexOf(-1) < 0 && _prefix.Length == 0 && _suffix.Length == 0;
    }

    public TokenTable Tokens => _tokens;

    /// <summary>What one call at a time may use: cache and buffers.</summary>
    internal sealed class Workspace(BpeModel model)
    {
        public readonly WordCache Cache = new();
        public readonly BpeMerger Merger = new(model._merges, alwaysHeap: model._prefix.Length > 0);
        public int[] Symbols = new int[64];
        public byte[] Bytes = new byte[256];
    }

    public Workspace CreateWorkspace() => new(this);

    /// <summary>Appends the ids of a word.</summary>
    public void Encode(ReadOnlySpan<char> word, Workspace w, IdList output)
    {
        if (word.IsEmpty || w.Cache.TryGet(word, output)) return;
        int before = output.Count;
        EncodeUncached(word, w, output);
        w.Cache.Add(word, output.Span[before..]);
    }

    internal void EncodeUncached(ReadOnlySpan<char> word, Workspace w, IdList output)
    {
        int max = word.Length * 3 * (_mapsBytes ? 2 : 1);
        byte[]? rented = max > w.Bytes.Length ? ArrayPool<byte>.Shared.Rent(max) : null;
        byte[]? rentedRaw = _mapsBytes && word.Length * 3 > 512 ? ArrayPool<byte>.Shared.Rent(word.Length * 3) : null;
        try
        {
            Span<byte> text = rented ?? w.Bytes;
            Span<byte> raw = !_mapsBytes ? default : rentedRaw is not null ? rentedRaw : stackalloc byte[512];
            if (_mapsBytes)
            {
                raw = raw[..Encoding.UTF8.GetBytes(word, raw)];
                if (!_options.IgnoreMerges && _everyByteHasLetter)
                {
                    EncodeBytes(raw, w, output);
                    return;
                }
                text = text[..WriteLetters(raw, text)];
            }
            else
            {
                text = text[..Encoding.UTF8.GetBytes(word, text)];
            }
            if (_options.IgnoreMerges && _tokens.TryGetId(text, out int whole) && whole < _firstVirtual) output.Add(whole);
            else if (_mapsBytes && _everyByteHasLetter) EncodeBytes(raw, w, output);
            else EncodeCharacters(text, w, output);
        }
        finally
        {
            if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
            if (rentedRaw is not null) ArrayPool<byte>.Shared.Return(rentedRaw);
        }
    }

    /// <summary>Writes each byte's letter as UTF-8: one byte for printable ASCII, two for all others.</summary>
    private static int WriteLetters(ReadOnlySpan<byte> raw, Span<byte> text)
    {
        int n = 0;
        foreach (byte b in raw)
        {
            char c = ByteAlphabet.CharOf(b);
            if (c < 0x80)
            {
                text[n++] = (byte)c;
            }
            else
            {
                text[n++] = (byte)(0xC0 | c >> 6);
                text[n++] = (byte)(0x80 | c & 0x3F);
            }
        }
        return n;
    }

    private void EncodeBytes(ReadOnlySpan<byte> raw, Workspace w, IdList output)
    {
        if (raw.Length > w.Symbols.Length) w.Symbols = new int[raw.Length];
        Span<int> symbols = w.Symbols.AsSpan(0, raw.Length);
        for (int i = 0; i < raw.Length; i++) symbols[i] = _idOfByte[raw[i]];
        Finish(symbols, w, output);
    }

    private void EncodeCharacters(ReadOnlySpan<byte> text, Workspace w, IdList output)
    {
        int n = 0;
        int unknown = -1; // an unknown token that is not written yet
        byte[] letter = _prefix.Length + _suffix.Length > 0 ? new byte[_prefix.Length + 4 + _suffix.Length] : [];
        for (int i = 0; i < text.Length;)
        {
            int length = text[i] < 0x80 ? 1 : text[i] < 0xE0 ? 2 : text[i] < 0xF0 ? 3 : 4;
            ReadOnlySpan<byte> s = text.Slice(i, length);
            bool first = i == 0;
            i += length;
            if (!first && _prefix.Length > 0 || i == text.Length && _suffix.Length > 0)
            {
                int at = 0;
                if (!first)
                {
                    _prefix.CopyTo(letter, 0);
                    at = _prefix.Length;
                }
                s.CopyTo(letter.AsSpan(at));
                at += length;
                if (i == text.Length)
                {
                    _suffix.CopyTo(letter, at);
                    at += _suffix.Length;
                }
                s = letter.AsSpan(0, at);
            }

            // Byte fallback gives an id for every byte, those of the affixes too; a waiting unknown token is one more.
            if (n + s.Length + 2 > w.Symbols.Length) Array.Resize(ref w.Symbols, Math.Max(w.Symbols.Length * 2, n + s.Length + 2));
            int[] symbols = w.Symbols;
            if (_tokens.TryGetId(s, out int id))
            {
                if (unknown >= 0) symbols[n++] = unknown;
                unknown = -1;
                symbols[n++] = id;
            }
            else if (_options.ByteFallback && TryWriteBytes(s, symbols.AsSpan(n)))
            {
                n += s.Length; // An unknown token that waits goes on waiting: so the library does it.
            }
            else if (_options.UnkToken is not null)
            {
                if (unknown >= 0 && !_options.FuseUnk) symbols[n++] = unknown;
                unknown = _unknown;
                if (unknown < 0)
                    throw new TokenizerException($"model.unk_token: \"{_options.UnkToken}\" is not in the vocabulary, and the text has an unknown character");
            }
        }
        if (unknown >= 0) w.Symbols[n++] = unknown;
        Finish(w.Symbols.AsSpan(0, n), w, output);
    }

    private bool TryWriteBytes(ReadOnlySpan<byte> s, Span<int> symbols)
    {
        foreach (byte b in s)
            if (_fallbackOfByte[b] < 0) return false;
        for (int i = 0; i < s.Length; i++) symbols[i] = _fallbackOfByte[s[i]];
        return true;
    }

    private void Finish(Span<int> symbols, Workspace w, IdList output)
    {
        Span<int> merged = symbols[..w.Merger.Merge(symbols)];
        if (_virtualIds.Length == 0)
        {
            output.AddRange(merged);
        }
        else
        {
            foreach (int id in merged)
            {
                if (id < _firstVirtual) output.Add(id);
                else output.AddRange(_virtualIds[id - _firstVirtual]);
            }
        }
        if (w.Symbols.Length > 1 << 20) w.Symbols = new int[64];
    }
}
