using System.Diagnostics;
using System.Globalization;
using System.Text;
using SeekSharp.Kernels;
using SeekSharp.Tokenization;

namespace SeekSharp.Tests.Fuzz;

/// <summary>
/// Runs mutants on several threads and judges each: it must end within two seconds (of processor time, so that a busy
/// machine is no fault, and within twenty in any case), take no more memory than its file's bytes and 64 MiB, and throw
/// nothing but its boundary's exception. What it allocates in all, managed and native, is an upper bound of the memory it
/// takes; one that exceeds the limit by that measure is run again with its living memory watched.
/// </summary>
internal sealed class FuzzRunner(ulong seed, long count, int threads)
{
    private const long Allowance = 64 << 20;
    private const int MostFailures = 10;
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(2), Hopeless = TimeSpan.FromSeconds(20);

    // Prints each mutant before it runs: where one ends the process, the last lines say which.
    private static readonly bool Trace = Environment.GetEnvironmentVariable("SEEKSHARP_FUZZ_TRACE") == "1";

    private readonly List<FuzzCorpus.Recipe> _recipes = FuzzCorpus.All();
    private readonly List<string> _failures = [];
    private readonly Dictionary<string, (long Count, long Opened, long Forward, double Seconds)> _byName = [];
    private readonly ReaderWriterLockSlim _quiet = new();
    private readonly Lock _lock = new();
    private double[] _cumulated = [];
    private long _next, _checkpoints, _forward, _opened, _done;
    private (double Seconds, string Mutant) _slowest = (0, "none");
    private (long Bytes, string Mutant) _largest = (0, "none");

    public IReadOnlyList<string> Failures => _failures;

    /// <summary>Mutants of models' files, and how many of them reached a forward pass.</summary>
    public (long Count, long Forward) Checkpoints => (_checkpoints, _forward);

    public long Done => _done;

    /// <summary>Files that had at least one mutant.</summary>
    public int Files => _byName.Count;

    /// <summary>Files there are.</summary>
    public int AllFiles => _recipes.Count;

    /// <summary>Runs all mutants, or until too many have failed.</summary>
    public void Run()
    {
        double sum = 0;
        _cumulated = [.. _recipes.Select(r => sum += r.Weight)];
        Worker[] workers = [.. Enumerable.Range(0, threads).Select(_ => new Worker(this))];
        foreach (Worker w in workers) w.Thread.Start();
        foreach (Worker w in workers)
            while (!w.Thread.Join(TimeSpan.FromSeconds(1)))
                if (workers.FirstOrDefault(x => x.IsHopeless) is { } stuck)
                {
                    Fail(stuck.Current, $"hangs: still running after {Hopeless.TotalSeconds} s");
                    return; // its thread is a background thread
                }
    }

    /// <summary>Runs one mutant, to look at a failure; prints nothing.</summary>
    public void RunOne(long index)
    {
        double sum = 0;
        _cumulated = [.. _recipes.Select(r => sum += r.Weight)];
        new Worker(this).Judge(index);
    }

    /// <summary>What was done, in a few lines; with all files where asked for.</summary>
    public string Report(bool byFile)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"seed {seed}: {_done} mutants of {Files} goldens (of {AllFiles}: files, and cases of templates and of the router); {_opened} were opened; ");
        text.Append(CultureInfo.InvariantCulture, $"{_checkpoints} of models' files, of which {_forward} ({100.0 * _forward / Math.Max(1, _checkpoints):F1}%) reached a forward pass; ");
        text.Append(CultureInfo.InvariantCulture, $"slowest {_slowest.Seconds:F2} s ({_slowest.Mutant}), most memory {_largest.Bytes / 1048576.0:F1} MiB beyond the file ({_largest.Mutant}); {_failures.Count} failures");
        if (byFile)
            foreach ((string name, (long n, long opened, long forward, double seconds)) in _byName.OrderByDescending(p => p.Value.Seconds))
                text.Append(CultureInfo.InvariantCulture, $"\n{n,8} {opened,8} {forward,8} {seconds,8:F2} s  {name}");
        return text.ToString();
    }

    private void Fail(string mutant, string what)
    {
        lock (_lock) _failures.Add($"seed {seed}, mutant {mutant}: {what}");
    }

    // Every file gets a mutant first; then by weight.
    private int FileOf(long index)
    {
        if (index < _recipes.Count) return (int)index;
        double at = (new FuzzRandom(~seed, index).Bits() >> 11) * (1.0 / (1UL << 53)) * _cumulated[^1];
        int found = Array.BinarySearch(_cumulated, at);
        return Math.Min(found < 0 ? ~found : found, _recipes.Count - 1);
    }

    private sealed class Worker
    {
        private readonly FuzzRunner _owner;
        private readonly Dictionary<int, FuzzTarget> _targets = [];
        private long _started;

        public Worker(FuzzRunner owner)
        {
            _owner = owner;
            // The stack that a thread has on Windows: recursion that is too deep shows.
            Thread = new Thread(Loop, maxStackSize: 1 << 20) { IsBackground = true, Name = "fuzzer" };
        }

        public Thread Thread { get; }

        public string Current { get; private set; } = "";

        public bool IsHopeless => Volatile.Read(ref _started) is long at and > 0 && Stopwatch.GetElapsedTime(at) > Hopeless;

        public void Judge(long index)
        {
            int file = _owner.FileOf(index);
            if (!_targets.TryGetValue(file, out FuzzTarget? target)) _targets[file] = target = _owner._recipes[file].Make();
            Current = $"{index} of {target.Name}";
            if (Trace) Console.Error.WriteLine(Current);
            Volatile.Write(ref _started, Stopwatch.GetTimestamp());
            (Reached reached, double seconds, long bytes, Exception? error) = Once(target, index);
            // Compiling a path for the first time is slow: what is slow is slow twice.
            if (seconds > Longest.TotalSeconds) seconds = Math.Min(seconds, Once(target, index).Seconds);
            Volatile.Write(ref _started, 0);

            long beyond = bytes - target.FileBytes;
            if (error is not null) _owner.Fail(Current, error.ToString());
            if (seconds > Longest.TotalSeconds) _owner.Fail(Current, $"took {seconds:F1} s");
            if (beyond > Allowance)
            {
                beyond = _owner.Quietly(() => LivingMemory.Peak(() => Run(target, index))) - target.FileBytes;
                if (beyond > Allowance) _owner.Fail(Current, $"takes {beyond >> 20} MiB beyond the file's {target.FileBytes} bytes");
            }
            _owner.Count(target, Current, reached, seconds, beyond);
        }

        private (Reached Reached, double Seconds, long Bytes, Exception? Error) Once(FuzzTarget target, long index)
        {
            _owner._quiet.EnterReadLock();
            try
            {
                return Run(target, index);
            }
            finally
            {
                _owner._quiet.ExitReadLock();
            }
        }

        private (Reached Reached, double Seconds, long Bytes, Exception? Error) Run(FuzzTarget target, long index)
        {
            var progress = new FuzzTarget.Progress();
            long managed = GC.GetAllocatedBytesForCurrentThread(), native = NativeBuffer.AllocatedByThread;
            double start = ThreadClock.Seconds;
            Exception? error = null;
            try
            {
                target.Run(new FuzzRandom(_owner.Seed, index), progress);
            }
            catch (Exception e)
            {
                if (e.GetType() != target.Boundary) error = e;
                else if (e.Message.Contains('\n') && e is not TemplateException) error = new InvalidOperationException("the message has more than one line: " + e.Message);
            }
            double seconds = ThreadClock.Seconds - start;
            return (progress.Reached, seconds, GC.GetAllocatedBytesForCurrentThread() - managed + NativeBuffer.AllocatedByThread - native, error);
        }

        private void Loop()
        {
            while (_owner._failures.Count < MostFailures)
            {
                long index = Interlocked.Increment(ref _owner._next) - 1;
                if (index >= _owner.Total) break;
                Judge(index);
            }
            foreach (FuzzTarget target in _targets.Values) target.Dispose();
        }
    }

    // Living memory is the process's: while one worker measures it, the others wait.
    private T Quietly<T>(Func<T> measure)
    {
        _quiet.EnterWriteLock();
        try
        {
            return measure();
        }
        finally
        {
            _quiet.ExitWriteLock();
        }
    }

    private ulong Seed => seed;

    private long Total => count;

    private void Count(FuzzTarget target, string mutant, Reached reached, double seconds, long beyond)
    {
        lock (_lock)
        {
            _done++;
            if (reached >= Reached.Opened) _opened++;
            if (target.IsCheckpoint)
            {
                _checkpoints++;
                if (reached == Reached.Forward) _forward++;
            }
            if (seconds > _slowest.Seconds) _slowest = (seconds, mutant);
            if (beyond > _largest.Bytes) _largest = (beyond, mutant);
            _byName.TryGetValue(target.Name, out (long Count, long Opened, long Forward, double Seconds) n);
            _byName[target.Name] = (n.Count + 1, n.Opened + (reached >= Reached.Opened ? 1 : 0), n.Forward + (reached == Reached.Forward ? 1 : 0), n.Seconds + seconds);
        }
    }
}
