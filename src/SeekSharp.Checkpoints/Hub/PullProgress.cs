using System.Diagnostics;

namespace SeekSharp.Checkpoints;

/// <summary>How far a pull is.</summary>
/// <param name="File">The file that changed last.</param>
/// <param name="FilesDone">Files that are complete.</param>
/// <param name="FilesTotal">Files in all.</param>
/// <param name="BytesDone">Bytes that are there, those of an earlier attempt included.</param>
/// <param name="BytesTotal">Bytes in all.</param>
/// <param name="BytesPerSecond">The rate of the last seconds; 0 until it is known.</param>
/// <param name="TimeLeft">At that rate; null until it is known.</param>
internal readonly record struct PullProgress(string File, int FilesDone, int FilesTotal, long BytesDone, long BytesTotal, double BytesPerSecond, TimeSpan? TimeLeft);

/// <summary>Counts bytes from many connections, and reports at most ten times a second.</summary>
internal sealed class ProgressMeter(IProgress<PullProgress>? target, int files, long bytes)
{
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(8);
    private readonly Lock _lock = new();
    private readonly Queue<(long Time, long Received)> _samples = new();
    private string _file = "";
    private int _filesDone;
    private long _done, _received, _last;

    /// <summary>Bytes that came over the network.</summary>
    public void Received(string file, int count) => Change(file, count, count, 0);

    /// <summary>Bytes that were there already, or that have to come again (negative).</summary>
    public void Had(string file, long count) => Change(file, count, 0, 0);

    public void FileDone(string file) => Change(file, 0, 0, 1);

    private void Change(string file, long done, long received, int files)
    {
        lock (_lock)
        {
            _file = file;
            _done += done;
            _received += received;
            _filesDone += files;
            long now = Stopwatch.GetTimestamp();
            if (files == 0 && Stopwatch.GetElapsedTime(_last, now) < TimeSpan.FromSeconds(0.1)) return;
            _last = now;
            _samples.Enqueue((now, _received));
            while (_samples.Count > 2 && Stopwatch.GetElapsedTime(_samples.Peek().Time, now) > Window) _samples.Dequeue();
            Report(now);
        }
    }

    private void Report(long now)
    {
        if (target is null) return;
        (long time, long received) = _samples.Peek();
        double seconds = Stopwatch.GetElapsedTime(time, now).TotalSeconds;
        double rate = seconds > 0.2 ? (_received - received) / seconds : 0;
        double left = rate > 0 ? (bytes - _done) / rate : double.NaN;
        target.Report(new PullProgress(_file, _filesDone, files, _done, bytes, rate, left is >= 0 and < 1e7 ? TimeSpan.FromSeconds(left) : null));
    }
}
