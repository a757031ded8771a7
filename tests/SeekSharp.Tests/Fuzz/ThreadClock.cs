using System.Diagnostics;
using System.Runtime.InteropServices;

namespace SeekSharp.Tests.Fuzz;

/// <summary>Processor time of the calling thread on Linux; the time of day elsewhere.</summary>
internal static partial class ThreadClock
{
    private const int ThreadCpuTime = 3; // CLOCK_THREAD_CPUTIME_ID

    public static double Seconds
    {
        get
        {
            if (OperatingSystem.IsLinux() && clock_gettime(ThreadCpuTime, out TimeSpec now) == 0) return now.Seconds + now.Nanoseconds * 1e-9;
            return Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency;
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public nint Seconds, Nanoseconds;
    }

    [LibraryImport("libc")]
    private static partial int clock_gettime(int clock, out TimeSpec now);
}
