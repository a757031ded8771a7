using System.Diagnostics;
using SeekSharp.Engine;
using Xunit;

namespace SeekSharp.Tests.Engine;

public sealed class DiskTierTests
{
    private const int BlockBytes = 20_000, FileBytes = BlockBytes + DiskBlockFile.HeaderBytes;
    private static readonly BlockKey Root = BlockKey.Root("model", "", "0", "bf16", "portable", "1", "tenant");

    /// <summary>Keys of a chain of blocks; each block's content follows from its key.</summary>
    private static BlockKey[] Chain(int seed, int length)
    {
        var keys = new BlockKey[length];
        BlockKey before = Root;
        for (int i = 0; i < length; i++) keys[i] = before = before.Next([.. Enumerable.Range(0, 64).Select(t => seed * 1000 + i * 64 + t)]);
        return keys;
    }

    private static byte[] Content(BlockKey key, int length = BlockBytes)
    {
        var block = new byte[length];
        new Random((int)key.Low).NextBytes(block);
        return block;
    }

    private static void Offer(DiskTier tier, params ReadOnlySpan<BlockKey> chain)
    {
        for (int i = 0; i < chain.Length; i++) tier.Offer(chain[i], i == 0 ? null : chain[i - 1], Content(chain[i]));
        tier.Flush();
    }

    private static bool IsThere(DiskTier tier, BlockKey key)
    {
        var block = new byte[BlockBytes];
        if (!tier.TryRead(key, block)) return false;
        Assert.Equal(Content(key), block);
        return true;
    }

    private static string FileOf(TemporaryFolder folder, BlockKey key) => Directory.GetFiles(folder.Path, key + "-*").Single();

    [Fact]
    public void A_key_hangs_on_everything_before_it()
    {
        int[] ids = [.. Enumerable.Range(0, 64)];
        BlockKey key = Root.Next(ids);
        Assert.Equal(key, BlockKey.Root("model", "", "0", "bf16", "portable", "1", "tenant").Next(ids));
        Assert.NotEqual(key, BlockKey.Root("model", "", "0", "bf16", "portable", "1", "other").Next(ids));
        Assert.NotEqual(BlockKey.Root("a", "bc"), BlockKey.Root("ab", "c"));
        Assert.NotEqual(BlockKey.Root("a", ""), BlockKey.Root("a"));
        for (int i = 0; i < 64; i++) Assert.NotEqual(key, Root.Next([.. ids[..i], ids[i] ^ 1 << 20, .. ids[(i + 1)..]]));
        Assert.NotEqual(key.Next(ids), Root.Next(ids));
        Assert.True(BlockKey.TryParse(key.ToString(), out BlockKey parsed));
        Assert.Equal(key, parsed);
    }

    [Fact]
    public void Blocks_come_back_and_survive_a_restart()
    {
        using var folder = new TemporaryFolder();
        BlockKey[] chain = Chain(1, 5);
        using (var tier = new DiskTier(folder.Path, 1 << 20, Assert.Fail))
        {
            Offer(tier, chain);
            Offer(tier, chain); // a second time: nothing to do
            Assert.Equal(5, tier.Statistics.Written);
            Assert.All(chain, key => Assert.True(IsThere(tier, key)));
            Assert.False(tier.TryRead(chain[0], new byte[BlockBytes - 1])); // a block of another length is none
        }
        using var reopened = new DiskTier(folder.Path, 1 << 20, Assert.Fail);
        Assert.Equal(4, reopened.Statistics.Blocks); // the one that was read with a wrong length is dropped
        Assert.All(chain[1..], key => Assert.True(IsThere(reopened, key)));
        Assert.False(reopened.Contains(Chain(2, 1)[0]));
    }

    [Fact]
    public void The_least_recently_used_chain_goes_first_and_from_its_end()
    {
        using var folder = new TemporaryFolder();
        BlockKey[] a = Chain(1, 3), b = Chain(2, 3), c = Chain(3, 1);
        using (var tier = new DiskTier(folder.Path, 6 * FileBytes, Assert.Fail))
        {
            Offer(tier, a);
            Offer(tier, b);
            Assert.True(IsThere(tier, a[2])); // and with it a's beginning
            Offer(tier, c);
            Assert.Equal([true, true, false], b.Select(tier.Contains));
            Assert.All(a, key => Assert.True(tier.Contains(key)));
            Assert.Equal(6 * FileBytes, tier.Statistics.Bytes);
            tier.Flush();
        }
        // The order is known after a restart, and a smaller room is kept at once.
        using var smaller = new DiskTier(folder.Path, 4 * FileBytes, Assert.Fail);
        Assert.All(a, key => Assert.True(IsThere(smaller, key)));
        Assert.Equal(4, smaller.Statistics.Blocks);
        Assert.True(Directory.EnumerateFiles(folder.Path, "*.kv").Sum(f => new FileInfo(f).Length) <= 4 * FileBytes);
    }

    [Fact]
    public void A_chain_longer_than_the_room_keeps_its_beginning()
    {
        using var folder = new TemporaryFolder();
        BlockKey[] chain = Chain(1, 7);
        using var tier = new DiskTier(folder.Path, 4 * FileBytes, Assert.Fail);
        Offer(tier, chain);
        Assert.Equal([true, true, true, true, false, false, false], chain.Select(tier.Contains));
        tier.Offer(Chain(2, 2)[1], Chain(2, 2)[0], new byte[10]); // nobody could get to it
        tier.Flush();
        Assert.False(tier.Contains(Chain(2, 2)[1]));
    }

    [Fact]
    public void The_index_is_its_plain_model()
    {
        var random = new Random(11);
        var index = new DiskTierIndex();
        var model = new List<DiskTierIndex.Entry>(); // the oldest first
        void Use(BlockKey key)
        {
            for (int at; (at = model.FindIndex(e => e.Key == key)) >= 0; key = model[^1].Parent)
            {
                DiskTierIndex.Entry entry = model[at];
                model.RemoveAt(at);
                model.Add(entry);
            }
        }
        for (int round = 0; round < 5000; round++)
        {
            var key = new BlockKey(0, (ulong)random.Next(1, 40));
            switch (random.Next(3))
            {
                case 0:
                    var entry = new DiskTierIndex.Entry(key, new BlockKey(0, key.Low / 2), random.Next(100));
                    index.Add(entry);
                    model.RemoveAll(e => e.Key == key);
                    model.Add(entry);
                    Use(entry.Parent);
                    break;
                case 1: index.Use(key); Use(key); break;
                default:
                    if (index.Oldest is { } oldest && random.Next(2) == 0) key = oldest.Key;
                    index.Remove(key);
                    model.RemoveAll(e => e.Key == key);
                    break;
            }
            Assert.Equal((model.Count, model.Sum(e => e.Bytes)), (index.Count, index.Bytes));
            Assert.Equal(model.Count == 0 ? null : model[0], index.Oldest);
        }
    }

    [Fact]
    public void Damaged_files_are_dropped()
    {
        using var folder = new TemporaryFolder();
        var random = new Random(5);
        BlockKey[] keys = [.. Enumerable.Range(0, 60).Select(i => Chain(i + 1, 1)[0])];
        using (var tier = new DiskTier(folder.Path, 1 << 24, Assert.Fail))
            foreach (BlockKey key in keys) Offer(tier, key);
        for (int i = 0; i < keys.Length; i++)
        {
            string path = FileOf(folder, keys[i]);
            byte[] file = File.ReadAllBytes(path);
            switch (i % 6)
            {
                case 0: file[random.Next(file.Length)] ^= (byte)(1 << random.Next(8)); break;
                case 1: file = file[..random.Next(file.Length)]; break;
                case 2: file = [.. file, 0]; break;
                case 3: file.AsSpan(random.Next(file.Length - 4096), 4096).Clear(); break; // a page that was never written
                case 4: (file[1000], file[2000], file[3000]) = (file[2000], file[3000], (byte)(file[1000] + 1)); break;
                case 5: file = File.ReadAllBytes(FileOf(folder, keys[(i + 6) % keys.Length])); break; // another block's file
            }
            File.WriteAllBytes(path, file);
        }
        File.Delete(FileOf(folder, keys[0]));
        File.WriteAllBytes(folder["pending.tmp"], [1, 2, 3]);
        File.WriteAllBytes(folder["abc.kv"], []);
        using var reopened = new DiskTier(folder.Path, 1 << 24, Assert.Fail);
        Assert.False(File.Exists(folder["pending.tmp"]));
        Assert.Equal(59, reopened.Statistics.Blocks);
        Assert.All(keys, key => Assert.False(IsThere(reopened, key)));
        Assert.Equal((0L, 59L), (reopened.Statistics.Blocks, reopened.Statistics.Corrupt));
        Offer(reopened, keys[3]);
        Assert.True(IsThere(reopened, keys[3])); // and works on
    }

    [Fact]
    public void Without_a_folder_that_it_may_use_it_is_off_and_says_so_once()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["file"], "");
        var warnings = new List<string>();
        using (var under = new DiskTier(folder["file/inside"], 1 << 20, warnings.Add)) Unusable(under);
        using (var system = new DiskTier(OperatingSystem.IsLinux() ? "/proc/seeksharp" : folder["file"], 1 << 20, warnings.Add)) Unusable(system); // where nobody may write
        using (var first = new DiskTier(folder["shared"], 1 << 20, Assert.Fail))
        {
            using var second = new DiskTier(folder["shared"], 1 << 20, warnings.Add);
            Unusable(second);
            Offer(first, Chain(1, 1));
            Assert.True(IsThere(first, Chain(1, 1)[0]));
        }
        Assert.Equal(3, warnings.Count);
        Assert.All(warnings, warning => Assert.Contains("the cache on disk is off", warning));

        static void Unusable(DiskTier tier)
        {
            Assert.True(tier.IsOff);
            Offer(tier, Chain(1, 2));
            Assert.False(tier.Contains(Chain(1, 1)[0]));
            Assert.False(IsThere(tier, Chain(1, 1)[0]));
        }
    }

    [Fact]
    public void A_full_disk_turns_it_off()
    {
        if (!File.Exists("/dev/full")) Assert.Skip("there is no /dev/full");
        using var folder = new TemporaryFolder();
        var warnings = new List<string>();
        using var tier = new DiskTier(folder.Path, 1 << 20, warnings.Add);
        Offer(tier, Chain(1, 2));
        File.CreateSymbolicLink(folder["pending.tmp"], "/dev/full");
        Offer(tier, Chain(2, 4));
        Offer(tier, Chain(3, 4));
        Assert.True(tier.IsOff);
        Assert.False(IsThere(tier, Chain(1, 1)[0]));
        Assert.Single(warnings);
    }

    [Theory]
    [InlineData("write")]
    [InlineData("rename")]
    [InlineData("delete")]
    public void A_failure_anywhere_turns_it_off(string operation)
    {
        using var folder = new TemporaryFolder();
        var warnings = new List<string>();
        using var tier = new DiskTier(folder.Path, 3 * FileBytes, warnings.Add);
        Offer(tier, Chain(1, 3));
        tier.Fault = done => { if (done == operation) throw new IOException("No space left on device"); };
        Offer(tier, Chain(2, 3));
        Assert.True(tier.IsOff);
        Assert.EndsWith("No space left on device", Assert.Single(warnings));
    }

    [Fact]
    public void A_failure_to_read_costs_one_block_only()
    {
        using var folder = new TemporaryFolder();
        using var tier = new DiskTier(folder.Path, 1 << 20, Assert.Fail);
        Offer(tier, Chain(1, 2));
        tier.Fault = done => throw new IOException(done);
        Assert.False(IsThere(tier, Chain(1, 1)[0]));
        tier.Fault = null;
        Assert.False(tier.Contains(Chain(1, 1)[0]));
        Assert.True(IsThere(tier, Chain(1, 2)[1]));
    }

    [Fact]
    public void A_slow_disk_does_not_hold_up_who_offers()
    {
        using var folder = new TemporaryFolder();
        using var slow = new ManualResetEventSlim();
        using var tier = new DiskTier(folder.Path, 1L << 40, Assert.Fail) { Fault = _ => slow.Wait() };
        var block = new byte[16 << 20];
        long began = Stopwatch.GetTimestamp();
        for (int i = 0; i < 40; i++) tier.Offer(Chain(i + 1, 1)[0], null, block);
        Assert.InRange(Stopwatch.GetElapsedTime(began).TotalSeconds, 0, 20);
        Assert.Equal(40 - DiskTier.MostQueuedBytes / (block.Length + DiskBlockFile.HeaderBytes), tier.Statistics.Skipped);
        slow.Set();
    }

    /// <summary>
    /// A child process (this very test, told where by the environment) writes until it is killed; whatever it was doing, what is found afterwards is whole, and the tier works on.
    /// </summary>
    [Fact]
    public void A_killed_writer_leaves_only_whole_blocks()
    {
        const string Variable = "SEEKSHARP_TEST_DISK_TIER";
        if (Environment.GetEnvironmentVariable(Variable) is { } given)
        {
            using var own = new DiskTier(given, 100L * FileBytes, Assert.Fail);
            for (int i = 0; ; i++) own.Offer(Chain(i + 1, 1)[0], null, Content(Chain(i + 1, 1)[0]));
        }
        using var folder = new TemporaryFolder();
        var random = new Random();
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true, Environment = { [Variable] = folder.Path } };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet") start.ArgumentList.Add(typeof(DiskTierTests).Assembly.Location);
        start.ArgumentList.Add("-method");
        start.ArgumentList.Add($"{typeof(DiskTierTests).FullName}.{nameof(A_killed_writer_leaves_only_whole_blocks)}");
        using Process child = Process.Start(start)!;
        try
        {
            var waited = Stopwatch.StartNew();
            while (!Directory.EnumerateFiles(folder.Path, "*.kv").Skip(30).Any() && waited.Elapsed.TotalSeconds < 60 && !child.HasExited) Thread.Sleep(5);
            Thread.Sleep(random.Next(100));
            Assert.False(child.HasExited, "the child ended by itself");
        }
        finally
        {
            child.Kill(); // SIGKILL
            child.WaitForExit();
        }
        using var tier = new DiskTier(folder.Path, 1 << 24, Assert.Fail);
        Assert.InRange(tier.Statistics.Blocks, 31, 100);
        BlockKey[] held = [.. Directory.EnumerateFiles(folder.Path, "*.kv").Select(f => DiskBlockFile.TryParseName(Path.GetFileName(f), out BlockKey key, out _) ? key : default)];
        Assert.All(held, key => Assert.True(IsThere(tier, key)));
        Offer(tier, Chain(-1, 3));
        Assert.All(Chain(-1, 3), key => Assert.True(IsThere(tier, key)));
    }
}
