using System.Globalization;

namespace SeekSharp.Kernels;

/// <summary>Memory of this machine and this process, in bytes.</summary>
internal static class MachineMemory
{
    /// <summary>What can be had now without driving others out: what Linux says is available, within the limit of the process's group; elsewhere what the runtime may use less what it uses.</summary>
    public static long Available()
    {
        long limit = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes - Environment.WorkingSet;
        long? available = OperatingSystem.IsLinux() ? Line("/proc/meminfo", "MemAvailable:") : null;
        return Math.Max(0, Math.Min(limit, available ?? long.MaxValue));
    }

    /// <summary>The most that the process ever held (VmHWM): its own memory and the mapped pages of files.</summary>
    public static long Peak()
    {
        if (OperatingSystem.IsLinux() && Line("/proc/self/status", "VmHWM:") is { } bytes) return bytes;
        using var process = System.Diagnostics.Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }

    private static long? Line(string file, string name)
    {
        try
        {
            foreach (string line in File.ReadLines(file))
                if (line.StartsWith(name, StringComparison.Ordinal))
                    return long.TryParse(line.AsSpan(name.Length).Trim().TrimEnd("kB").TrimEnd(), CultureInfo.InvariantCulture, out long kilobytes) ? kilobytes * 1024 : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // a system without this file: the caller has another source
        }
        return null;
    }
}
