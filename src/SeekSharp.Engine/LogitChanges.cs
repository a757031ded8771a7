namespace SeekSharp.Engine;

/// <summary>
/// What a request does to the model's logits before a token is chosen: penalties for what the sequence holds already, biases, a grammar's mask. The penalties are counted anew from
/// the ids at each choice, which costs two nanoseconds an id and leaves no state behind: a sequence that was interrupted, or a draft that was rejected, needs no repair.
/// </summary>
internal sealed class LogitChanges(int vocabularySize)
{
    private const int InPrompt = 1 << 30;

    private readonly uint[] _mask = new uint[(vocabularySize + 31) / 32];
    private int[] _counts = []; // [V] all 0 between two calls: how often an id was generated, and whether the prompt has it

    /// <summary>Changes logits in place.</summary>
    /// <param name="logits">[V]</param>
    /// <param name="parameters">Checked parameters.</param>
    /// <param name="ids">The sequence: its prompt and what was generated.</param>
    /// <param name="promptLength">Tokens of the prompt.</param>
    /// <param name="constraint">Null without.</param>
    public void Apply(Span<float> logits, SamplingParams parameters, ReadOnlySpan<int> ids, int promptLength, TokenConstraint? constraint)
    {
        if (parameters.Penalizes) Penalize(logits, parameters, ids, promptLength);
        IReadOnlyList<LogitBias> biases = parameters.LogitBias;
        for (int i = 0; i < biases.Count; i++)
            if (biases[i].Id < logits.Length) logits[biases[i].Id] += biases[i].Bias;
        if (constraint is not null && constraint.FillMask(_mask)) Mask(logits, _mask);
    }

    private void Penalize(Span<float> logits, SamplingParams p, ReadOnlySpan<int> ids, int promptLength)
    {
        if (_counts.Length == 0) _counts = new int[logits.Length];
        // Presence and frequency count generated tokens only (vLLM, OpenAI), so without a repetition penalty the prompt need not be read.
        int first = p.RepeatPenalty == 1 ? promptLength : 0;
        for (int i = first; i < ids.Length; i++)
        {
            if (ids[i] >= logits.Length) continue; // the model's vocabulary may be larger than the tokenizer's
            if (i < promptLength) _counts[ids[i]] |= InPrompt;
            else _counts[ids[i]]++;
        }
        for (int i = first; i < ids.Length; i++)
        {
            int id = ids[i];
            if (id >= logits.Length || _counts[id] == 0) continue;
            int count = _counts[id] & ~InPrompt;
            _counts[id] = 0;
            logits[id] = Penalized(logits[id], count, p);
        }
    }

    /// <summary>A logit of an id that the sequence holds, <paramref name="count"/> times among what was generated.</summary>
    internal static float Penalized(float logit, int count, SamplingParams p)
    {
        logit = logit < 0 ? logit * p.RepeatPenalty : logit / p.RepeatPenalty;
        return logit - count * p.FrequencyPenalty - (count > 0 ? p.PresencePenalty : 0);
    }

    private static void Mask(Span<float> logits, ReadOnlySpan<uint> mask)
    {
        for (int start = 0; start < logits.Length; start += 32)
        {
            uint admitted = mask[start / 32];
            if (admitted == uint.MaxValue) continue;
            Span<float> word = logits.Slice(start, Math.Min(32, logits.Length - start));
            if (admitted == 0) word.Fill(float.NegativeInfinity);
            else
                for (int i = 0; i < word.Length; i++)
                    if ((admitted >> i & 1) == 0) word[i] = float.NegativeInfinity;
        }
    }
}
