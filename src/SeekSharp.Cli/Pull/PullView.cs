using SeekSharp.Checkpoints;
using SeekSharp.Cli.Terminal;

namespace SeekSharp.Cli.Pull;

/// <summary>Pulls a model and shows how far it is, on standard error: a bar with rate and time left on a terminal, a line before and after elsewhere.</summary>
internal static class PullView
{
    public static async Task<PullResult> PullAsync(ModelName name, IReadOnlyList<string> include, CancellationToken cancellation)
    {
        HubEndpoint endpoint = HubEndpoint.FromEnvironment();
        Console.Error.WriteLine($"pulling {name} from {endpoint}");
        bool isTerminal = !Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") != "dumb";
        using Bar? bar = isTerminal ? new Bar() : null;
        PullResult result = await new HubClient(endpoint).PullAsync(name, include, bar, () => Console.Error.WriteLine($"waiting for another pull of {name.Repository}"), cancellation).ConfigureAwait(false);
        bar?.Dispose();
        string size = ByteCount.Text(result.Files.Sum(f => f.Size));
        Console.Error.WriteLine(result.Brought == 0 ? $"all {Files(result.Files.Count)} ({size}) were there already" : $"pulled {Files(result.Brought)} of {result.Files.Count} ({size})");
        return result;
    }

    /// <summary><c>█████░░░░░ 24%  1.12 GB of 4.70 GB, 34.1 MB/s, 1:45 left</c>, cut to the terminal's width.</summary>
    internal static string Line(PullProgress progress, int width)
    {
        double share = progress.BytesTotal == 0 ? 1 : (double)progress.BytesDone / progress.BytesTotal;
        int filled = (int)(Math.Clamp(share, 0, 1) * 20);
        string line = $"{new string('█', filled)}{new string('░', 20 - filled)} {Math.Floor(share * 100):0}%  {ByteCount.Text(progress.BytesDone)} of {ByteCount.Text(progress.BytesTotal)}";
        if (progress.BytesDone >= progress.BytesTotal) line += ", checking";
        else
        {
            if (progress.BytesPerSecond > 0) line += $", {ByteCount.Text((long)progress.BytesPerSecond)}/s";
            if (progress.TimeLeft is { } left) line += left.TotalHours < 1 ? $", {left:m\\:ss} left" : $", {(int)left.TotalHours}:{left:mm\\:ss} left";
        }
        return line.Length < width ? line : line[..Math.Max(0, width - 1)];
    }

    private static string Files(int count) => count == 1 ? "1 file" : $"{count} files";

    private sealed class Bar : IProgress<PullProgress>, IDisposable
    {
        private readonly Lock _gate = new();
        private bool _isOver;

        public void Report(PullProgress value)
        {
            lock (_gate)
                if (!_isOver) Console.Error.Write("\r" + Line(value, TerminalSize.Now.Width) + "\e[K");
        }

        public void Dispose()
        {
            lock (_gate)
            {
                if (!_isOver) Console.Error.Write("\r\e[K");
                _isOver = true;
            }
        }
    }
}
