using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using SeekSharp.Checkpoints;

namespace SeekSharp.Cli.Verbs;

/// <summary>What <c>convert</c> and <c>quantize</c> have in common: progress, the summary, and the lines that the user should know.</summary>
internal static class WriteModel
{
    public static Option<int> ThreadsOption() =>
        Range.AtLeast(new Option<int>("--threads") { Description = "Threads to work with (default: every core)", HelpName = "N" }, 1);

    public static int Run(string source, string target, FileType type, int threads, bool json, CancellationToken cancellation)
    {
        Stopwatch clock = Stopwatch.StartNew();
        bool shown = !json && !Console.IsErrorRedirected;
        int percent = -1;
        Progress progress = new(share =>
        {
            int now = (int)(100 * share);
            if (!shown || now == percent || clock.ElapsedMilliseconds < 1000) return;
            percent = now;
            Console.Error.Write($"\r{now,3} %");
        });
        ModelConverter.Result result;
        try
        {
            result = ModelConverter.Run(source, target, type, threads, progress, cancellation);
        }
        finally
        {
            if (percent >= 0) Console.Error.Write("\r      \r");
        }
        foreach (string note in result.Notes) Console.Error.WriteLine("note: " + note);
        if (json)
        {
            JsonOutput.Write(new JsonObject
            {
                ["path"] = target,
                ["type"] = type.Name,
                ["bytes"] = result.Bytes,
                ["tensors"] = new JsonObject(result.Formats.OrderByDescending(f => f.Value).Select(f => KeyValuePair.Create(f.Key.ToString(), (JsonNode?)f.Value))),
                ["notes"] = new JsonArray([.. result.Notes.Select(n => (JsonNode?)n)]),
                ["seconds"] = Math.Round(clock.Elapsed.TotalSeconds, 3),
            });
            return 0;
        }
        string formats = string.Join(", ", result.Formats.OrderByDescending(f => f.Value).Select(f => $"{f.Value} × {f.Key}"));
        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{target}: {result.Bytes / 1e6:F1} MB, tensors {formats}, {clock.Elapsed.TotalSeconds:F1} s"));
        return 0;
    }

    /// <summary>Reports where it is called, in order (<see cref="Progress{T}"/> would go through the thread pool).</summary>
    private sealed class Progress(Action<double> report) : IProgress<double>
    {
        public void Report(double value) => report(value);
    }
}
