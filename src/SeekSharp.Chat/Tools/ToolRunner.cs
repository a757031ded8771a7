using Microsoft.Extensions.AI;

namespace SeekSharp.Chat;

/// <summary>Runs what a model calls. Whatever goes wrong with a call is an answer for the model to read, never an exception; only the caller's own cancellation is one.</summary>
internal static class ToolRunner
{
    /// <param name="tools">What may be called, by name.</param>
    /// <param name="call">A call of the model.</param>
    /// <param name="approve">Asked before a call; null: nobody is.</param>
    /// <param name="services">Given to functions that ask for services.</param>
    /// <param name="cancel">Ends the function.</param>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> was cancelled.</exception>
    public static async Task<FunctionResultContent> RunAsync(IReadOnlyDictionary<string, AIFunction> tools, FunctionCallContent call,
        Func<FunctionCallContent, CancellationToken, ValueTask<bool>>? approve, IServiceProvider? services, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        if (!tools.TryGetValue(call.Name, out AIFunction? tool)) return Error(call, $"there is no tool \"{call.Name}\"; there are {string.Join(", ", tools.Keys.Order(StringComparer.Ordinal))}");
        if (call.Exception is { } unreadable) return Error(call, $"the arguments cannot be read: {unreadable.Message}", unreadable);
        try
        {
            if (approve is not null && !await approve(call, cancel).ConfigureAwait(false)) return Error(call, "the user does not want this call");
            object? result = await tool.InvokeAsync(new AIFunctionArguments(call.Arguments) { Services = services }, cancel).ConfigureAwait(false);
            return new FunctionResultContent(call.CallId, result);
        }
        catch (Exception e) when (!cancel.IsCancellationRequested) // the function's own cancellation (a time limit) is its failure
        {
            return Error(call, e.Message, e);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new OperationCanceledException(e.Message, e, cancel); // a function may fail in its own way when it is cancelled
        }
    }

    private static FunctionResultContent Error(FunctionCallContent call, string message, Exception? e = null) => new(call.CallId, $"Error: {message}") { Exception = e };
}
