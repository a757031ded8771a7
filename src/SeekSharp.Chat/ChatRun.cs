using System.Runtime.CompilerServices;
using System.Text;
using System.Threading.Channels;
using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Tokenization;

namespace SeekSharp.Chat;

/// <summary>
/// A request under way: rendered, checked and in the engine's queue when it is made; its answers are read as they come. Any number of runs go on beside each other, each with the
/// answers that it would have alone. Whoever stops reading, cancels or disposes takes it back.
/// </summary>
internal sealed class ChatRun : IDisposable
{
    private readonly Generation[] _answers;

    private ChatRun(ChatPrompt prompt, Generation[] answers) => (Prompt, _answers) = (prompt, answers);

    /// <summary>What the model reads.</summary>
    public ChatPrompt Prompt { get; }

    /// <summary>How many answers.</summary>
    public int Choices => _answers.Length;

    /// <summary>Puts a request in the engine's queue.</summary>
    /// <exception cref="TemplateException">The template refuses the conversation, or the model has none.</exception>
    /// <exception cref="TokenizerException">The text cannot be tokenized.</exception>
    /// <exception cref="GrammarException">The schema, expression or grammar cannot be followed.</exception>
    /// <exception cref="EngineException">The prompt is longer than the context, a value out of range, the queue full, or the engine closed.</exception>
    /// <exception cref="CheckpointException">The model has no tokenizer.</exception>
    public static ChatRun Begin(ChatModel model, ChatRequest request)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(request.Choices, 1);
        long began = System.Diagnostics.Stopwatch.GetTimestamp();
        request.Sampling.Validate(); // before anything is made of it
        ChatPrompt prompt = request.Prompt ?? RequestPrompt.Of(model, request);
        AnswerRule? rule = RequestRules.For(model, request, prompt);
        var answers = new Generation[request.Choices];
        try
        {
            for (int i = 0; i < answers.Length; i++)
            {
                answers[i] = new Generation(model, new GenerationRequest
                {
                    Prompt = prompt.Ids,
                    OpensThinking = request.Prompt is null && prompt.OpensThinking,
                    IsPlain = request.Prompt is not null,
                    Sampling = i == 0 ? request.Sampling : request.Sampling with { Seed = unchecked(request.Sampling.Seed + (ulong)i) },
                    Stop = request.Stop,
                    ThinkBudget = request.Think == false ? 0 : request.ThinkBudget,
                    ToolFormat = request.Prompt is not null ? ToolFormat.None : RequestPrompt.ToolFormatOf(model, request),
                    OneToolCall = !request.ParallelToolCalls,
                    Constraint = rule?.Follow(),
                    Adapter = request.Adapter,
                    Tenant = request.Tenant,
                    MostUnread = request.MostUnread,
                    Began = began,
                });
            }
        }
        catch
        {
            foreach (Generation? begun in answers) begun?.Abandon();
            throw;
        }
        return new ChatRun(prompt, answers);
    }

    /// <summary>The answers as they come, those of several choices as they happen to; once only. An answer's last delta holds the whole of it.</summary>
    /// <exception cref="EngineException">The engine could not go on with it.</exception>
    public async IAsyncEnumerable<ChatDelta> ReadAsync([EnumeratorCancellation] CancellationToken cancel = default)
    {
        try
        {
            IAsyncEnumerable<ChatDelta> all = _answers.Length == 1 ? ReadAsync(0, cancel) : ReadAllAsync(cancel);
            await foreach (ChatDelta delta in all.ConfigureAwait(false)) yield return delta;
        }
        finally
        {
            Dispose();
        }
    }

    /// <summary>Every answer, when all are there.</summary>
    /// <exception cref="EngineException">The engine could not go on with it.</exception>
    public async Task<Answer[]> AnswersAsync(CancellationToken cancel = default)
    {
        var answers = new Answer[_answers.Length];
        await foreach (ChatDelta delta in ReadAsync(cancel).ConfigureAwait(false))
            if (delta.Answer is { } answer) answers[delta.Choice] = answer;
        return answers;
    }

    private async IAsyncEnumerable<ChatDelta> ReadAllAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var deltas = Channel.CreateBounded<ChatDelta>(new BoundedChannelOptions(2 * _answers.Length) { SingleReader = true }); // who is not read waits, and then its sequence
        Task pumps = PumpAllAsync(deltas.Writer, stop.Token);
        try
        {
            await foreach (ChatDelta delta in deltas.Reader.ReadAllAsync(cancel).ConfigureAwait(false)) yield return delta;
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await pumps.ConfigureAwait(false);
        }
    }

    private async Task PumpAllAsync(ChannelWriter<ChatDelta> to, CancellationToken cancel)
    {
        try
        {
            await Task.WhenAll(Enumerable.Range(0, _answers.Length).Select(async choice =>
            {
                await foreach (ChatDelta delta in ReadAsync(choice, cancel).ConfigureAwait(false)) await to.WriteAsync(delta, cancel).ConfigureAwait(false);
            })).ConfigureAwait(false);
            to.Complete();
        }
        catch (Exception e)
        {
            to.Complete(e); // thrown to the reader
        }
    }

    private async IAsyncEnumerable<ChatDelta> ReadAsync(int choice, [EnumeratorCancellation] CancellationToken cancel)
    {
        Generation generation = _answers[choice];
        int calls = 0;
        for (bool more = true; more;)
        {
            more = await generation.StepAsync(cancel).ConfigureAwait(false);
            IReadOnlyList<TokenReport> tokens = generation.Tokens.Count > 0 ? [.. generation.Tokens] : [];
            List<RoutedPiece> pieces = generation.Pieces;
            if (pieces.Count == 0 && tokens.Count > 0) yield return new ChatDelta { Choice = choice, Tokens = tokens };
            for (int i = 0; i < pieces.Count; tokens = [])
            {
                if (pieces[i].Kind == RoutedKind.ToolCall)
                {
                    yield return new ChatDelta { Choice = choice, ToolCall = generation.ToolCalls[calls], ToolIndex = calls++, Tokens = tokens };
                    i++;
                    continue;
                }
                int first = i;
                RoutedKind kind = pieces[i].Kind;
                string text = Joined(pieces, kind, ref i);
                if (text.Length == 0 && tokens.Count == 0 && i > first) continue;
                yield return kind == RoutedKind.Reasoning
                    ? new ChatDelta { Choice = choice, Reasoning = text, Tokens = tokens }
                    : new ChatDelta { Choice = choice, Content = text, Tokens = tokens };
            }
        }
        yield return new ChatDelta { Choice = choice, Answer = generation.Result() };
    }

    // Neighbours of one kind are one delta.
    private static string Joined(List<RoutedPiece> pieces, RoutedKind kind, ref int i)
    {
        string text = pieces[i++].Text;
        if (i == pieces.Count || pieces[i].Kind != kind) return text;
        var joined = new StringBuilder(text);
        while (i < pieces.Count && pieces[i].Kind == kind) joined.Append(pieces[i++].Text);
        return joined.ToString();
    }

    /// <summary>Takes back what has not ended; returns at once.</summary>
    public void Dispose()
    {
        foreach (Generation answer in _answers) answer.Abandon();
    }
}
