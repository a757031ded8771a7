using System.Diagnostics;
using SeekSharp.Models;

namespace SeekSharp.Engine;

/// <summary>
/// Guesses the next tokens of sequences, so that one pass of the model can check several (Leviathan et al., arXiv 2211.17192; the prediction module: DeepSeek-V3, arXiv 2412.19437, section 2.2).
/// <para>
/// Departs from the paper in how a guess is checked: not by comparing two probabilities, but by choosing. At each place the token is chosen as it would be without speculation, from the same logits and with
/// the same draw, which belongs to the seed and the place (<see cref="CounterRandom"/>); a guess holds if it is that token. So the text is exactly the one without, sampled texts too, and a rejected
/// guess leaves nothing but rows of the cache that are written anew. A module or a draft model guesses with the same draw, which makes it agree most often.
/// </para>
/// It drafts in steps that only decode, and for each sequence as far as it pays (<see cref="DraftLength"/>). Not safe for several threads.
/// </summary>
internal sealed class SpeculativeDecoder : IDisposable
{
    private const int MostSequences = 64;

    private readonly LanguageModel _model;
    private readonly SpeculationOptions _options;
    private readonly int _vocabulary, _most;
    private readonly bool _mtp;
    private readonly Sampler _sampler;
    private readonly DraftModel? _draftModel;
    private readonly DraftChoice _choose;
    private readonly RowCost _cost = new();
    private readonly double[] _draftSeconds = new double[3]; // a token, by kind
    private readonly SpeculationStatistics[] _statistics = new SpeculationStatistics[3];
    private readonly int[] _drafts = new int[MostSequences * 64]; // [sequences, most]
    private readonly int[] _counts = new int[MostSequences];
    private readonly DraftRequest[] _requests = new DraftRequest[MostSequences];
    private readonly KvCache[] _caches = new KvCache[MostSequences];
    private readonly int[] _next = new int[MostSequences], _made = new int[MostSequences * 64];
    private int[] _text = [];      // a sequence with its draft
    private float[] _logits = [];
    private int _parts;
    private bool _guesses = true; // a module or a draft model works

    /// <param name="model">The model whose tokens are guessed.</param>
    /// <param name="options">How.</param>
    /// <param name="vocabulary">Ids below it can be chosen.</param>
    /// <param name="followsMtp">The sequences' caches follow the prediction module.</param>
    /// <param name="tokens">Tokens that a draft model's cache may hold.</param>
    /// <exception cref="EngineException">The draft model has other tokens.</exception>
    public SpeculativeDecoder(LanguageModel model, SpeculationOptions options, int vocabulary, bool followsMtp, long tokens)
    {
        (_model, _options, _vocabulary, _mtp) = (model, options, vocabulary, followsMtp && options.MultiTokenPrediction);
        _most = Math.Clamp(options.MostDrafted, 1, followsMtp ? KvCache.MostRefused : 63);
        _sampler = new Sampler(vocabulary);
        _choose = Choose;
        if (options.DraftModel is { } draft) _draftModel = new DraftModel(draft, tokens);
    }

    /// <summary>There is anything to draft with.</summary>
    public bool IsOn => _options.Lookup || _mtp || _draftModel is not null;

    public SpeculationStatistics Of(DraftKind kind) => _statistics[(int)kind];

    /// <summary>The draft of a part of the step.</summary>
    public ReadOnlySpan<int> DraftOf(int part) => part < _parts ? _drafts.AsSpan(part * _most, _counts[part]) : [];

    /// <summary>Drafts for a step's sequences, if it decodes only; and reserves the memory that checking takes.</summary>
    /// <param name="batch">The step.</param>
    /// <param name="memory">Blocks.</param>
    /// <param name="contextLength">Longest sequence.</param>
    /// <param name="mostTokens">Tokens that a step may have.</param>
    public void Draft(IReadOnlyList<ScheduledPart> batch, KvMemory memory, int contextLength, int mostTokens)
    {
        // 1. May this step be drafted for? 2. What the text itself offers. 3. What a module or a draft model would offer, where that is worth more. 4. They draft. 5. Memory.
        // 1.
        _parts = 0;
        if (!IsOn || batch.Count > MostSequences) return;
        for (int i = 0; i < batch.Count; i++)
            if (!batch[i].Chooses || batch[i].Count != 1) return;
        _parts = batch.Count;

        int rows = batch.Count, requests = 0;
        for (int i = 0; i < batch.Count; i++)
        {
            _counts[i] = 0;
            Sequence s = batch[i].Sequence;
            int most = Math.Min(_most, Math.Min(contextLength - s.Ids.Length, (s.Parameters.MaxTokens ?? int.MaxValue) - s.Generated.Length - 1));
            most = Math.Min(most, mostTokens - rows);
            if (most < 1 || s.IsForced) continue;
            DraftState state = s.Draft ??= new DraftState(s.Ids.Length + Math.Min(s.Parameters.MaxTokens ?? 1024, 4096));

            // 2.
            double gain = 0;
            state.Length = null;
            if (_options.Lookup && state.Lookup.Propose(s.Ids, _drafts.AsSpan(i * _most, most)) is > 0 and int matched)
                Take(state, DraftKind.Lookup, state.LengthOf(DraftKind.Lookup, matched), most, batch.Count, rows, ref _counts[i], ref gain);

            // 3.
            DraftKind? kind = !_guesses ? null : _draftModel is not null ? DraftKind.Model : _mtp && !s.Cache!.LastHidden.IsEmpty ? DraftKind.Mtp : null;
            if (kind is { } guessing)
            {
                int count = 0;
                Take(state, guessing, state.LengthOf(guessing), guessing == DraftKind.Mtp ? 1 : most, batch.Count, rows, ref count, ref gain);
                if (count > 0)
                {
                    _requests[requests++] = new DraftRequest { Sequence = s, Part = i, Count = count };
                    _counts[i] = 0;
                }
                rows += count;
            }
            rows += _counts[i];
        }

        // 4.
        try
        {
            if (requests > 0) Guess(_requests.AsSpan(0, requests));
        }
        catch (Exception e) when (e is ModelException or OutOfMemoryException) // no memory for a draft model: no answer is to suffer for it
        {
            _guesses = false;
        }

        // 5.
        for (int i = 0; i < batch.Count; i++)
        {
            if (_counts[i] == 0) continue;
            Sequence s = batch[i].Sequence;
            int length = s.Ids.Length + _counts[i];
            if (memory.MakeRoom(s, length)) s.Cache!.Reserve(length);
            else _counts[i] = 0;
        }
        Array.Clear(_requests, 0, requests);
    }

    /// <summary>A step that decoded only took so long for all its rows.</summary>
    public void Learn(IReadOnlyList<ScheduledPart> batch, TimeSpan time)
    {
        if (_parts == 0) return;
        int rows = 0;
        for (int i = 0; i < batch.Count; i++) rows += 1 + _counts[i];
        _cost.Learn(rows, time);
    }

    /// <summary>What became of a part's draft.</summary>
    /// <returns>Where it came from.</returns>
    public DraftKind Checked(int part, Sequence sequence, int accepted)
    {
        int proposed = DraftOf(part).Length;
        DraftState state = sequence.Draft!;
        state.Length!.Learn(proposed, accepted);
        state.Proposed += proposed;
        state.Accepted += accepted;
        ref SpeculationStatistics s = ref _statistics[(int)state.Kind];
        s = new(s.Proposed + proposed, s.Accepted + accepted);
        return state.Kind;
    }

    // As many as pay, if that is worth more than what there was.
    private void Take(DraftState state, DraftKind kind, DraftLength length, int most, int sequences, int rows, ref int count, ref double gain)
    {
        double worth = 1;
        int wanted = _options.Always ? most : length.Choose(most, sequences, rows, _cost, _draftSeconds[(int)kind], out worth);
        if (wanted == 0 || (state.Length is not null && worth <= gain)) return;
        (state.Kind, state.Length, gain, count) = (kind, length, worth, wanted);
    }

    private void Guess(Span<DraftRequest> requests)
    {
        long began = Stopwatch.GetTimestamp();
        int stride = _most, tokens = 0;
        DraftKind kind = _draftModel is not null ? DraftKind.Model : DraftKind.Mtp;
        if (_draftModel is not null) _draftModel.Draft(requests, _made, stride, _choose);
        else
        {
            int v = _model.VocabularySize;
            if (_logits.Length < requests.Length * v) _logits = new float[requests.Length * v];
            for (int r = 0; r < requests.Length; r++) (_caches[r], _next[r]) = (requests[r].Sequence.Cache!, requests[r].Sequence.Ids[^1]);
            _model.Draft(_caches.AsSpan(0, requests.Length), _next.AsSpan(0, requests.Length), _logits.AsSpan(0, requests.Length * v));
            for (int r = 0; r < requests.Length; r++) _made[r * stride] = Choose(_logits.AsSpan(r * v, v), requests[r].Sequence, []);
            Array.Clear(_caches, 0, requests.Length);
        }
        for (int r = 0; r < requests.Length; r++)
        {
            int i = requests[r].Part, count = requests[r].Count;
            _made.AsSpan(r * stride, count).CopyTo(_drafts.AsSpan(i * _most));
            _counts[i] = count;
            tokens += count;
        }
        if (tokens == 0) return; // the draft model is still reading
        double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds / tokens;
        ref double known = ref _draftSeconds[(int)kind];
        known = known == 0 ? seconds : known + 0.2 * (Math.Min(seconds, 3 * known) - known);
    }

    // As the sequence itself would choose, from other logits: with its penalties, its filters and its draw.
    private int Choose(Span<float> logits, Sequence sequence, ReadOnlySpan<int> drafted)
    {
        ReadOnlySpan<int> ids = sequence.Ids;
        if (drafted.Length > 0)
        {
            if (_text.Length < ids.Length + drafted.Length) _text = new int[2 * (ids.Length + _most)];
            ids.CopyTo(_text);
            drafted.CopyTo(_text.AsSpan(ids.Length));
            ids = _text.AsSpan(0, ids.Length + drafted.Length);
        }
        try
        {
            return _sampler.Sample(logits[..Math.Min(logits.Length, _vocabulary)], sequence.Parameters, ids, sequence.PromptLength);
        }
        catch (EngineException) // logits that are no numbers: a guess like any other
        {
            return 0;
        }
    }

    public void Dispose() => _draftModel?.Dispose();
}
