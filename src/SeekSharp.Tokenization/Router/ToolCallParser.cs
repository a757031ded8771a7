using System.Text.Json;

namespace SeekSharp.Tokenization;

/// <summary>
/// Parts what stands outside of the thinking into content and calls. It keeps the text that it cannot judge yet; positions
/// are indices into that text.
/// </summary>
internal abstract class ToolCallParser(PieceSink sink)
{
    private char[] _buffer = [];
    private int _length;

    protected PieceSink Sink { get; } = sink;

    /// <summary>Whether the text is complete.</summary>
    protected bool IsFinal { get; private set; }

    /// <summary>The text held: everything from the first character that was not judged yet.</summary>
    protected ReadOnlySpan<char> Text => _buffer.AsSpan(0, _length);

    public static ToolCallParser For(ToolFormat format, PieceSink sink) => format switch
    {
        ToolFormat.DeepSeekR1 or ToolFormat.DeepSeekV3 => new DeepSeekCalls(sink, isFenced: true),
        ToolFormat.DeepSeekV31 => new DeepSeekCalls(sink, isFenced: false),
        ToolFormat.Qwen => new QwenCalls(sink),
        ToolFormat.Llama3 => new LlamaCalls(sink),
        _ => new NoCalls(sink),
    };

    /// <summary>Takes the next part of the text.</summary>
    public void Push(ReadOnlySpan<char> text)
    {
        if (_length + text.Length > _buffer.Length) Array.Resize(ref _buffer, Math.Max(256, (int)Math.Min(Array.MaxLength, 2L * (_length + text.Length))));
        text.CopyTo(_buffer.AsSpan(_length));
        _length += text.Length;
        Read();
        int done = Judged;
        // Moving what is left only when it is the smaller part keeps the work linear.
        if (done == 0 || done < _length - done) return;
        Array.Copy(_buffer, done, _buffer, 0, _length - done);
        _length -= done;
        Shift(done);
    }

    /// <summary>The text is complete: judges what is left.</summary>
    public void Finish()
    {
        IsFinal = true;
        Read();
        Sink.EndContent();
    }

    /// <summary>Judges as much of <see cref="Text"/> as can be judged.</summary>
    protected abstract void Read();

    /// <summary>How many characters of <see cref="Text"/> are not needed any more.</summary>
    protected abstract int Judged { get; }

    /// <summary>The text loses its first characters: positions move.</summary>
    protected abstract void Shift(int count);

    /// <summary>The call in <c>{"name": …, "arguments" or "parameters": …}</c>, or null if it is not well-formed.</summary>
    protected static RoutedToolCall? NamedCall(ReadOnlySpan<char> json, bool needsArguments)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json.ToString(), new JsonDocumentOptions { MaxDepth = JsonObjectScanner.MaxDepth });
            JsonElement root = document.RootElement;
            if (!root.TryGetProperty("name", out JsonElement name) || name.ValueKind != JsonValueKind.String || name.GetString() is not { Length: > 0 } text) return null;
            if (!root.TryGetProperty("arguments", out JsonElement arguments) && !root.TryGetProperty("parameters", out arguments))
                return needsArguments ? null : new RoutedToolCall(text, "{}");
            return arguments.ValueKind == JsonValueKind.Object ? new RoutedToolCall(text, arguments.GetRawText()) : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException)
        {
            return null; // halves of surrogate pairs, which the scanner lets pass
        }
    }

    /// <summary>Every character is content.</summary>
    private sealed class NoCalls(PieceSink sink) : ToolCallParser(sink)
    {
        private int _at;

        protected override int Judged => _at;

        protected override void Read()
        {
            Sink.Content(Text[_at..]);
            _at = Text.Length;
        }

        protected override void Shift(int count) => _at -= count;
    }
}
