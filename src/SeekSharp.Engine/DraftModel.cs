using SeekSharp.Models;

namespace SeekSharp.Engine;

/// <summary>
/// A smaller model that drafts for a larger one. It reads the same text into a cache of its own, a bounded number of tokens a step, so that a long prompt holds nobody up; a sequence gets drafts
/// once it has caught up. All sequences draft together, one token a pass.
/// </summary>
internal sealed class DraftModel : IDisposable
{
    private const int MostRead = 256; // tokens of text in one step

    private readonly LanguageModel _model;
    private readonly BlockPool _pool;
    private readonly List<BatchPart> _parts = [];
    private readonly List<int> _ids = [], _owners = [];
    private float[] _logits = [];

    /// <param name="model">Stays its owner's.</param>
    /// <param name="tokens">Tokens that its cache can hold.</param>
    public DraftModel(LanguageModel model, long tokens)
    {
        _model = model;
        _pool = model.CreatePool((int)Math.Clamp(tokens / KvCache.BlockTokens, 1, 1 << 20));
    }

    /// <summary>Drafts tokens for several sequences.</summary>
    /// <param name="requests">Who wants how many; what cannot be drafted is taken off.</param>
    /// <param name="drafts">[requests, stride] the drafted tokens.</param>
    /// <param name="stride">From one request to the next.</param>
    /// <param name="choose">Chooses a token for a request: logits, request, drafted so far.</param>
    public void Draft(Span<DraftRequest> requests, Span<int> drafts, int stride, DraftChoice choose)
    {
        int budget = MostRead, longest = 0;
        foreach (ref DraftRequest r in requests)
        {
            if (!CatchUp(r.Sequence, ref budget)) r.Count = 0;
            longest = Math.Max(longest, r.Count);
        }
        for (int round = 0; round < longest; round++)
        {
            _parts.Clear();
            _ids.Clear();
            _owners.Clear();
            for (int i = 0; i < requests.Length; i++)
            {
                ref DraftRequest r = ref requests[i];
                if (r.Count <= round) continue;
                KvCache cache = r.Sequence.Draft!.Cache!;
                int next = round == 0 ? r.Sequence.Ids[^1] : drafts[i * stride + round - 1];
                if (next >= _model.VocabularySize || cache.Length >= _model.ContextLength || _pool.Free < cache.Missing(cache.Length + 1))
                {
                    r.Count = round;
                    continue;
                }
                cache.Reserve(cache.Length + 1);
                _parts.Add(new(cache, 1, 1));
                _ids.Add(next);
                _owners.Add(i);
            }
            if (_parts.Count == 0) return;
            int v = _model.VocabularySize;
            if (_logits.Length < _parts.Count * v) _logits = new float[_parts.Count * v];
            _model.Forward(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_parts), System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_ids), _logits.AsSpan(0, _parts.Count * v));
            for (int p = 0; p < _parts.Count; p++)
            {
                int i = _owners[p];
                drafts[i * stride + round] = choose(_logits.AsSpan(p * v, v), requests[i].Sequence, drafts.Slice(i * stride, round));
            }
        }
        _parts.Clear();
    }

    /// <summary>The sequence gives its memory back.</summary>
    public static void Forget(DraftState state)
    {
        state.Cache?.Dispose();
        state.Cache = null;
    }

    // Everything but the last token is read. False where it is not all read yet.
    private bool CatchUp(Sequence sequence, ref int budget)
    {
        DraftState state = sequence.Draft!;
        ReadOnlySpan<int> ids = sequence.Ids;
        if (ids.Length > _model.ContextLength) return false;
        KvCache cache = state.Cache ??= _model.CreateCache(_pool);
        int known = ids.Length - 1;
        if (cache.Length > known) cache.Truncate(known);
        int count = Math.Min(known - cache.Length, budget);
        if (count > 0)
        {
            ReadOnlySpan<int> part = ids.Slice(cache.Length, count);
            foreach (int id in part)
                if (id >= _model.VocabularySize) return false;
            if (_pool.Free < cache.Missing(cache.Length + count)) return false;
            _model.Forward(cache, part, []);
            budget -= count;
        }
        return cache.Length == known;
    }

    public void Dispose() => _pool.Dispose();
}

/// <summary>A sequence that wants so many tokens drafted.</summary>
internal struct DraftRequest
{
    public Sequence Sequence;
    public int Part, Count;
}

/// <summary>Chooses a drafted token.</summary>
internal delegate int DraftChoice(Span<float> logits, Sequence sequence, ReadOnlySpan<int> drafted);
