namespace SeekSharp.Models;

/// <summary>What a caller hands to a pass, looked at before anything is computed or any cache grows. T tokens, V vocabulary.</summary>
/// <param name="layout">Of the model's caches.</param>
/// <param name="mtpLayout">Of those that the multi-token-prediction module follows; null without one.</param>
/// <param name="contextLength">Longest sequence, in tokens.</param>
/// <param name="vocabulary">V.</param>
internal sealed class StepChecks(KvLayout layout, KvLayout? mtpLayout, int contextLength, int vocabulary)
{
    /// <summary>The sequences are this model's, each once, have room, and take all ids, which are of the vocabulary.</summary>
    /// <exception cref="ModelException">A cache of another model, no tokens, too many of them, or an unknown one.</exception>
    public void Parts(ReadOnlySpan<BatchPart> parts, ReadOnlySpan<int> ids)
    {
        int first = 0;
        for (int p = 0; p < parts.Length; p++)
        {
            (KvCache cache, int tokens, int rows) = parts[p];
            if (cache.Layout != layout && cache.Layout != mtpLayout) throw new ModelException("the cache belongs to another model");
            if (tokens < 1) throw new ModelException("no tokens to compute");
            if (tokens > ids.Length - first || (uint)rows > (uint)tokens) throw new ArgumentException($"part {p}: {tokens} tokens with {rows} rows of logits, of {ids.Length} ids", nameof(parts));
            if (cache.Length > contextLength - tokens)
                throw new ModelException(cache.Length == 0
                    ? $"the prompt has {tokens} tokens, the context holds {contextLength}"
                    : $"the sequence has {cache.Length} tokens and {tokens} more, together {(long)cache.Length + tokens}; the context holds {contextLength}");
            for (int i = 0; i < tokens; i++)
                if ((uint)ids[first + i] >= (uint)vocabulary)
                    throw new ModelException($"token id {ids[first + i]} at position {cache.Length + i}: expected 0 to {vocabulary - 1}");
            for (int other = 0; other < p; other++)
                if (parts[other].Cache == cache) throw new ArgumentException($"parts {other} and {p} are the same sequence", nameof(parts));
            first += tokens;
        }
        if (first != ids.Length) throw new ArgumentException($"{ids.Length} ids for parts of {first} tokens", nameof(ids));
    }

    /// <summary>The module can follow the sequences that it follows, and there is room for the logits that are asked of it.</summary>
    /// <param name="parts">As <see cref="Parts"/> found them right.</param>
    /// <param name="ids">[T]</param>
    /// <param name="mtpLogits">Empty, or for the one sequence: [T, V], a row less where the module is level with it.</param>
    /// <exception cref="ModelException">The last hidden state is lost, or the cache was not made for the module.</exception>
    public void MtpLogits(ReadOnlySpan<BatchPart> parts, ReadOnlySpan<int> ids, ReadOnlySpan<float> mtpLogits)
    {
        foreach (BatchPart part in parts)
        {
            KvCache cache = part.Cache;
            if (cache.FollowsMtp && cache.MtpLength < cache.Length && cache.LastHidden.IsEmpty)
                throw new ModelException($"the cache was cut to {cache.Length} tokens: multi-token prediction needs the last one's hidden state; cut to 0 and compute again");
        }
        if (mtpLogits.IsEmpty) return;
        if (!parts[0].Cache.FollowsMtp) throw new ModelException("multi-token-prediction logits need a cache made for them");
        long expected = (long)(ids.Length - (parts[0].Cache.Length == parts[0].Cache.MtpLength ? 1 : 0)) * vocabulary;
        if (mtpLogits.Length != expected) throw new ArgumentException($"expected room for {expected} MTP logits, found {mtpLogits.Length}", nameof(mtpLogits));
    }

    /// <summary>The module can guess what follows this sequence's next token.</summary>
    /// <exception cref="ModelException">It does not follow the cache, the last hidden state is not known, or the token is not of the vocabulary.</exception>
    public void Draft(KvCache cache, int next)
    {
        if (mtpLayout is null || !cache.FollowsMtp || cache.LastHidden.IsEmpty) throw new ModelException("a draft needs a cache that the multi-token-prediction module follows, and the last token's hidden state");
        if ((uint)next >= (uint)vocabulary) throw new ModelException($"token id {next} at position {cache.Length}: expected 0 to {vocabulary - 1}");
    }
}
