using SeekSharp.Engine;
using SeekSharp.Tokenization;

namespace SeekSharp.Chat;

/// <summary>What all answers to a request may be, and how to tell thinking from answering in a model's ids. Immutable; each answer follows it with a <see cref="GrammarConstraint"/>.</summary>
internal sealed class AnswerRule
{
    /// <param name="model">Whose ids.</param>
    /// <param name="forms">The answer, or with a trigger what follows it, has one of these forms; at least one.</param>
    /// <param name="opensThinking">The prompt ended in an open <c>&lt;think&gt;</c>.</param>
    /// <param name="mayThink">The model may open its thinking by itself.</param>
    /// <param name="trigger">The answer is free, but wherever this tag has come, one of the forms follows, and it is free again; null: the whole answer has a form.</param>
    public AnswerRule(ChatModel model, IReadOnlyList<AnswerForm> forms, bool opensThinking, bool mayThink, string? trigger = null)
    {
        Tokenizer = model.Tokenizer!;
        (Forms, OpensThinking, MaskLength) = (forms, opensThinking, model.GrammarVocabulary.MaskLength);
        EndIds = [.. model.Defaults.StopTokenIds.Where(id => id < Tokenizer.VocabularySize)];
        ThinkOpenId = mayThink && !opensThinking ? Tokenizer.TokenToId("<think>") : null;
        if (opensThinking || ThinkOpenId is not null) ThinkClose = model.TagFinder("</think>");
        if (trigger is not null) Trigger = model.TagFinder(trigger);
    }

    public Tokenizer Tokenizer { get; }
    public IReadOnlyList<AnswerForm> Forms { get; }
    public bool OpensThinking { get; }
    public int MaskLength { get; }
    public int[] EndIds { get; }
    public int? ThinkOpenId { get; }
    public TagFinder? ThinkClose { get; }
    public TagFinder? Trigger { get; }
    /// <summary>Tokens of nothing but white space, which do not come after <see cref="MostBlanks"/> of them: a grammar of JSON lets a weak model indent for ever. Empty: no limit.</summary>
    public int[] BlankIds { get; init; } = [];
    public const int MostBlanks = 20;

    public GrammarConstraint Follow() => new(this);

    public AnswerFormFollower[] NewFollowers() => [.. Forms.Select(form => new AnswerFormFollower(form, EndIds))];
}

/// <summary>Holds one answer to an <see cref="AnswerRule"/>; it begins when the thinking has ended.</summary>
internal sealed class GrammarConstraint : TokenConstraint
{
    private enum Phase { Start, Thinking, Free, Bound }

    /// <param name="Phase">Where the answer is.</param>
    /// <param name="Matched">Bytes of the tag that is sought.</param>
    /// <param name="Round">How many triggers have come.</param>
    /// <param name="Blanks">Bytes of white space at the end of what is bound.</param>
    private readonly record struct Place(Phase Phase, int Matched, int Round, int Blanks = 0);

    private readonly AnswerRule _rule;
    private readonly List<AnswerFormFollower[]> _rounds = []; // the forms behind each trigger; all behind `Round` are unused
    private readonly uint[] _scratch;
    private readonly List<Place> _history = [];
    private Place _place;

    public GrammarConstraint(AnswerRule rule)
    {
        _rule = rule;
        _rounds.Add(rule.NewFollowers());
        _scratch = new uint[rule.MaskLength];
        _place = new(rule.OpensThinking ? Phase.Thinking : rule.ThinkOpenId is not null ? Phase.Start : Answering, 0, 0);
    }

    private Phase Answering => _rule.Trigger is null ? Phase.Bound : Phase.Free;

    /// <summary>The answer is whole: nothing but an end token can follow.</summary>
    public bool IsComplete => _rule.Trigger is null && _place.Phase == Phase.Bound && AllComplete(_rounds[0]);

    public override bool FillMask(Span<uint> mask)
    {
        if (_place.Phase == Phase.Thinking) return Without(_rule.ThinkClose!.FinishesAndGoesOn[_place.Matched], mask);
        if (_place.Phase == Phase.Free || _place.Phase == Phase.Start && _rule.Trigger is not null)
            return Without(_rule.Trigger!.FinishesAndGoesOn[_place.Matched], mask);
        Span<uint> whole = mask.Length == _scratch.Length ? mask : new uint[_scratch.Length]; // a model may have fewer rows than its tokenizer has ids
        whole.Clear();
        foreach (AnswerFormFollower form in _rounds[_place.Round])
            if (form.Fits) form.AddTo(whole, _scratch);
        if (_place.Blanks >= AnswerRule.MostBlanks) EndBlanks(whole);
        if (_place.Phase == Phase.Start) whole[_rule.ThinkOpenId!.Value >> 5] |= 1u << _rule.ThinkOpenId.Value;
        if (whole != mask) whole[..mask.Length].CopyTo(mask);
        return true;
    }

    public override void Accept(int id)
    {
        Place before = _place;
        switch (_place.Phase)
        {
            case Phase.Start when id == _rule.ThinkOpenId:
                _place = new(Phase.Thinking, 0, 0);
                break;
            case Phase.Thinking:
                int matched = _rule.ThinkClose!.Follow(_place.Matched, _rule.Tokenizer.TokenBytes(id));
                _place = _rule.ThinkClose.IsWhole(matched) ? new(Answering, 0, 0) : new(Phase.Thinking, matched, 0);
                break;
            case Phase.Free or Phase.Start when _rule.Trigger is { } trigger:
                matched = trigger.Follow(_place.Matched, _rule.Tokenizer.TokenBytes(id));
                _place = trigger.IsWhole(matched) ? new(Phase.Bound, 0, _place.Round) : new(Phase.Free, matched, _place.Round);
                break;
            default:
                AcceptBound(id);
                break;
        }
        _history.Add(before);
    }

    private void AcceptBound(int id)
    {
        AnswerFormFollower[] forms = _rounds[_place.Round];
        bool fits = false;
        foreach (AnswerFormFollower form in forms)
        {
            form.Accept(id);
            fits |= form.Fits;
        }
        if (!fits)
        {
            foreach (AnswerFormFollower form in forms) form.Rollback(1);
            throw new EngineException(EngineRefusal.Failed, $"the grammar does not admit token {id}");
        }
        ReadOnlySpan<byte> bytes = _rule.BlankIds.Length > 0 ? _rule.Tokenizer.TokenBytes(id) : [];
        int blanks = bytes.Length - bytes.TrimEnd(" \t\r\n"u8).Length;
        _place = new(Phase.Bound, 0, _place.Round, blanks == bytes.Length ? _place.Blanks + blanks : blanks);
        if (_rule.Trigger is null || !AllComplete(forms)) return;
        _place = new(Phase.Free, 0, _place.Round + 1);
        if (_rounds.Count == _place.Round) _rounds.Add(_rule.NewFollowers());
    }

    public override void Rollback(int count)
    {
        for (; count > 0; count--)
        {
            Place before = _history[^1];
            _history.RemoveAt(_history.Count - 1);
            bool bound = before.Phase == Phase.Bound || before.Phase == Phase.Start && _place.Phase == Phase.Bound && _rule.Trigger is null;
            if (bound) // the forms have it to take back
                foreach (AnswerFormFollower form in _rounds[before.Round]) form.Rollback(1);
            _place = before;
        }
    }

    // White space no longer, unless there is nothing else.
    private void EndBlanks(Span<uint> mask)
    {
        mask.CopyTo(_scratch);
        foreach (int id in _rule.BlankIds) _scratch[id >> 5] &= ~(1u << id);
        if (_scratch.AsSpan().ContainsAnyExcept(0u)) _scratch.AsSpan().CopyTo(mask);
    }

    private static bool AllComplete(AnswerFormFollower[] forms)
    {
        bool some = false;
        foreach (AnswerFormFollower form in forms)
        {
            if (!form.Fits) continue;
            if (!form.IsComplete) return false;
            some = true;
        }
        return some;
    }

    // Everything but a few ids, which no form could follow.
    private static bool Without(int[] ids, Span<uint> mask)
    {
        if (ids.Length == 0) return false;
        mask.Fill(uint.MaxValue);
        foreach (int id in ids)
            if (id >> 5 < mask.Length) mask[id >> 5] &= ~(1u << id);
        return true;
    }
}
