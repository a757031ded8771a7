using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>
/// The experts of a model that is larger than memory: a fixed number of slots, filled from the file when an expert is asked for, by threads of its own, so that reading goes on while the
/// experts at hand are computed. A slot is packed as a resident expert is, so results are the same bits.
/// <para>
/// Which experts stay: every use counts, and what was counted halves every <see cref="HalfLife"/> steps; the one with the lowest count makes room. (With the least recently used instead, a
/// step that goes through more experts than there are slots would drive out each one just before it is needed again.)
/// </para>
/// Asked by one thread at a time.
/// </summary>
internal sealed unsafe class ExpertStore : IDisposable
{
    private const int Readers = 2;
    private const double HalfLife = 64;

    private readonly object _gate = new();
    private readonly KernelTable _kernels;
    private readonly SourcePages _pages;
    private readonly PackedExpertsFile? _packed;
    private readonly NativeBuffer _memory;
    private readonly Slot[] _slots;
    private readonly List<SwiGluWeights> _experts = [];
    private readonly List<int> _slotOf = [];    // by expert; −1 for none
    private readonly List<double> _uses = [];   // by expert, in units of the current step
    private readonly Queue<int> _toRead = [];   // slots
    private readonly List<int> _toAdvise = [];  // experts of which nothing has been read ahead yet
    private readonly Thread[] _threads = new Thread[Readers];
    private int _lastLayer = -1;
    private double _unit = 1;                   // what a use counts now: grows, instead of everything else shrinking
    private bool _stop;

    private struct Slot
    {
        public int Id;        // −1: empty
        public int Pins;
        public bool IsReady;
        public Expert? Expert;
        public Exception? Failure;
    }

    /// <param name="kernels">The tier to pack for.</param>
    /// <param name="bytes">Memory for slots.</param>
    /// <param name="slotBytes">Bytes of the largest expert.</param>
    /// <param name="pages">The mapped files that experts are packed from.</param>
    /// <param name="packed">A file of packed experts, if there is one; stays its owner's.</param>
    public ExpertStore(KernelTable kernels, long bytes, long slotBytes, SourcePages pages, PackedExpertsFile? packed)
    {
        (_kernels, _pages, _packed, SlotBytes) = (kernels, pages, packed, (slotBytes + 4095) & ~4095L);
        int count = (int)Math.Clamp(bytes / SlotBytes, 2, int.MaxValue / 2);
        _memory = NativeBuffer.Reserve(count * SlotBytes) ?? new NativeBuffer(count * SlotBytes);
        _slots = new Slot[count];
        for (int i = 0; i < count; i++) _slots[i].Id = -1;
        for (int i = 0; i < Readers; i++)
        {
            _threads[i] = new Thread(ReadLoop) { IsBackground = true, Name = $"SeekSharp expert reader {i}" };
            _threads[i].Start();
        }
    }

    /// <summary>Experts that memory holds at once.</summary>
    public int Capacity => _slots.Length;

    /// <summary>Bytes of a slot.</summary>
    public long SlotBytes { get; }

    /// <summary>Bytes of the slots that were ever filled.</summary>
    public long Bytes
    {
        get
        {
            lock (_gate) return _slots.Count(s => s.Id >= 0) * SlotBytes;
        }
    }

    /// <summary>Experts asked for so far, and how many of them had to be read.</summary>
    public (long Asked, long Read) Counts { get; private set; }

    /// <summary>Adds a layer's experts, their shapes checked; returns the first one's number, the others follow.</summary>
    /// <exception cref="CheckpointException">Another shape.</exception>
    public int AddLayer(SwiGluWeights[] experts, int hidden, int width)
    {
        int first = _experts.Count;
        foreach (SwiGluWeights e in experts)
        {
            WeightPacker.Require(e.Gate, width, hidden);
            WeightPacker.Require(e.Up, width, hidden);
            WeightPacker.Require(e.Down, hidden, width);
            foreach (MatrixSource m in (MatrixSource[])[e.Gate, e.Up, e.Down])
                if (!PackedLayout.HasProduct(m.Format)) throw new CheckpointException($"{m.Name}: no matrix products with weights in {m.Format}");
            if (Expert.PackedBytes(e) > SlotBytes) throw new InvalidOperationException("an expert larger than a slot");
            _experts.Add(e);
            _slotOf.Add(-1);
            _uses.Add(0);
        }
        return first;
    }

    /// <summary>A layer begins; going back to an earlier one (or the same) is a new step.</summary>
    public void BeginLayer(int layer)
    {
        if (layer <= _lastLayer)
        {
            _unit *= Math.Pow(2, 1 / HalfLife);
            if (_unit > 1e200)
            {
                for (int i = 0; i < _uses.Count; i++) _uses[i] /= _unit;
                _unit = 1;
            }
        }
        _lastLayer = layer;
    }

    /// <summary>Moves the experts that are in memory to the front: they are asked for first, so that those to come do not drive them out.</summary>
    public void PutPresentFirst(Span<int> experts)
    {
        int front = 0;
        for (int i = 0; i < experts.Length; i++)
        {
            if (_slotOf[experts[i]] < 0) continue;
            (int present, int from) = (experts[i], i);
            for (; from > front; from--) experts[from] = experts[from - 1];
            experts[front++] = present;
        }
    }

    /// <summary>Asks for an expert and holds it until <see cref="Release"/>; false where every slot is held, and one must be released first.</summary>
    public bool Request(int expert)
    {
        lock (_gate)
        {
            int slot = _slotOf[expert];
            if (slot < 0)
            {
                slot = Victim();
                if (slot < 0) return false;
                ref Slot s = ref _slots[slot];
                if (s.Id >= 0) _slotOf[s.Id] = -1;
                s.Expert?.Forget();
                s = new Slot { Id = expert };
                _slotOf[expert] = slot;
                _toRead.Enqueue(slot);
                _toAdvise.Add(expert);
                Counts = Counts with { Read = Counts.Read + 1 };
                Monitor.PulseAll(_gate);
            }
            Counts = Counts with { Asked = Counts.Asked + 1 };
            _slots[slot].Pins++;
            _uses[expert] += _unit;
            return true;
        }
    }

    /// <summary>Waits until at least one of the experts is in memory, moves all that are to the front, and says how many. All must have been asked for.</summary>
    /// <exception cref="CheckpointException">One cannot be packed.</exception>
    public int WaitAny(Span<int> experts)
    {
        lock (_gate)
            while (true)
            {
                int ready = 0;
                for (int i = 0; i < experts.Length; i++)
                {
                    Slot s = _slots[_slotOf[experts[i]]];
                    if (!s.IsReady) continue;
                    if (s.Failure is { } e) throw new CheckpointException($"{_experts[s.Id].Gate.Name}: {e.Message}", e);
                    (experts[ready], experts[i]) = (experts[i], experts[ready]);
                    ready++;
                }
                if (ready > 0) return ready;
                Monitor.Wait(_gate);
            }
    }

    /// <summary>An expert that is held and in memory.</summary>
    public Expert this[int expert]
    {
        get
        {
            lock (_gate) return _slots[_slotOf[expert]].Expert!;
        }
    }

    /// <summary>Lets go of an expert; it stays until another needs its place.</summary>
    public void Release(int expert)
    {
        lock (_gate) _slots[_slotOf[expert]].Pins--;
    }

    /// <summary>Lets go of everything, after a failure.</summary>
    public void ReleaseAll()
    {
        lock (_gate)
            for (int i = 0; i < _slots.Length; i++) _slots[i].Pins = 0;
    }

    public void Dispose()
    {
        lock (_gate)
        {
            if (_stop) return;
            _stop = true;
            Monitor.PulseAll(_gate);
        }
        foreach (Thread thread in _threads) thread.Join();
        foreach (Slot s in _slots) s.Expert?.Forget();
        _memory.Dispose();
    }

    // An empty slot, else the one least used that nobody holds and nobody fills; −1 for none.
    private int Victim()
    {
        int best = -1;
        for (int i = 0; i < _slots.Length; i++)
        {
            ref Slot s = ref _slots[i];
            if (s.Id < 0) return i;
            if (s.Pins == 0 && s.IsReady && (best < 0 || _uses[s.Id] < _uses[_slots[best].Id])) best = i;
        }
        return best;
    }

    private void ReadLoop()
    {
        while (true)
        {
            int slot;
            SwiGluWeights weights;
            int[] advise;
            lock (_gate)
            {
                while (_toRead.Count == 0 && !_stop) Monitor.Wait(_gate);
                if (_stop) return;
                slot = _toRead.Dequeue();
                weights = _experts[_slots[slot].Id];
                advise = [.. _toAdvise]; // whoever comes first asks for all that wait: the disk sees them together
                _toAdvise.Clear();
            }
            int id = _slots[slot].Id;
            Expert? expert = null;
            Exception? failure = null;
            try
            {
                foreach (int e in advise) WillNeed(e);
                expert = Read(id, weights, _memory.Address + slot * SlotBytes);
            }
            catch (Exception e)
            {
                failure = e;
            }
            lock (_gate)
            {
                ref Slot s = ref _slots[slot];
                (s.Expert, s.Failure, s.IsReady) = (expert, failure, true);
                Monitor.PulseAll(_gate);
            }
        }
    }

    private void WillNeed(int id)
    {
        if (_packed is { } file && file.Has(id))
        {
            file.WillNeed(id);
            return;
        }
        SwiGluWeights e = _experts[id];
        foreach (MatrixSource m in (MatrixSource[])[e.Gate, e.Up, e.Down]) _pages.WillNeed(m.Address, m.ByteLength);
    }

    private Expert Read(int id, SwiGluWeights weights, byte* memory)
    {
        if (_packed is { } file && file.TryRead(id, memory)) return Expert.Over(memory, weights, _kernels);
        Expert expert = Expert.PackInto(memory, weights, _kernels);
        foreach (MatrixSource m in (MatrixSource[])[weights.Gate, weights.Up, weights.Down]) _pages.Forget(m.Address, m.ByteLength);
        return expert;
    }
}
