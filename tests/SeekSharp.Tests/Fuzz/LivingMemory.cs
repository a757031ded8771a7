using SeekSharp.Kernels;

namespace SeekSharp.Tests.Fuzz;

/// <summary>Watches how much memory an action keeps alive: slow, so only for the few that allocate much.</summary>
internal static class LivingMemory
{
    private static readonly Lock One = new();

    /// <summary>The most managed memory that was alive at once during the action, and all its native memory, in bytes.</summary>
    public static long Peak(Action action)
    {
        lock (One)
        {
            long before = GC.GetTotalMemory(forceFullCollection: true), native = NativeBuffer.AllocatedByThread, peak = 0;
            using var done = new ManualResetEventSlim();
            var watch = new Thread(() =>
            {
                while (!done.Wait(1)) peak = Math.Max(peak, GC.GetTotalMemory(forceFullCollection: true) - before);
            });
            watch.Start();
            action();
            done.Set();
            watch.Join();
            return peak + NativeBuffer.AllocatedByThread - native;
        }
    }
}
