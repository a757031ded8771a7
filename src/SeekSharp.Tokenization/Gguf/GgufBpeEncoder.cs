using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>The <c>gpt2</c> kind: pre-tokenizers, then byte-level BPE.</summary>
internal sealed class GgufBpeEncoder : GgufEncoder.WordEncoder
{
    private readonly BpeModel _model;
    private readonly PreTokenizer[] _steps;
    private readonly BpeModel.Workspace _work;
    private PieceList _from = new();
    private PieceList _to = new();

    public GgufBpeEncoder(GgufVocabulary v, TokenTable tokens, GgufPreTokenizers.Kind pre)
    {
        _steps = pre.Steps;
        _model = MakeModel(v, tokens, pre.IgnoreMerges);
        _work = _model.CreateWorkspace();
    }

    private GgufBpeEncoder(GgufBpeEncoder other)
    {
        _steps = other._steps;
        _model = other._model;
        _work = _model.CreateWorkspace();
    }

    public override GgufEncoder.WordEncoder Fork() => new GgufBpeEncoder(this);

    public override void Encode(string text, int start, int length, bool behindSpecial, IdList output)
    {
        _from.Clear();
        _from.Add(text, start, length, first: false);
        long budget = TextPattern.Budget(length);
        PreTokenizer.CutAll(_steps, ref _from, ref _to, ref budget);
        for (int i = 0; i < _from.Count; i++) _model.Encode(_from[i].Span, _work, output);
        _from.Clear();
    }

    /// <summary>
    /// llama.cpp merges texts, whether or not the vocabulary has them, and only at the end looks each up. So every text that a merge names gets an id, and
    /// those that are no tokens get one behind the vocabulary.
    /// </summary>
    private static BpeModel MakeModel(GgufVocabulary v, TokenTable tokens, bool ignoreMerges)
    {
        int n = v.Tokens.Length;
        TokenTable all = new(n, n * 8);
        for (int i = 0; i < tokens.Count; i++) all.Set(tokens.TextOf(i), tokens.IdOf(i));
        List<int[]> virtualIds = [];

        int IdOf(string text)
        {
            if (all.TryGetId(text, out int id)) return id;
            // At the end such a text is written byte by byte, with the bytes that are tokens as they stand; that can only be ASCII.
            List<int> bytes = [];
            foreach (char c in text)
                if (c < 128 && tokens.TryGetId(c.ToString(), out int one)) bytes.Add(one);
            id = n + virtualIds.Count;
            virtualIds.Add([.. bytes]);
            all.Set(Encoding.UTF8.GetBytes(text), id);
            return id;
        }

        for (int b = 0; b < 256; b++) IdOf(ByteAlphabet.CharOf((byte)b).ToString());
        MergeTable merges = new(v.Merges!.Length);
        for (int rank = 0; rank < v.Merges.Length; rank++)
        {
            string line = v.Merges[rank];
            int space = line.Length > 1 ? line.IndexOf(' ', 1) : -1;
            if (space < 0) continue; // A pair of nothing, which no text has.
            string left = line[..space];
            string right = line[(space + 1)..];
            if (right.Length == 0) continue;
            merges.SetIfAbsent(IdOf(left), IdOf(right), rank, IdOf(left + right));
        }
        return new BpeModel(all, merges, new BpeOptions { IgnoreMerges = ignoreMerges }, mapsBytes: true, n, [.. virtualIds]);
    }
}
