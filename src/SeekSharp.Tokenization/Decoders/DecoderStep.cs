using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>One step from tokens to text: an entry of tokenizer.json's <c>decoder</c>, Sequences flattened. It rewrites the whole list of tokens.</summary>
internal abstract class DecoderStep
{
    public abstract List<string> Apply(List<string> tokens);

    /// <summary>
    /// The same step for tokens that arrive one by one, or null where that cannot be done. <paramref name="fused"/>: the tokens that arrive
    /// are parts of one token, because a step before has fused them.
    /// </summary>
    public abstract StreamStep? CreateStream(bool fused);

    /// <summary>Whether one token comes out, whatever goes in.</summary>
    public virtual bool Fuses => false;

    /// <summary>All steps; without any, tokens are joined by a space.</summary>
    public static string Run(DecoderStep[]? steps, List<string> tokens)
    {
        if (steps is null) return string.Join(' ', tokens);
        foreach (DecoderStep step in steps) tokens = step.Apply(tokens);
        return string.Concat(tokens);
    }
}

/// <summary>A decoder step at work on a stream.</summary>
internal abstract class StreamStep
{
    /// <summary>Takes a token and adds what can be said now to <paramref name="output"/>.</summary>
    public abstract void Push(string token, List<string> output);

    /// <summary>Adds what was held back; the stream is over.</summary>
    public virtual void Flush(List<string> output)
    {
    }
}

/// <summary>A step that looks at single tokens, and perhaps at whether one is the first.</summary>
internal abstract class TokenStep : DecoderStep
{
    protected abstract string Rewrite(string token, bool first);

    public override List<string> Apply(List<string> tokens)
    {
        List<string> result = new(tokens.Count);
        for (int i = 0; i < tokens.Count; i++) result.Add(Rewrite(tokens[i], i == 0));
        return result;
    }

    public override StreamStep? CreateStream(bool fused) => fused ? null : new Stream(this);

    private sealed class Stream(TokenStep step) : StreamStep
    {
        private bool _behind;

        public override void Push(string token, List<string> output)
        {
            output.Add(step.Rewrite(token, !_behind));
            _behind = true;
        }
    }
}

/// <summary>Fuse: joins all tokens into one.</summary>
internal sealed class FuseDecoder : DecoderStep
{
    public override List<string> Apply(List<string> tokens) => [string.Concat(tokens)];

    public override bool Fuses => true;

    public override StreamStep CreateStream(bool fused) => new Pass();

    private sealed class Pass : StreamStep
    {
        public override void Push(string token, List<string> output) => output.Add(token);
    }
}

/// <summary>Metaspace: its character becomes a space, and is nothing in the first token unless the scheme is Never.</summary>
internal sealed class MetaspaceDecoder(string replacement, PrependScheme scheme) : TokenStep
{
    protected override string Rewrite(string token, bool first) =>
        token.Replace(replacement, first && scheme != PrependScheme.Never ? "" : " ", StringComparison.Ordinal);
}

/// <summary>Strip: takes a character off the ends of each token, a few times at most.</summary>
internal sealed class StripDecoder(string content, int start, int stop) : TokenStep
{
    protected override string Rewrite(string token, bool first)
    {
        int from = 0;
        for (int i = 0; i < start && string.CompareOrdinal(token, from, content, 0, content.Length) == 0; i++) from += content.Length;
        int to = token.Length;
        for (int i = 0; i < stop && to - content.Length >= from && string.CompareOrdinal(token, to - content.Length, content, 0, content.Length) == 0; i++) to -= content.Length;
        return token[from..to];
    }

    public override StreamStep? CreateStream(bool fused) => fused ? new Fused(content, start, stop) : base.CreateStream(fused);

    /// <summary>Behind a Fuse the whole stream is one token: its first characters go, and as many as may go at the end are held back.</summary>
    private sealed class Fused(string content, int start, int stop) : StreamStep
    {
        private int _toStrip = start;
        private int _held;

        public override void Push(string token, List<string> output)
        {
            int from = 0;
            while (_toStrip > 0 && from < token.Length)
            {
                if (string.CompareOrdinal(token, from, content, 0, content.Length) != 0)
                {
                    _toStrip = 0;
                    break;
                }
                from += content.Length;
                _toStrip--;
            }
            int to = token.Length;
            int tail = 0;
            while (tail < stop && to - content.Length >= from && string.CompareOrdinal(token, to - content.Length, content, 0, content.Length) == 0)
            {
                to -= content.Length;
                tail++;
            }
            StringBuilder text = new();
            if (to > from)
            {
                for (; _held > 0; _held--) text.Append(content);
                text.Append(token, from, to - from);
            }
            _held += tail;
            for (; _held > stop; _held--) text.Append(content);
            output.Add(text.ToString());
        }
    }
}

/// <summary>BPEDecoder: a suffix becomes a space, and is nothing in the last token.</summary>
internal sealed class SuffixDecoder(string suffix) : DecoderStep
{
    public override List<string> Apply(List<string> tokens)
    {
        List<string> result = new(tokens.Count);
        for (int i = 0; i < tokens.Count; i++) result.Add(Rewrite(tokens[i], i + 1 == tokens.Count ? "" : " "));
        return result;
    }

    public override StreamStep? CreateStream(bool fused) => fused ? null : new Stream(this);

    private string Rewrite(string token, string with)
    {
        if (suffix.Length > 0) return token.Replace(suffix, with, StringComparison.Ordinal);
        // An empty suffix stands in front of every code point and at the end.
        StringBuilder text = new(with);
        foreach (Rune rune in token.EnumerateRunes()) text.Append(rune.ToString()).Append(with);
        return text.ToString();
    }

    private sealed class Stream(SuffixDecoder step) : StreamStep
    {
        private string? _last;

        public override void Push(string token, List<string> output)
        {
            if (_last is not null) output.Add(step.Rewrite(_last, " "));
            _last = token;
            if (!token.Contains(step.SuffixText, StringComparison.Ordinal))
            {
                output.Add(token); // The same, last or not.
                _last = null;
            }
        }

        public override void Flush(List<string> output)
        {
            if (_last is not null) output.Add(step.Rewrite(_last, ""));
        }
    }

    private string SuffixText => suffix;
}
