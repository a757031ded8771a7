using System.Runtime.InteropServices;
using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using SeekSharp.Models;
using Xunit;

namespace SeekSharp.Tests.Models;

/// <summary>Experts read as they are needed: the same bits as with all in memory, whatever the memory for them holds and wherever they are read from.</summary>
public sealed class ExpertStoreTests
{
    private const int Tokens = 70;

    public static TheoryData<string> Names => ["gguf/deepseek_v3", "gguf/deepseek_v3_q4_k", "qwen3_moe", "deepseek_v2", "deepseek_v3_fp8", "deepseek_v3_mtp"];

    private static int[] Ids(string name)
    {
        int[] prompt = Golden.Expected(name).Ints("input_ids");
        return [.. Enumerable.Range(0, Tokens).Select(i => prompt[(i * 7 + i / prompt.Length) % prompt.Length])];
    }

    // A prompt, then tokens one by one: logits after each call, and the module's of the prompt.
    private static float[] Run(LanguageModel model, int[] ids)
    {
        using KvCache cache = model.CreateCache(model.HasMultiTokenPrediction);
        int v = model.VocabularySize, prompt = ids.Length - 12, mtp = model.HasMultiTokenPrediction ? prompt - 1 : 0;
        var all = new float[(ids.Length + mtp) * v];
        model.ForwardAll(cache, ids.AsSpan(0, prompt), all.AsSpan(0, prompt * v), all.AsSpan(ids.Length * v));
        for (int i = prompt; i < ids.Length; i++) model.Forward(cache, ids.AsSpan(i, 1), all.AsSpan(i * v, v));
        return all;
    }

    private static ModelOptions Options(long? slotBytes, Action<string>? notify = null, int chunk = 50) => new() { Threads = 2, ChunkSize = chunk, ExpertSlotBytes = slotBytes, Notify = notify };

    [Theory]
    [MemberData(nameof(Names))]
    public void The_memory_for_experts_changes_no_bit(string name)
    {
        int[] ids = Ids(name);
        using ModelFolder folder = ModelFolder.Open(Golden.File(name));
        float[] expected;
        using (LanguageModel resident = LanguageModel.Load(folder, Options(null)))
        {
            Assert.Null(resident.ExpertCounts);
            expected = Run(resident, ids);
        }
        foreach (int slots in new[] { 2, 3, 7, 1000 })
        {
            using LanguageModel model = LanguageModel.Load(folder, Options(slots * 4096L * SlotPages(folder), chunk: slots == 3 ? 1 : 50));
            Golden.AssertSameBits(expected, Run(model, ids), $"{name}, {slots} slots");
            (long asked, long read) = model.ExpertCounts!.Value;
            Assert.InRange(read, 1, asked);
            if (slots == 1000) Assert.True(read <= ModelMatrices.Experts(folder.LoadWeights(), true).Count(), "an expert was read twice though all fit");
        }
    }

    [Theory]
    [InlineData("gguf/deepseek_v3_q4_k")]
    [InlineData("deepseek_v3_fp8")]
    [InlineData("deepseek_v3_mtp")]
    public void A_packed_file_changes_no_bit_and_is_used(string name)
    {
        using var copy = new TemporaryFolder();
        string path = Copy(name, copy);
        using ModelFolder folder = ModelFolder.Open(path);
        var lines = new List<string>();
        int[] ids = Ids(name);
        using LanguageModel resident = LanguageModel.Load(folder, Options(null));
        float[] expected = Run(resident, ids);

        PackedExpertsWriter.Result written = PackedExpertsWriter.Run(folder, 2, null, default);
        Assert.Equal(new FileInfo(written.Path).Length, written.Bytes);
        Assert.Equal(ModelMatrices.Experts(folder.LoadWeights(), true).Count(), written.Experts);
        using (LanguageModel model = LanguageModel.Load(folder, Options(1, lines.Add))) Golden.AssertSameBits(expected, Run(model, ids), name);
        Assert.Empty(lines);

        // Numbers put into the file show in the logits: it is really read. Their checksums are made to fit.
        Tamper(folder, written.Path, fitSums: true);
        using (LanguageModel model = LanguageModel.Load(folder, Options(1, lines.Add))) Assert.NotEqual(expected, Run(model, ids));
        Assert.Empty(lines);
    }

    [Fact]
    public void Damaged_experts_are_read_from_the_model_and_foreign_files_are_not_used()
    {
        const string Name = "gguf/deepseek_v3_q4_k";
        using var copy = new TemporaryFolder();
        string path = Copy(Name, copy);
        int[] ids = Ids(Name);
        using ModelFolder folder = ModelFolder.Open(path);
        string packed = PackedExpertsWriter.Run(folder, 2, null, default).Path;
        byte[] good = File.ReadAllBytes(packed);
        using LanguageModel resident = LanguageModel.Load(folder, Options(null));
        float[] expected = Run(resident, ids);

        Tamper(folder, packed, fitSums: false);
        AssertNotice("is damaged, the model's own file is read instead");

        File.WriteAllBytes(packed, good[..^1]);
        AssertNotice("bytes, expected");
        File.WriteAllBytes(packed, With(good, 12, 99));
        AssertNotice("another version of this program (file 1, layout 99");
        File.WriteAllBytes(packed, With(good, 40, good[40] ^ 1));
        AssertNotice("its header is damaged");
        File.WriteAllBytes(packed, With(good, good.Length - 40, good[^40] ^ 1));
        AssertNotice("its checksums are damaged");
        File.WriteAllBytes(packed, "GGUF"u8.ToArray());
        AssertNotice("it is no file of packed experts");
        File.WriteAllBytes(packed, []);
        AssertNotice("the file is empty");

        // The model is written again, with the same bytes.
        File.WriteAllBytes(packed, good);
        byte[] bytes = File.ReadAllBytes(path);
        using var later = new TemporaryFolder();
        File.WriteAllBytes(later["model.gguf"], bytes);
        File.SetLastWriteTimeUtc(later["model.gguf"], DateTime.UtcNow.AddMinutes(1));
        File.WriteAllBytes(later["model.gguf.packed"], good);
        using ModelFolder changed = ModelFolder.Open(later["model.gguf"]);
        AssertNotice("the model has been changed since", changed);

        void AssertNotice(string text, ModelFolder? other = null)
        {
            var lines = new List<string>();
            using LanguageModel model = LanguageModel.Load(other ?? folder, Options(1, lines.Add));
            Golden.AssertSameBits(expected, Run(model, ids), text);
            string line = Assert.Single(lines);
            Assert.Contains(text, line, StringComparison.Ordinal);
            Assert.Contains("seeksharp pack writes it again", line, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Experts_that_are_used_often_stay()
    {
        using var random = new RandomWeights(3);
        SwiGluWeights[] experts = [.. Enumerable.Range(0, 40).Select(_ => random.SwiGlu(32, 32))];
        long slot = Expert.PackedBytes(experts[0]);
        using var store = new ExpertStore(KernelTable.Current, 10 * slot, slot, new SourcePages([]), null);
        Assert.Equal(10, store.Capacity);
        Assert.Equal(0, store.AddLayer(experts, 32, 32));
        var order = new Random(1);
        int[] asked = new int[1];
        long readBefore = 0;
        for (int step = 0; step < 200; step++)
        {
            if (step == 100) readBefore = store.Counts.Read;
            store.BeginLayer(0);
            foreach (int e in (int[])[0, 1, 2, 3, .. Enumerable.Range(0, 12).Select(_ => order.Next(4, 40)).Distinct()]) // four hot ones, and more others than there are slots
            {
                asked[0] = e;
                Assert.True(store.Request(e));
                Assert.Equal(1, store.WaitAny(asked));
                var row = new float[32];
                store[e].Gate.Weights.DecodeRow(5, row);
                unsafe
                {
                    Assert.Equal(new ReadOnlySpan<float>((float*)experts[e].Gate.Address + 5 * 32, 32).ToArray(), row);
                }
                store.Release(e);
            }
        }
        int[] hot = [0, 1, 2, 3];
        store.PutPresentFirst(hot);
        long read = store.Counts.Read;
        foreach (int e in hot) Assert.True(store.Request(e));
        Assert.Equal(read, store.Counts.Read); // all four were there
        Assert.True(readBefore > 0);
        store.ReleaseAll();
    }

    [Fact]
    public void What_is_held_is_not_driven_out()
    {
        using var random = new RandomWeights(3);
        SwiGluWeights[] experts = [.. Enumerable.Range(0, 5).Select(_ => random.SwiGlu(32, 32))];
        long slot = Expert.PackedBytes(experts[0]);
        using var store = new ExpertStore(KernelTable.Current, 3 * ((slot + 4095) & ~4095L), slot, new SourcePages([]), null);
        store.AddLayer(experts, 32, 32);
        store.BeginLayer(0);
        for (int e = 0; e < 3; e++) Assert.True(store.Request(e));
        Assert.False(store.Request(3));
        int[] all = [0, 1, 2];
        for (int ready = 0; ready < 3;) ready = store.WaitAny(all);
        store.Release(1);
        Assert.True(store.Request(3));
        int[] present = [4, 1, 3, 0, 2];
        store.PutPresentFirst(present);
        Assert.Equal([3, 0, 2, 4, 1], present);
    }

    // Pages of the largest expert.
    private static long SlotPages(ModelFolder folder) => (ModelMatrices.Experts(folder.LoadWeights(), true).Max(Expert.PackedBytes) + 4095) / 4096;

    private static string Copy(string name, TemporaryFolder to)
    {
        string from = Golden.File(name);
        if (File.Exists(from))
        {
            File.Copy(from, to["model.gguf"]);
            return to["model.gguf"];
        }
        foreach (string file in Directory.GetFiles(from)) File.Copy(file, to[Path.GetFileName(file)]);
        return to.Path;
    }

    // Turns a bit in every expert's first matrix, at the low end of a number in any format.
    private static unsafe void Tamper(ModelFolder folder, string packed, bool fitSums)
    {
        SwiGluWeights[] experts = [.. ModelMatrices.Experts(folder.LoadWeights(), true)];
        var layout = new PackedExpertsLayout(folder.Checkpoint!.Images, experts);
        byte[] bytes = File.ReadAllBytes(packed);
        Span<ulong> sums = MemoryMarshal.Cast<byte, ulong>(bytes.AsSpan((int)layout.SumsAt, 8 * experts.Length));
        for (int e = 0; e < experts.Length; e++)
        {
            for (int i = 0; i < 64; i++) bytes[layout.Offsets[e] + layout.Lengths[e] / 3 + 97 * i % (layout.Lengths[e] / 4)] ^= 1;
            fixed (byte* p = bytes)
                if (fitSums) sums[e] = PackedExpertsLayout.Sum(p + layout.Offsets[e], layout.Lengths[e]);
        }
        if (fitSums) System.Security.Cryptography.SHA256.HashData(bytes.AsSpan((int)layout.SumsAt, 8 * experts.Length)).CopyTo(bytes, (int)layout.SumsAt + 8 * experts.Length);
        File.WriteAllBytes(packed, bytes);
    }

    private static byte[] With(byte[] bytes, int at, int value)
    {
        byte[] copy = [.. bytes];
        copy[at] = (byte)value;
        return copy;
    }
}
