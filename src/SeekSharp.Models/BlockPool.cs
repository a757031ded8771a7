using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>
/// Memory for keys and values in blocks of 64 tokens, all of one layout, up to a fixed number. A block is known by its index and counts who holds it:
/// sequences, and the prefix cache. It is free when nobody does. Memory is taken from the system in slabs as it is first needed, and stays the pool's.
/// Not safe for several threads.
/// </summary>
internal sealed unsafe class BlockPool : IDisposable
{
    private readonly List<NativeBuffer> _slabs = [];
    private readonly int _perSlab;
    private int[] _holders = [];
    private bool[] _kept = []; // by the prefix cache, which is one of the holders
    private int[] _free = []; // a stack
    private int _freeCount;
    private bool _disposed;

    /// <param name="layout">Where things lie in a block.</param>
    /// <param name="capacity">Blocks at most.</param>
    /// <param name="blocksPerSlab">Blocks that are taken from the system at once.</param>
    public BlockPool(KvLayout layout, int capacity = int.MaxValue, int blocksPerSlab = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(blocksPerSlab, 1);
        (Layout, Capacity, _perSlab) = (layout, capacity, Math.Min(blocksPerSlab, capacity));
    }

    public KvLayout Layout { get; }

    /// <summary>Blocks at most.</summary>
    public int Capacity { get; }

    /// <summary>Blocks that somebody holds.</summary>
    public int Used => Made - _freeCount;

    /// <summary>Blocks that can still be taken.</summary>
    public int Free => Capacity - Used;

    /// <summary>Bytes taken from the system.</summary>
    public long Bytes => _slabs.Sum(slab => slab.Bytes);

    /// <summary>Called when the prefix cache is left as a block's only holder, and when it no longer is.</summary>
    public Action<int>? BecameIdle { get; set; }

    /// <summary>As <see cref="BecameIdle"/>.</summary>
    public Action<int>? BecameBusy { get; set; }

    // Blocks in the slabs.
    private int Made => _holders.Length;

    /// <summary>Takes a block, with one holder. What it contains is undefined. False where all are in use.</summary>
    /// <exception cref="OutOfMemoryException">The system refuses the memory; the pool is as before.</exception>
    public bool TryTake(out int block)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        block = -1;
        if (_freeCount == 0 && !Grow()) return false;
        block = _free[--_freeCount];
        _holders[block] = 1;
        return true;
    }

    /// <summary>One holder more.</summary>
    public void Hold(int block)
    {
        if (_holders[block] < 1) throw new InvalidOperationException($"block {block} is free");
        if (_holders[block]++ == 1 && _kept[block]) BecameBusy?.Invoke(block);
    }

    /// <summary>One holder less; the last one frees it.</summary>
    public void Release(int block)
    {
        if (_holders[block] < 1) throw new InvalidOperationException($"block {block} is free already");
        if (--_holders[block] == 0) _free[_freeCount++] = block;
        else if (_holders[block] == 1 && _kept[block]) BecameIdle?.Invoke(block);
    }

    /// <summary>The prefix cache holds it too, from now on.</summary>
    public void Keep(int block)
    {
        Hold(block);
        _kept[block] = true;
    }

    /// <summary>The prefix cache holds it no longer.</summary>
    public void Drop(int block)
    {
        _kept[block] = false;
        Release(block);
    }

    /// <summary>How many hold it.</summary>
    public int Holders(int block) => _holders[block];

    /// <summary>The block's first byte.</summary>
    public byte* Address(int block) => _slabs[block / _perSlab].Address + block % _perSlab * Layout.BlockBytes;

    /// <summary>The block's memory, to be written to a disk or read from it.</summary>
    public Span<byte> Memory(int block) => new(Address(block), checked((int)Layout.BlockBytes));

    private bool Grow()
    {
        int count = Math.Min(_perSlab, Capacity - Made);
        if (count == 0) return false;
        _slabs.Add(new NativeBuffer(checked(count * Layout.BlockBytes)));
        int first = Made;
        Array.Resize(ref _holders, first + count);
        Array.Resize(ref _free, first + count);
        Array.Resize(ref _kept, first + count);
        for (int i = count - 1; i >= 0; i--) _free[_freeCount++] = first + i; // the lowest is taken first
        return true;
    }

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        foreach (NativeBuffer slab in _slabs) slab.Dispose();
        _slabs.Clear();
    }
}
