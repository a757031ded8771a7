using System.Diagnostics;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>
/// The threads that several models in one process share. A pass of a model takes all of them: models take turns, pass by pass, in the order in which they came, so that two which are at work
/// alternate. More threads than cores would only drive each other's weights out of the caches.
/// </summary>
internal sealed class ThreadBudget : IDisposable
{
    private readonly object _gate = new();
    private long _tickets, _turn; // the next ticket; the one whose turn it is
    private Member? _last, _holder;

    /// <param name="threads">1 and above; 0 for one per core.</param>
    public ThreadBudget(int threads = 0) => Pool = new WorkerPool(threads);

    /// <summary>Threads that compute at any moment, at most.</summary>
    public int Threads => Pool.Threads;

    /// <summary>The threads. Outside of a pass (loading, choosing tokens) a region of one model comes between two of another's.</summary>
    public WorkerPool Pool { get; }

    /// <summary>Ends the threads. No model may use them any more.</summary>
    public void Dispose() => Pool.Dispose();

    /// <summary>A model's part in a budget. For one thread at a time.</summary>
    internal sealed class Member(ThreadBudget budget)
    {
        /// <summary>Stopwatch ticks that it has waited for its turns.</summary>
        public long Waited { get; private set; }

        /// <summary>Turns that it has had.</summary>
        public long Turns { get; private set; }

        /// <summary>Has somebody else had a turn since its last one, or waits for one?</summary>
        public bool IsContended
        {
            get
            {
                lock (budget._gate) return Turns > 0 && (budget._last != this || budget._tickets - budget._turn > (budget._holder == this ? 1 : 0));
            }
        }

        /// <summary>Waits for its turn. <see cref="Leave"/> must follow.</summary>
        public void Enter()
        {
            lock (budget._gate)
            {
                long mine = budget._tickets++;
                if (budget._turn != mine)
                {
                    long began = Stopwatch.GetTimestamp();
                    while (budget._turn != mine) Monitor.Wait(budget._gate);
                    Waited += Stopwatch.GetTimestamp() - began;
                }
                budget._last = budget._holder = this;
                Turns++;
            }
        }

        /// <summary>It is the next one's turn.</summary>
        public void Leave()
        {
            lock (budget._gate)
            {
                budget._holder = null;
                budget._turn++;
                Monitor.PulseAll(budget._gate);
            }
        }
    }
}
