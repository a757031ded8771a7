using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Kernels;
using SeekSharp.Models;
using SeekSharp.Tests.Models;
using Xunit;

namespace SeekSharp.Tests.Engine;

public sealed class PrefixCacheTests
{
    private static readonly KvLayout Layout = KvLayout.Of(RouterTests.Config(1, 1, TopkMethod.Greedy, ScoringFunc.Softmax) with { NumKeyValueHeads = 1, HeadDim = 2 }, KvFormat.F32, 1);

    /// <summary>A block's tokens: all the same letter.</summary>
    private static int[] Ids(string text) => [.. text.SelectMany(letter => Enumerable.Repeat((int)letter, 64))];

    /// <summary>The cache in ten lines: texts as strings, a letter a block; who holds how often; idle ones in the order in which they were let go.</summary>
    private sealed class Model(int capacity)
    {
        public readonly Dictionary<string, int> Holders = [];
        public readonly List<string> Idle = [];

        public int Hold(string space, string text, out int hits)
        {
            hits = 0;
            bool known = true;
            for (int i = 1; i <= text.Length; i++)
            {
                string prefix = space + ":" + text[..i];
                known &= Holders.ContainsKey(prefix);
                if (known) hits++;
                else if (Holders.Count == capacity && !EvictOne()) return i - 1; // memory is full of what others hold
                if ((Holders[prefix] = Holders.GetValueOrDefault(prefix) + 1) == 1) Idle.Remove(prefix);
            }
            return text.Length;
        }

        public bool EvictOne() => Idle.Count > 0 && Holders.Remove(Idle[0]) && Idle.Remove(Idle[0]);

        public void Release(string space, string text)
        {
            for (int i = text.Length; i > 0; i--)
                if (--Holders[space + ":" + text[..i]] == 0) Idle.Add(space + ":" + text[..i]);
        }
    }

    private sealed class Real(int capacity) : IDisposable
    {
        public readonly BlockPool Pool = new(Layout, capacity);
        private KvMemory? _memory;
        public KvMemory Memory => _memory ??= new KvMemory(Pool, _ => new KvCache(Pool));
        public PrefixCache Cache => Memory.Prefixes;

        /// <summary>A sequence takes over what is known and computes the rest: each block says which prefix it is.</summary>
        public Sequence Hold(string space, string text, out int hits)
        {
            var sequence = new Sequence([.. Ids(text), 0], SamplingParams.Greedy) { Tenant = space };
            Memory.Attach(sequence, hurry: false);
            KvCache cache = sequence.Cache!;
            hits = cache.Length / 64;
            for (int b = 0; b < hits; b++) Assert.Equal(Mark(space, text[..(b + 1)]), BitConverter.ToInt32(Pool.Memory(cache.Table[b])));
            while (cache.Length / 64 < text.Length && Memory.MakeRoom(sequence, cache.Length + 64))
            {
                cache.Reserve(cache.Length + 64);
                BitConverter.TryWriteBytes(Pool.Memory(cache.Table[cache.Length / 64]), Mark(space, text[..(cache.Length / 64 + 1)]));
                cache.Advance(64);
                Memory.Publish(sequence);
            }
            return sequence;
        }

        private static int Mark(string space, string prefix) => (space + ":" + prefix).Aggregate(17, (hash, c) => hash * 31 + c);

        public void Dispose() => Pool.Dispose();
    }

    [Theory]
    [InlineData(1, 6)]
    [InlineData(2, 12)]
    [InlineData(3, 40)]
    public void It_is_its_model_under_random_texts_and_evictions(int seed, int capacity)
    {
        var random = new Random(seed);
        var model = new Model(capacity);
        using var real = new Real(capacity);
        var running = new List<(string Space, string Text, Sequence Sequence)>();
        int allHits = 0, evictions = 0;
        for (int step = 0; step < 3000; step++)
        {
            if (running.Count > 0 && random.Next(5) < 2)
            {
                int at = random.Next(running.Count);
                (string space, string text, Sequence sequence) = running[at];
                running.RemoveAt(at);
                model.Release(space, text);
                real.Memory.Release(sequence);
            }
            else if (random.Next(20) == 0)
            {
                Assert.Equal(model.EvictOne(), real.Cache.EvictOne());
                evictions++;
            }
            else if (running.Count < 4)
            {
                string space = random.Next(3) == 0 ? "other" : "one";
                string text = new([.. Enumerable.Range(0, random.Next(1, 7)).Select(_ => (char)('a' + random.Next(2)))]);
                Sequence sequence = real.Hold(space, text, out int hits);
                int reached = model.Hold(space, text, out int expected);
                Assert.Equal((expected, reached), (hits, sequence.Cache!.Length / 64));
                Assert.Equal(expected * 64, sequence.CachedTokens);
                running.Add((space, text[..reached], sequence));
                allHits += hits;
            }
            Assert.Equal((model.Holders.Count, model.Idle.Count, model.Holders.Count), (real.Cache.Count, real.Cache.IdleCount, real.Pool.Used));
            if (step % 50 == 0)
                foreach (string prefix in model.Holders.Keys) AssertKnown(real.Cache, prefix);
        }
        Assert.True(allHits > 500 && evictions > 20);
        foreach ((_, _, Sequence sequence) in running) real.Memory.Release(sequence);
        real.Cache.Clear();
        Assert.Equal((0, 0, 0), (real.Cache.Count, real.Cache.IdleCount, real.Pool.Used));
    }

    private static void AssertKnown(PrefixCache cache, string prefix)
    {
        string[] parts = prefix.Split(':');
        var space = new PrefixSpace(parts[0]);
        int root = cache.HoldRoot(space), node = root;
        foreach (char letter in parts[1]) Assert.True((node = cache.Find(node, Ids($"{letter}"))) >= 0, prefix);
        cache.ReleaseRoot(space);
    }

    [Fact]
    public void What_memory_forgot_comes_from_the_disk_for_the_same_tenant_and_weights_only()
    {
        using var folder = new TemporaryFolder();
        string weights = "1";
        using var disk = new DiskTier(folder.Path, 1 << 20);
        using (var real = new Real(8))
        {
            Open(real);
            real.Memory.Release(real.Hold("one", "abcd", out _));
            real.Cache.Clear();
            disk.Flush();
            Assert.Equal(0, real.Pool.Used);
            Sequence again = real.Hold("one", "abcx", out int hits); // Hold checks the contents
            Assert.Equal((3, 192), (hits, again.CachedTokens));
            real.Memory.Release(real.Hold("other", "abcd", out hits));
            Assert.Equal(0, hits);

            // In a hurry nothing is read beyond a step's share; it is not forgotten either.
            real.Memory.Release(again);
            real.Cache.Clear();
            var slow = new Sequence([.. Ids("abcd"), 0], SamplingParams.Greedy) { Tenant = "one" };
            disk.Fault = what => { if (what == "read") Thread.Sleep(60); };
            real.Memory.BeginStep();
            real.Memory.Attach(slow, hurry: true);
            Assert.Equal(64, slow.Computed);
            Assert.False(real.Memory.Extend(slow, hurry: true));
            real.Memory.BeginStep();
            Assert.False(real.Memory.Extend(slow, hurry: true));
            Assert.Equal(128, slow.Computed);
            disk.Fault = null;
            Assert.True(real.Memory.Extend(slow, hurry: false));
            Assert.Equal((256, 256), (slow.Computed, slow.CachedTokens));
            real.Memory.Release(slow);

            weights = "2";
            real.Cache.Invalidate();
            real.Memory.Release(real.Hold("one", "abcd", out hits));
            Assert.Equal(0, hits);
        }
        weights = "1";
        using (var real = new Real(8)) // after a restart
        {
            Open(real);
            disk.Flush();
            real.Memory.Release(real.Hold("one", "abcd", out int hits));
            Assert.Equal(4, hits);
        }

        void Open(Real real)
        {
            real.Cache.Disk = disk;
            real.Cache.DiskRoot = space => BlockKey.Root("model", weights, space.Tenant, space.Adapter);
        }
    }

    [Fact]
    public void Blocks_in_use_cannot_be_invalidated()
    {
        using var real = new Real(8);
        Sequence held = real.Hold("one", "ab", out _);
        Assert.Throws<InvalidOperationException>(real.Cache.Invalidate);
        real.Memory.Release(held);
        real.Cache.Invalidate();
        Assert.Equal(0, real.Pool.Used);
    }
}
