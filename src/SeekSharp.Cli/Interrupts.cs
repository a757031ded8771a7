namespace SeekSharp.Cli;

/// <summary>
/// Ctrl+C: while an answer or a long computation is under way, the first one ends it and the program goes on; a second one, or one at any
/// other time, ends the program with exit code 130.
/// </summary>
internal static class Interrupts
{
    private static readonly Lock Gate = new();
    private static CancellationTokenSource? _current;

    public static void Install() => Console.CancelKeyPress += (_, pressed) =>
    {
        lock (Gate)
        {
            if (_current is { IsCancellationRequested: false })
            {
                pressed.Cancel = true;
                _current.Cancel();
                return;
            }
        }
        Console.Out.Flush();
        if (!Console.IsErrorRedirected) Console.Error.Write(Terminal.Style.Reset);
        Environment.Exit(130);
    };

    /// <summary>Something begins that Ctrl+C may end; disposed when it has ended.</summary>
    public static Scope Begin() => new();

    internal sealed class Scope : IDisposable
    {
        private readonly CancellationTokenSource _source = new();
        private readonly CancellationTokenSource? _outer;

        public Scope()
        {
            lock (Gate) (_outer, _current) = (_current, _source);
        }

        public CancellationToken Token => _source.Token;

        public void Dispose()
        {
            lock (Gate) _current = _outer;
            _source.Dispose();
        }
    }
}
