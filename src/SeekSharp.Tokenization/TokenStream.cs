using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>
/// Turns ids into text while they arrive. What <see cref="Push"/> releases is final and never ends within a character;
/// all pieces and the <see cref="Flush"/> together are what <see cref="Tokenizer.Decode(ReadOnlySpan{int}, bool)"/> says of all ids
/// (but for a run of byte tokens that is no UTF-8, whose finished characters were released before that was known). Not thread-safe.
/// </summary>
public sealed class TokenStream
{
    private readonly Tokenizer _tokenizer;
    private readonly bool _skipSpecialTokens;
    private readonly StreamStep[]? _steps;
    private readonly List<string>? _held; // where the decoder cannot work on a stream: all tokens, until the end
    private readonly bool _spaced;
    private bool _behind;
    private List<string> _in = [];
    private List<string> _out = [];

    internal TokenStream(Tokenizer tokenizer, DecoderStep[]? steps, bool skipSpecialTokens)
    {
        _tokenizer = tokenizer;
        _skipSpecialTokens = skipSpecialTokens;
        _spaced = steps is null;
        bool fused = false;
        List<StreamStep?> streams = [];
        foreach (DecoderStep step in steps ?? [])
        {
            streams.Add(step.CreateStream(fused));
            fused |= step.Fuses;
        }
        if (streams.Contains(null)) _held = [];
        else _steps = streams.ToArray()!;
    }

    /// <summary>Takes the next id and returns the text that it makes certain, perhaps none.</summary>
    /// <exception cref="TokenizerException">No token can have the id.</exception>
    public string Push(int id)
    {
        if (!_tokenizer.TryGetDecodeText(id, _skipSpecialTokens, out string? token)) return "";
        if (_held is not null)
        {
            _held.Add(token);
            return "";
        }
        _in.Clear();
        if (_spaced && _behind) _in.Add(" ");
        _behind = true;
        _in.Add(token);
        return Run(0);
    }

    /// <summary>Ends the stream and returns what was held back: U+FFFD for a character that was cut. Push nothing afterwards.</summary>
    public string Flush()
    {
        if (_held is not null)
        {
            string text = _tokenizer.DecodeTokens(_held);
            _held.Clear();
            return text;
        }
        StringBuilder rest = new();
        for (int i = 0; i < _steps!.Length; i++)
        {
            _in.Clear();
            _steps[i].Flush(_in);
            rest.Append(Run(i + 1));
        }
        return rest.ToString();
    }

    private string Run(int from)
    {
        for (int i = from; i < _steps!.Length; i++)
        {
            _out.Clear();
            foreach (string token in _in) _steps[i].Push(token, _out);
            (_in, _out) = (_out, _in);
        }
        return _in.Count == 1 ? _in[0] : string.Concat(_in);
    }
}
