using SeekSharp.Engine;
using SeekSharp.Tokenization;

namespace SeekSharp.Chat;

/// <summary>What all answers to a request may be, and how to tell thinking from answering in a model's ids. Immutable; each answer follows it with a <see cref="GrammarConstraint"/>.</summary>
internal sealed class AnswerRule
{
    private const string Close = "</think>";

    /// <param name="model">Whose ids.</param>
    /// <param name="forms">The answer has one of these forms; at least one.</param>
    /// <param name="opensThinking">The prompt ended in an open <c>&lt;think&gt;</c>.</param>
    /// <param name="mayThink">The model may open its thinking by itself.</param>
    public AnswerRule(ChatModel model, IReadOnlyList<AnswerForm> forms, bool opensThinking, bool mayThink)
    {
        Tokenizer = model.Tokenizer!;
        (Forms, OpensThinking, MaskLength) = (forms, opensThinking, model.GrammarVocabulary.MaskLength);
        EndIds = [.. model.Defaults.StopTokenIds.Where(id => id < Tokenizer.VocabularySize)];
        ThinkOpenId = mayThink && !opensThinking ? Tokenizer.TokenToId("<think>") : null;
        CloseAndMore = opensThinking || ThinkOpenId is not null ? model.CloseAndMoreIds : [];
    }

    public Tokenizer Tokenizer { get; }
    public IReadOnlyList<AnswerForm> Forms { get; }
    public bool OpensThinking { get; }
    public int MaskLength { get; }
    public int[] EndIds { get; }
    public int? ThinkOpenId { get; }
    /// <summary>By the number of letters of the closing tag that stand already: tokens that finish it and go on with part of an answer, which no grammar would see.</summary>
    public IReadOnlyList<int[]> CloseAndMore { get; }

    public GrammarConstraint Follow() => new(this);

    /// <summary>Letters of the closing tag at the end of a text that had <paramref name="matched"/> of them and goes on with these bytes; 8 when it is complete.</summary>
    public static int Matched(int matched, ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes)
        {
            if (matched == Close.Length) break;
            matched = b == Close[matched] ? matched + 1 : b == '<' ? 1 : 0;
        }
        return matched;
    }

    /// <summary>For <see cref="CloseAndMore"/>.</summary>
    public static int[][] FindCloseAndMore(Tokenizer tokenizer)
    {
        var found = new List<int>[Close.Length];
        for (int m = 0; m < Close.Length; m++) found[m] = [];
        for (int id = 0; id < tokenizer.VocabularySize; id++)
        {
            ReadOnlySpan<byte> bytes = tokenizer.TokenBytes(id);
            int end = bytes.IndexOf((byte)'>');
            if (end < 0 || bytes[(end + 1)..].Trim(" \t\r\n"u8).IsEmpty) continue;
            for (int m = 0; m < Close.Length; m++)
                if (Matched(m, bytes[..(end + 1)]) == Close.Length) found[m].Add(id);
        }
        return [.. found.Select(ids => ids.ToArray())];
    }

    public static bool IsClosed(int matched) => matched == Close.Length;
}

/// <summary>Holds one answer to an <see cref="AnswerRule"/>; it begins when the thinking has ended.</summary>
internal sealed class GrammarConstraint : TokenConstraint
{
    private enum Phase { Start, Thinking, Answer }

    private readonly AnswerRule _rule;
    private readonly AnswerFormFollower[] _forms;
    private readonly uint[] _scratch;
    private readonly List<(Phase Phase, int Matched)> _history = [];
    private (Phase Phase, int Matched) _place;

    public GrammarConstraint(AnswerRule rule)
    {
        _rule = rule;
        _forms = [.. rule.Forms.Select(form => new AnswerFormFollower(form, rule.EndIds))];
        _scratch = new uint[rule.MaskLength];
        _place = (rule.OpensThinking ? Phase.Thinking : rule.ThinkOpenId is not null ? Phase.Start : Phase.Answer, 0);
    }

    /// <summary>The answer is whole: nothing but an end token can follow.</summary>
    public bool IsComplete
    {
        get
        {
            if (_place.Phase != Phase.Answer) return false;
            bool some = false;
            foreach (AnswerFormFollower form in _forms)
            {
                if (!form.Fits) continue;
                if (!form.IsComplete) return false;
                some = true;
            }
            return some;
        }
    }

    public override bool FillMask(Span<uint> mask)
    {
        if (_place.Phase == Phase.Thinking)
        {
            int[] strange = _rule.CloseAndMore[_place.Matched];
            if (strange.Length == 0) return false;
            mask.Fill(uint.MaxValue);
            foreach (int id in strange)
                if (id >> 5 < mask.Length) mask[id >> 5] &= ~(1u << id);
            return true;
        }
        Span<uint> whole = mask.Length == _scratch.Length ? mask : new uint[_scratch.Length]; // a model may have fewer rows than its tokenizer has ids
        whole.Clear();
        foreach (AnswerFormFollower form in _forms)
            if (form.Fits) form.AddTo(whole, _scratch);
        if (_place.Phase == Phase.Start) whole[_rule.ThinkOpenId!.Value >> 5] |= 1u << _rule.ThinkOpenId.Value;
        if (whole != mask) whole[..mask.Length].CopyTo(mask);
        return true;
    }

    public override void Accept(int id)
    {
        (Phase Phase, int Matched) before = _place;
        switch (_place.Phase)
        {
            case Phase.Start when id == _rule.ThinkOpenId:
                _place = (Phase.Thinking, 0);
                break;
            case Phase.Thinking:
                int matched = AnswerRule.Matched(_place.Matched, _rule.Tokenizer.TokenBytes(id));
                _place = AnswerRule.IsClosed(matched) ? (Phase.Answer, 0) : (Phase.Thinking, matched);
                break;
            default:
                _place = (Phase.Answer, 0);
                bool fits = false;
                foreach (AnswerFormFollower form in _forms)
                {
                    form.Accept(id);
                    fits |= form.Fits;
                }
                if (!fits)
                {
                    foreach (AnswerFormFollower form in _forms) form.Rollback(1);
                    _place = before;
                    throw new EngineException(EngineRefusal.Failed, $"the grammar does not admit token {id}");
                }
                before = (before.Phase, -1); // the forms have it to take back
                break;
        }
        _history.Add(before);
    }

    public override void Rollback(int count)
    {
        for (; count > 0; count--)
        {
            (Phase phase, int matched) = _history[^1];
            _history.RemoveAt(_history.Count - 1);
            if (matched < 0)
                foreach (AnswerFormFollower form in _forms) form.Rollback(1);
            _place = (phase, Math.Max(matched, 0));
        }
    }
}
