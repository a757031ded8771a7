using System.Diagnostics;

namespace SeekSharp.Cli.Terminal;

/// <summary>
/// One line on standard error that tells how far something is, for anything that takes over a second. Only on a
/// terminal; it is gone when the work is done.
/// </summary>
internal sealed class ProgressLine(string what) : IProgress<double>, IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1), Interval = TimeSpan.FromMilliseconds(100);
    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly bool _shown = !Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") != "dumb";
    private readonly Lock _gate = new();
    private long _drawn;
    private bool _isOpen;

    /// <param name="share">0 to 1.</param>
    public void Report(double share) => Report(share, "");

    public void Report(double share, string detail)
    {
        if (!_shown || Stopwatch.GetElapsedTime(_began) < Patience) return;
        lock (_gate)
        {
            if (_isOpen && Stopwatch.GetElapsedTime(_drawn) < Interval) return;
            int filled = (int)(Math.Clamp(share, 0, 1) * 20);
            Console.Error.Write($"\r{what} {new string('█', filled)}{new string('░', 20 - filled)} {share * 100:0}%{detail}\x1b[K");
            _drawn = Stopwatch.GetTimestamp();
            _isOpen = true;
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            if (_isOpen) Console.Error.Write("\r\x1b[K");
            _isOpen = false;
        }
    }
}
