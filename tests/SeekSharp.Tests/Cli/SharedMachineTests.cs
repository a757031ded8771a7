using System.Diagnostics;
using System.Text;
using SeekSharp.Tests.Chat;
using SeekSharp.Tests.Fuzz;
using Xunit;

namespace SeekSharp.Tests.Cli;

/// <summary>The program beside others: it uses no processor while nobody asks it anything, and two of it share the machine. Runs alone, since what it holds are speeds.</summary>
[Collection(nameof(Alone))]
public sealed class SharedMachineTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_conversation_that_waits_uses_no_processor()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "reads /proc and needs a terminal");
        Assert.SkipUnless(File.Exists("/usr/bin/script"), "needs the program script, which gives a terminal");
        using var folder = new TemporaryFolder();
        string pidFile = Path.Combine(folder.Root, "pid"), program = Path.Combine(AppContext.BaseDirectory, "seeksharp.dll");
        var start = new ProcessStartInfo("/usr/bin/script", ["-qfec", $"echo $$ > '{pidFile}'; exec dotnet '{program}' run '{SmolLm2.File_}' --temperature 0 --threads 2", "/dev/null"])
        { RedirectStandardInput = true, RedirectStandardOutput = true, StandardOutputEncoding = Encoding.UTF8 };
        start.Environment["TERM"] = "xterm";
        start.Environment["SEEKSHARP_HOME"] = folder.Root; // the history of lines is its own
        using Process terminal = Process.Start(start)!;
        try
        {
            var screen = new Screen(terminal.StandardOutput);
            await screen.Shows(">>> ", 1, Patience);
            using Process chat = Process.GetProcessById(int.Parse(await File.ReadAllTextAsync(pidFile)));
            await Rests(chat);
            await terminal.StandardInput.WriteAsync("List three fruits that are red.\r");
            await terminal.StandardInput.FlushAsync();
            await screen.Shows("Grapes", 1, Patience);
            await screen.Shows("tokens/s", 1, Patience);
            await Rests(chat); // the threads have computed, and sleep again
        }
        finally
        {
            terminal.Kill(entireProcessTree: true);
        }
    }

    // Less than 2% of a core for a second. What the runtime compiles anew behind the program's back comes to an end within a few.
    private static async Task Rests(Process process)
    {
        var used = new List<double>();
        for (int second = 0; second < 15; second++)
        {
            TimeSpan before = Used(process);
            long began = Stopwatch.GetTimestamp();
            await Task.Delay(1000);
            used.Add((Used(process) - before) / Stopwatch.GetElapsedTime(began));
            if (used[^1] < 0.02) return;
        }
        Assert.Fail("shares of a core, second by second: " + string.Join(", ", used.Select(u => $"{u:P1}")));
    }

    private static TimeSpan Used(Process process)
    {
        process.Refresh();
        return process.TotalProcessorTime; // all threads, from /proc/PID/stat
    }

    [Fact]
    public async Task Two_processes_do_not_starve_each_other()
    {
        Shares shares = default;
        for (int attempt = 0; attempt < 3; attempt++) // others may use the machine too
        {
            shares = await Side_by_side();
            output.WriteLine(shares.ToString());
            if (shares.AreFair) return;
        }
        Assert.Fail(shares.ToString());
    }

    // Letters a second: of the first process alone, and of both at the same time.
    private readonly record struct Shares(double Alone, double First, double Second)
    {
        public bool AreFair => First + Second >= 0.6 * Alone && Math.Min(First, Second) >= 0.25 * (First + Second);
    }

    private static async Task<Shares> Side_by_side()
    {
        using var first = new Writer();
        await first.Begun();
        double alone = (await Speeds(1000, first))[0];
        using var second = new Writer();
        await second.Begun();
        await Task.Delay(1500); // what the runtime compiles anew in a young process is not its share of the machine
        double[] both = await Speeds(2500, first, second);
        return new(alone, both[0], both[1]);
    }

    private static async Task<double[]> Speeds(int milliseconds, params Writer[] writers)
    {
        long[] before = [.. writers.Select(w => w.Written)];
        long began = Stopwatch.GetTimestamp();
        await Task.Delay(milliseconds);
        double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        return [.. writers.Select((w, i) => (w.Written - before[i]) / seconds)];
    }

    /// <summary>A process with two threads that writes a story without end.</summary>
    private sealed class Writer : IDisposable
    {
        private readonly Process _process;
        private long _written;

        public Writer()
        {
            _process = SeekSharpProgram.Start(null, "run", SmolLm2.File_, "Write a long story.", "--ignore-eos", "--temperature", "0", "--threads", "2", "--max-tokens", "8000");
            _process.StandardInput.Close();
            Task.Run(() =>
            {
                var buffer = new char[1024];
                while (_process.StandardOutput.Read(buffer) is > 0 and int n) Interlocked.Add(ref _written, n);
            });
        }

        public long Written => Volatile.Read(ref _written);

        public async Task Begun()
        {
            for (long began = Stopwatch.GetTimestamp(); Written < 100; await Task.Delay(20))
                Assert.True(Stopwatch.GetElapsedTime(began) < Patience && !_process.HasExited, "it does not begin to write");
        }

        public void Dispose()
        {
            _process.Kill();
            _process.WaitForExit();
            _process.Dispose();
        }
    }

    /// <summary>What a terminal has shown so far.</summary>
    private sealed class Screen
    {
        private readonly StringBuilder _text = new();

        public Screen(StreamReader output) => Task.Run(() =>
        {
            var buffer = new char[1024];
            while (output.Read(buffer) is > 0 and int n)
                lock (_text) _text.Append(buffer, 0, n);
        });

        public int Count(string what)
        {
            lock (_text) return _text.ToString().Split(what).Length - 1;
        }

        public async Task Shows(string what, int times, TimeSpan patience)
        {
            for (long began = Stopwatch.GetTimestamp(); Count(what) < times; await Task.Delay(20))
                if (Stopwatch.GetElapsedTime(began) > patience) Assert.Fail($"'{what}' does not appear:\n{_text}");
        }
    }
}
