using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>
/// The <c>llama</c> kind, SentencePiece's BPE: spaces become ▁, and of all neighbours that together are a token, the one with the highest score merges first,
/// the leftmost among equals. What is no token in the end becomes its bytes, <c>&lt;0x00&gt;</c>….
/// </summary>
internal sealed class SentencePieceEncoder : GgufEncoder.WordEncoder
{
    private readonly TokenTable _tokens;
    private readonly float[]? _scores;
    private readonly bool _spacePrefix;
    private readonly int[] _idOfByte = new int[256];
    private readonly int _longest;
    private readonly PriorityQueue<(int Left, int Right, int Size), ulong> _queue = new();

    public SentencePieceEncoder(GgufVocabulary v, TokenTable tokens, int unknownId, bool spacePrefix)
    {
        _tokens = tokens;
        _scores = v.Scores;
        _spacePrefix = spacePrefix;
        for (int i = 0; i < tokens.Count; i++) _longest = Math.Max(_longest, tokens.TextOf(i).Length);
        for (int b = 0; b < 256; b++)
            if (!tokens.TryGetId($"<0x{b:X2}>", out _idOfByte[b]) && !(b < 128 && tokens.TryGetId(((char)b).ToString(), out _idOfByte[b]))) _idOfByte[b] = unknownId;
    }

    private SentencePieceEncoder(SentencePieceEncoder other)
    {
        _tokens = other._tokens;
        _scores = other._scores;
        _spacePrefix = other._spacePrefix;
        _idOfByte = other._idOfByte;
        _longest = other._longest;
    }

    public override GgufEncoder.WordEncoder Fork() => new SentencePieceEncoder(this);

    public override void Encode(string text, int start, int length, bool behindSpecial, IdList output)
    {
        string words = text.Substring(start, length).Replace(' ', '▁');
        if (_spacePrefix && behindSpecial) words = "▁" + words;
        byte[] utf8 = Encoding.UTF8.GetBytes(words);

        // A symbol is known by where it begins: its length in bytes (0: merged away) and its neighbours.
        int[] sizes = new int[utf8.Length];
        int[] next = new int[utf8.Length];
        int[] previous = new int[utf8.Length];
        int last = -1;
        for (int i = 0; i < utf8.Length;)
        {
            int size = utf8[i] < 0x80 ? 1 : utf8[i] < 0xE0 ? 2 : utf8[i] < 0xF0 ? 3 : 4;
            sizes[i] = size;
            previous[i] = last;
            next[i] = i + size < utf8.Length ? i + size : -1;
            last = i;
            i += size;
        }
        _queue.Clear();
        for (int i = 0; i >= 0; i = next[i]) Offer(utf8, sizes, i, next[i]);
        while (_queue.TryDequeue(out (int Left, int Right, int Size) pair, out _))
        {
            (int left, int right, int size) = pair;
            if (sizes[left] == 0 || sizes[right] == 0 || sizes[left] + sizes[right] != size) continue;
            sizes[left] = size;
            sizes[right] = 0;
            next[left] = next[right];
            if (next[left] >= 0) previous[next[left]] = left;
            Offer(utf8, sizes, previous[left], left);
            Offer(utf8, sizes, left, next[left]);
        }
        for (int i = 0; i >= 0; i = next[i])
        {
            if (_tokens.TryGetId(utf8.AsSpan(i, sizes[i]), out int id)) output.Add(id);
            else
                foreach (byte b in utf8.AsSpan(i, sizes[i])) output.Add(_idOfByte[b]);
        }
    }

    private void Offer(byte[] utf8, int[] sizes, int left, int right)
    {
        if (left < 0 || right < 0) return;
        int size = sizes[left] + sizes[right];
        if (size > _longest || !_tokens.TryGetId(utf8.AsSpan(left, size), out int id)) return;
        // Floats in order as unsigned numbers; the lowest key comes first.
        float score = _scores?[id] ?? 0;
        uint bits = BitConverter.SingleToUInt32Bits(float.IsNaN(score) ? float.NegativeInfinity : score == 0 ? 0 : score);
        uint ordered = (bits & 0x8000_0000) != 0 ? ~bits : bits | 0x8000_0000;
        _queue.Enqueue((left, right, size), (ulong)~ordered << 32 | (uint)left);
    }
}
