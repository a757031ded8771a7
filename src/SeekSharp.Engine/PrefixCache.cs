using System.Runtime.InteropServices;
using SeekSharp.Models;

namespace SeekSharp.Engine;

/// <summary>Within it prefixes are shared: a tenant's texts with one adapter.</summary>
/// <param name="Tenant">Whose texts.</param>
/// <param name="Adapter"><see cref="LoraAdapter.Identity"/>; empty for none.</param>
internal readonly record struct PrefixSpace(string Tenant, string Adapter = "");

/// <summary>
/// The context cache: a radix tree over blocks of 64 tokens. A node is a full block of keys and values in the pool, and the path to it from its
/// root is the text that the block depends on; so a text can take over the blocks of any other that began with the same whole blocks, from token 0 on. Since a token's keys and
/// values are the same bits however they were computed, a hit changes nothing but the time. Each tenant, with each adapter, has a root of its own: nobody sees, or can time, another's texts.
/// <para>
/// The tree holds every block that a sequence filled. Blocks that no sequence holds any longer stay until the pool needs them; then the one goes first
/// that was given back first. Sequences give their blocks back from the last to the first, so a node always goes before its parent.
/// </para>
/// A node has its block's index, and all that is known of it lies in arrays: nothing is allocated but for a block that is used for the first time, or a new tenant. What is forgotten may still be on disk, where
/// there is a second tier. Not safe for several threads.
/// </summary>
internal sealed class PrefixCache
{
    private const int Tokens = KvCache.BlockTokens, None = -1;

    private readonly BlockPool _pool;
    private readonly Dictionary<PrefixSpace, int> _roots = []; // negative, below None
    private readonly Dictionary<int, (PrefixSpace Space, BlockKey? Key, int Uses)> _spaces = []; // of a root; Uses: its children, and the sequences that hold it. One without any is forgotten
    private int _nextRoot = None - 1;
    private Node[] _nodes = [];
    private int[] _ids = [];     // [blocks, 64]
    private int[] _buckets = new int[64]; // of the hash table over (parent, ids); 0 is empty, else a node + 1
    private int _oldest = None, _newest = None; // the idle ones

    private struct Node
    {
        public int Parent, Children, NextInBucket, Hash, Older, Newer;
        public bool InTree, Idle;
        public BlockKey? Key; // on disk, where there is a tier
    }

    /// <param name="pool">Whose blocks these are; the cache is its only one.</param>
    public PrefixCache(BlockPool pool)
    {
        _pool = pool;
        pool.BecameIdle = Idle;
        pool.BecameBusy = Busy;
    }

    /// <summary>Blocks in the tree.</summary>
    public int Count { get; private set; }

    /// <summary>Blocks of the tree that no sequence holds.</summary>
    public int IdleCount { get; private set; }

    /// <summary>The second tier; null for none.</summary>
    public DiskTier? Disk { get; set; }

    /// <summary>
    /// With <see cref="Disk"/>: the beginning of a space's chains there. It names all that keys and values depend on but for the tokens; null for texts that are not to go there.
    /// </summary>
    public Func<PrefixSpace, BlockKey?>? DiskRoot { get; set; }

    /// <summary>A space's root, from which its texts descend. It is the caller's until <see cref="ReleaseRoot"/>.</summary>
    public int HoldRoot(PrefixSpace space)
    {
        if (!_roots.TryGetValue(space, out int root))
        {
            root = _nextRoot == int.MinValue ? throw new EngineException("too many tenants") : _nextRoot--;
            _roots[space] = root;
            _spaces[root] = (space, Disk is null ? null : DiskRoot?.Invoke(space), 0);
        }
        Use(root, 1);
        return root;
    }

    /// <summary>Nothing is kept of a space that has no blocks and no sequences.</summary>
    public void ReleaseRoot(PrefixSpace space) => Use(_roots[space], -1);

    /// <summary>The block that follows a node and holds these tokens; −1 where there is none. The caller holds it before it does anything else.</summary>
    /// <param name="parent">A node or a root.</param>
    /// <param name="ids">[64]</param>
    public int Find(int parent, ReadOnlySpan<int> ids)
    {
        if (_nodes.Length == 0) return None;
        int hash = Hash(parent, ids);
        for (int node = _buckets[hash & (_buckets.Length - 1)] - 1; node != None; node = _nodes[node].NextInBucket)
            if (_nodes[node].Hash == hash && _nodes[node].Parent == parent && IdsOf(node).SequenceEqual(ids)) return node;
        return None;
    }

    /// <summary>Would <see cref="Load"/> look for the block on disk?</summary>
    public bool MayLoad(int parent, ReadOnlySpan<int> ids) => Disk is not null && KeyOf(parent) is { } key && Disk.Contains(key.Next(ids));

    /// <summary>Reads a block from the disk into memory, where it is idle until somebody holds it. −1 where it is not there, not sound, or where memory has no room.</summary>
    /// <param name="parent">A node that somebody holds, or a root.</param>
    /// <param name="ids">[64]</param>
    public int Load(int parent, ReadOnlySpan<int> ids)
    {
        if (Disk is null || KeyOf(parent) is not { } before) return None;
        if (_pool.Free == 0) EvictOne();
        if (!_pool.TryTake(out int block)) return None;
        bool sound = Disk.TryRead(before.Next(ids), _pool.Memory(block));
        if (sound) Enter(parent, ids, block);
        _pool.Release(block); // the tree's alone now, or free again
        return sound ? block : None;
    }

    /// <summary>A sequence has filled a block. The tree holds it from now on, unless it has one with the same contents already; the disk is offered it.</summary>
    /// <param name="parent">The node of the block before, or a root.</param>
    /// <param name="ids">[64] the block's tokens.</param>
    /// <param name="block">The block.</param>
    /// <returns>The tree's block for these tokens.</returns>
    public int Insert(int parent, ReadOnlySpan<int> ids, int block)
    {
        int found = Find(parent, ids);
        if (found != None) return found;
        Enter(parent, ids, block);
        if (_nodes[block].Key is { } key) Disk!.Offer(key, parent >= 0 ? _nodes[parent].Key : null, _pool.Memory(block));
        return block;
    }

    /// <summary>
    /// Forgets everything: other weights make other keys and values of the same tokens. No sequence may hold a block.
    /// </summary>
    public void Invalidate()
    {
        Clear();
        if (Count > 0) throw new InvalidOperationException($"{Count} blocks are in use");
        foreach ((PrefixSpace space, int root) in _roots) _spaces[root] = (space, Disk is null ? null : DiskRoot?.Invoke(space), _spaces[root].Uses);
    }

    /// <summary>Frees the idle block that was given back first. False where there is none.</summary>
    public bool EvictOne()
    {
        for (int node = _oldest; node != None; node = _nodes[node].Newer)
        {
            if (_nodes[node].Children > 0) continue; // somebody has a copy of this block and holds the one after it
            Remove(node);
            return true;
        }
        return false;
    }

    /// <summary>Frees every idle block.</summary>
    public void Clear()
    {
        while (EvictOne()) { }
    }

    private void Enter(int parent, ReadOnlySpan<int> ids, int block)
    {
        if (block >= _nodes.Length) Grow(block);
        ids.CopyTo(IdsOf(block));
        int hash = Hash(parent, ids);
        ref int bucket = ref _buckets[hash & (_buckets.Length - 1)];
        _nodes[block] = new Node { Parent = parent, Hash = hash, NextInBucket = bucket - 1, Older = None, Newer = None, InTree = true, Key = KeyOf(parent)?.Next(ids) };
        bucket = block + 1;
        if (parent >= 0) _nodes[parent].Children++;
        else Use(parent, 1);
        Count++;
        _pool.Keep(block);
    }

    private void Remove(int node)
    {
        Unlink(node);
        ref int bucket = ref _buckets[_nodes[node].Hash & (_buckets.Length - 1)];
        if (bucket == node + 1) bucket = _nodes[node].NextInBucket + 1;
        else
        {
            int before = bucket - 1;
            while (_nodes[before].NextInBucket != node) before = _nodes[before].NextInBucket;
            _nodes[before].NextInBucket = _nodes[node].NextInBucket;
        }
        int parent = _nodes[node].Parent;
        if (parent >= 0) _nodes[parent].Children--;
        else Use(parent, -1);
        _nodes[node].InTree = false;
        Count--;
        _pool.Drop(node);
    }

    private void Use(int root, int more)
    {
        (PrefixSpace space, BlockKey? key, int uses) = _spaces[root];
        if (uses + more > 0)
        {
            _spaces[root] = (space, key, uses + more);
            return;
        }
        _spaces.Remove(root);
        _roots.Remove(space);
    }

    private void Idle(int block)
    {
        ref Node node = ref _nodes[block];
        if (!node.InTree || node.Idle) return;
        (node.Idle, node.Older, node.Newer) = (true, _newest, None);
        if (_newest != None) _nodes[_newest].Newer = block;
        else _oldest = block;
        _newest = block;
        IdleCount++;
    }

    private void Busy(int block) => Unlink(block);

    private void Unlink(int block)
    {
        ref Node node = ref _nodes[block];
        if (!node.Idle) return;
        if (node.Older != None) _nodes[node.Older].Newer = node.Newer;
        else _oldest = node.Newer;
        if (node.Newer != None) _nodes[node.Newer].Older = node.Older;
        else _newest = node.Older;
        (node.Idle, node.Older, node.Newer) = (false, None, None);
        IdleCount--;
    }

    private void Grow(int block)
    {
        int capacity = Math.Max(block + 1, 2 * _nodes.Length);
        Array.Resize(ref _nodes, capacity);
        Array.Resize(ref _ids, checked(capacity * Tokens));
        int buckets = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(64, capacity));
        if (buckets == _buckets.Length) return;
        _buckets = new int[buckets];
        for (int node = 0; node < _nodes.Length; node++)
        {
            if (!_nodes[node].InTree) continue;
            ref int bucket = ref _buckets[_nodes[node].Hash & (buckets - 1)];
            _nodes[node].NextInBucket = bucket - 1;
            bucket = node + 1;
        }
    }

    private BlockKey? KeyOf(int parent) => parent >= 0 ? _nodes[parent].Key : _spaces[parent].Key;

    private Span<int> IdsOf(int node) => _ids.AsSpan(node * Tokens, Tokens);

    // The runtime's hash has a secret seed: nobody can make texts that collide.
    private static int Hash(int parent, ReadOnlySpan<int> ids)
    {
        var hash = new HashCode();
        hash.Add(parent);
        hash.AddBytes(MemoryMarshal.AsBytes(ids));
        return hash.ToHashCode();
    }
}
