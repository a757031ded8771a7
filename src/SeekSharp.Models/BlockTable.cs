using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>
/// The blocks of one sequence in their order, and for the kernels their addresses: [layers][keys, values][capacity] pointers. A block may be
/// shared with other sequences and with the prefix cache; <see cref="Own"/> makes a copy before one that is shared would be written.
/// </summary>
internal sealed unsafe class BlockTable(BlockPool pool) : IDisposable
{
    private int[] _blocks = [];
    private NativeBuffer? _pointers;
    private int _capacity;

    public BlockPool Pool { get; } = pool;

    /// <summary>Blocks.</summary>
    public int Count { get; private set; }

    /// <summary>Index of a block in the pool.</summary>
    public int this[int i] => i < Count ? _blocks[i] : throw new ArgumentOutOfRangeException(nameof(i));

    /// <summary>A layer's blocks of keys; for latent attention, of latents.</summary>
    public byte** Keys(int layer) => (byte**)_pointers!.Address + (long)layer * 2 * _capacity;

    /// <summary>A layer's blocks of values; unused for latent attention.</summary>
    public byte** Values(int layer) => Keys(layer) + _capacity;

    /// <summary>Appends a block that others hold too.</summary>
    public void Share(int block)
    {
        Pool.Hold(block);
        Enter(Count, block);
    }

    /// <summary>Puts a block with the same contents, which others hold, in the place of the table's own.</summary>
    public void Replace(int i, int block)
    {
        Pool.Hold(block);
        Pool.Release(this[i]);
        Enter(i, block);
    }

    /// <summary>Blocks to be taken from the pool before <see cref="Own"/> with the same arguments succeeds.</summary>
    public int Missing(int first, int count)
    {
        int missing = Math.Max(0, count - Count);
        for (int i = first; i < Math.Min(Count, count); i++)
            if (Pool.Holders(_blocks[i]) > 1) missing++;
        return missing;
    }

    /// <summary>Makes the table <paramref name="count"/> blocks long, those from <paramref name="first"/> on its own: what was shared of them is copied.</summary>
    /// <exception cref="ModelException">The pool has too few blocks; the table is as before, or longer by blocks of its own.</exception>
    public void Own(int first, int count)
    {
        for (int i = first; i < count; i++)
        {
            if (i < Count && Pool.Holders(_blocks[i]) == 1) continue;
            if (!Pool.TryTake(out int block)) throw new ModelException($"the cache's {Pool.Capacity} blocks of {KvCache.BlockTokens} tokens are all in use");
            if (i < Count)
            {
                Buffer.MemoryCopy(Pool.Address(_blocks[i]), Pool.Address(block), Pool.Layout.BlockBytes, Pool.Layout.BlockBytes);
                Pool.Release(_blocks[i]);
            }
            Enter(i, block);
        }
    }

    /// <summary>Gives the blocks from <paramref name="count"/> on back.</summary>
    public void Cut(int count)
    {
        while (Count > count) Pool.Release(_blocks[--Count]);
    }

    private void Enter(int i, int block)
    {
        if (i >= _capacity) Grow();
        _blocks[i] = block;
        Count = Math.Max(Count, i + 1);
        byte* address = Pool.Address(block);
        for (int layer = 0; layer < Pool.Layout.Layers; layer++)
        {
            Keys(layer)[i] = address + layer * Pool.Layout.LayerBytes;
            Values(layer)[i] = address + layer * Pool.Layout.LayerBytes + Pool.Layout.KeyBytes;
        }
    }

    private void Grow()
    {
        int capacity = Math.Max(4, 2 * _capacity), layers = Pool.Layout.Layers;
        var pointers = new NativeBuffer((long)layers * 2 * capacity * sizeof(byte*));
        for (int row = 0; row < 2 * layers && Count > 0; row++)
            new ReadOnlySpan<nint>((nint*)_pointers!.Address + (long)row * _capacity, Count).CopyTo(new Span<nint>((nint*)pointers.Address + (long)row * capacity, Count));
        _pointers?.Dispose();
        (_pointers, _capacity) = (pointers, capacity);
        Array.Resize(ref _blocks, capacity);
    }

    /// <summary>Gives the blocks and the memory of the table back.</summary>
    public void Dispose()
    {
        Cut(0);
        _pointers?.Dispose();
        _pointers = null;
        _capacity = 0;
        _blocks = [];
    }
}
