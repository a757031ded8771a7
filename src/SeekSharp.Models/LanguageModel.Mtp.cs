using SeekSharp.Kernels;

namespace SeekSharp.Models;

// The multi-token-prediction module: beside a pass, to keep its layer up with the sequence; and by itself, to guess.
public sealed unsafe partial class LanguageModel
{
    private readonly NativeArray<float> _mtpFinal, _mtpHidden; // [T, H]
    private readonly StepPart[] _mtpPart = new StepPart[1];

    /// <summary>
    /// Logits of the multi-token-prediction module for the token after the next, for sequences whose next token is known and not computed yet. The sequences'
    /// lengths stay; the module's place for the last token is written.
    /// </summary>
    /// <param name="caches">N sequences of at least one token, followed by the module, each at most once.</param>
    /// <param name="next">[N] their next tokens.</param>
    /// <param name="logits">[N, V]</param>
    /// <exception cref="ModelException">A cache does not follow the module, or its last hidden state is not known.</exception>
    internal void Draft(ReadOnlySpan<KvCache> caches, ReadOnlySpan<int> next, Span<float> logits)
    {
        if (next.Length != caches.Length || logits.Length != (long)caches.Length * VocabularySize) throw new ArgumentException($"{next.Length} tokens and {logits.Length} logits for {caches.Length} sequences");
        if (caches.IsEmpty) return;
        lock (_calls)
        {
            ThrowIfUnusable();
            float* hidden = _mtpHidden.Get((long)caches.Length * _hidden); // [N, H]
            if (_parts.Length < caches.Length) Array.Resize(ref _parts, caches.Length);
            for (int i = 0; i < caches.Length; i++)
            {
                KvCache cache = caches[i];
                _checks.Draft(cache, next[i]);
                cache.Reserve(cache.Length);
                cache.LastHidden.CopyTo(new Span<float>(hidden + (long)i * _hidden, _hidden));
                _parts[i] = new StepPart { Cache = cache, Row = i, Tokens = 1, Position = cache.Length - 1 };
            }
            _turns?.Enter();
            try
            {
                using WorkerPool.AwakeScope awake = KeepAwake();
                fixed (float* l = logits) _mtp!.Run(StepOf(_parts, caches.Length, caches.Length), hidden, next, l);
            }
            finally
            {
                _turns?.Leave();
            }
            Array.Clear(_parts, 0, caches.Length);
        }
    }

    // The module for every position whose next token is now known: from the first that its layer lacks up to the run's last but one.
    private int RunMtp(KvCache cache, float* final, ReadOnlySpan<int> ids, float* logits)
    {
        int start = cache.MtpLength, before = cache.Length - start, count = before + ids.Length - 1;
        if (count == 0) return 0;
        float* hidden = _mtpHidden.Get((long)count * _hidden); // [count, H]
        if (before == 1) cache.LastHidden.CopyTo(new Span<float>(hidden, _hidden));
        new ReadOnlySpan<float>(final, (count - before) * _hidden).CopyTo(new Span<float>(hidden + (long)before * _hidden, (count - before) * _hidden));
        _mtpPart[0] = new StepPart { Cache = cache, Row = 0, Tokens = count, Position = start };
        _mtp!.Run(StepOf(_mtpPart, 1, count), hidden, ids[(1 - before)..], logits);
        return count;
    }
}
