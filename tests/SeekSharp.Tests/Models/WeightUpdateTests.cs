using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using SeekSharp.Models;
using Xunit;

namespace SeekSharp.Tests.Models;

public sealed class WeightUpdateTests
{
    private static readonly ModelOptions Options = new() { Threads = 2, ContextLength = 128 };

    private static float[] Logits(LanguageModel model)
    {
        int[] ids = [.. Enumerable.Range(0, 21).Select(i => i * 37 % model.VocabularySize)];
        bool mtp = model.HasMultiTokenPrediction;
        using KvCache cache = model.CreateCache(mtp);
        float[] logits = new float[ids.Length * model.VocabularySize], further = mtp ? new float[(ids.Length - 1) * model.VocabularySize] : [];
        model.ForwardAll(cache, ids, logits, further);
        return [.. logits, .. further];
    }

    private static void AssertSame(float[] expected, float[] actual) =>
        Assert.Equal(expected.Select(BitConverter.SingleToInt32Bits), actual.Select(BitConverter.SingleToInt32Bits));

    [Theory]
    [InlineData("gguf/llama_q8_0.gguf")]
    [InlineData("gguf/llama_q4_k.gguf")]
    [InlineData("gguf/deepseek_v3_q8_0.gguf")]
    [InlineData("gguf/deepseek_v3_unsplit.gguf")] // kv_b is split here
    [InlineData("models/llama3")]
    [InlineData("models/qwen2_tied")]             // embedding and output are one
    [InlineData("models/qwen3_moe")]
    [InlineData("models/deepseek_v3_mtp")]
    public void Published_weights_are_those_of_a_model_loaded_from_them(string golden)
    {
        using LanguageModel model = ChangedWeights.LoadGolden(golden, Options);
        float[] old = Logits(model);
        long bytes = model.WeightBytes;

        // All of them, as floats.
        using var all = new ChangedWeights(golden, seed: 1);
        using LanguageModel fresh = all.Load(Options);
        using (WeightUpdate update = model.BeginUpdate())
        {
            all.AddTo(update);
            AssertSame(old, Logits(model)); // nothing has happened yet
            model.Publish(update);
        }
        float[] expected = Logits(fresh);
        Assert.NotEqual(old, expected);
        AssertSame(expected, Logits(model));
        Assert.Equal(bytes, model.WeightBytes);

        // The file's own back again, tensor by tensor as they lie there.
        using (ModelFolder original = ModelFolder.Open(Repository.Shared("goldens/" + golden)))
        using (WeightUpdate update = model.BeginUpdate())
        {
            update.AddAll(original);
            model.Publish(update);
        }
        AssertSame(old, Logits(model));

        // A part of them, twice: what the second does not name stays as the first left it.
        static bool First(string name) => name.Contains("attn", StringComparison.Ordinal) || name.Contains("norm", StringComparison.Ordinal) || name.Contains("emb", StringComparison.Ordinal);
        using var first = new ChangedWeights(golden, seed: 2, First);
        using var second = new ChangedWeights(golden, seed: 3, name => name.Contains(".0.", StringComparison.Ordinal) && !First(name));
        foreach (ChangedWeights part in (ChangedWeights[])[first, second])
        {
            using WeightUpdate update = model.BeginUpdate();
            part.AddTo(update);
            model.Publish(update);
        }
        using LanguageModel other = ChangedWeights.LoadGolden(golden, Options);
        using (WeightUpdate update = other.BeginUpdate())
        {
            second.AddTo(update);
            first.AddTo(update);
            other.Publish(update);
        }
        AssertSame(Logits(other), Logits(model));
        using LanguageModel onlyFirst = first.Load(Options);
        using (WeightUpdate update = onlyFirst.BeginUpdate())
        {
            second.AddTo(update);
            onlyFirst.Publish(update);
        }
        AssertSame(Logits(onlyFirst), Logits(model));
    }

    [Fact]
    public void Scaled_fp8_takes_another_files_fp8_and_floats_as_bf16()
    {
        const string Golden = "models/deepseek_v3_fp8";
        using var changed = new ChangedWeights(Golden, seed: 1);
        using LanguageModel model = ChangedWeights.LoadGolden(Golden, Options), fresh = changed.Load(Options);
        float[] old = Logits(model);
        using (ModelFolder folder = changed.Open())
        using (WeightUpdate update = model.BeginUpdate())
        {
            update.AddAll(folder);
            model.Publish(update);
        } // the folder is closed: the embedding has been copied
        AssertSame(Logits(fresh), Logits(model));
        Assert.NotEqual(old, Logits(model));

        CheckpointTensor matrix = Tensor(Golden, t => t.Format == NumberFormat.F8E4M3 && t.Name.EndsWith("o_proj.weight", StringComparison.Ordinal));
        using (WeightUpdate update = model.BeginUpdate())
        {
            update.Add(matrix.Name, matrix.Shape, new float[matrix.Count]);
            model.Publish(update);
        }
        using (WeightUpdate update = fresh.BeginUpdate())
        {
            update.Add(matrix.Name, matrix.Shape, new float[matrix.Count]);
            fresh.Publish(update);
        }
        AssertSame(Logits(fresh), Logits(model));
    }

    [Fact]
    public void What_does_not_fit_changes_nothing()
    {
        const string Golden = "gguf/deepseek_v3_q8_0.gguf";
        using LanguageModel model = ChangedWeights.LoadGolden(Golden, Options);
        float[] old = Logits(model);
        CheckpointTensor t = Tensor(Golden, t => t.Name == "blk.0.attn_output.weight");
        float[] values = new float[t.Count];
        using WeightUpdate update = model.BeginUpdate();
        update.Add("output_norm.weight", Tensor(Golden, t => t.Name == "output_norm.weight").Shape, new float[model.Config.HiddenSize]);
        Assert.Contains("no tensor blk.0.attn_outputs.weight", Assert.Throws<CheckpointException>(() => update.Add("blk.0.attn_outputs.weight", t.Shape, values)).Message);
        Assert.Contains($"expected [{t.Shape[0]}, {t.Shape[1]}], found [{t.Shape[1] + 1}, {t.Shape[0]}]",
            Assert.Throws<CheckpointException>(() => update.Add(t.Name, [t.Shape[1] + 1, t.Shape[0]], values)).Message);
        Assert.Contains("values", Assert.Throws<CheckpointException>(() => update.Add(t.Name, t.Shape, values.AsSpan(1))).Message);
        using (ModelFolder other = ModelFolder.Open(Repository.Shared("goldens/gguf/llama_q8_0.gguf")))
            Assert.Throws<CheckpointException>(() => update.AddAll(other));
        Assert.Equal(1, update.Count);
        AssertSame(old, Logits(model));

        // An update of another model's names.
        using LanguageModel llama = ChangedWeights.LoadGolden("gguf/llama_q8_0.gguf", Options);
        using (WeightUpdate strange = llama.BeginUpdate())
        {
            CheckpointTensor norm = Tensor("gguf/llama_q8_0.gguf", t => t.Name == "output_norm.weight");
            strange.Add(norm.Name, norm.Shape, new float[norm.Count]);
            Assert.Throws<ModelException>(() => model.Publish(strange));
        }
        AssertSame(old, Logits(model));
    }

    [Theory]
    [InlineData("gguf/llama_q8_0.gguf")]
    [InlineData("gguf/deepseek_v3_unsplit.gguf")]
    public void Twenty_publishes_take_no_more_memory_than_one(string golden)
    {
        using LanguageModel model = ChangedWeights.LoadGolden(golden, Options);
        using var changed = new ChangedWeights(golden, seed: 1);
        long weights = model.WeightBytes;
        List<NativeBuffer> before = [];
        int kept = 0;
        for (int i = 0; i < 20; i++)
        {
            using WeightUpdate update = model.BeginUpdate();
            changed.AddTo(update);
            List<NativeBuffer> now = [.. update.Tensors.Values.Select(t => t.Memory!)];
            long allocated = NativeBuffer.AllocatedByThread;
            model.Publish(update);
            Assert.Equal(allocated, NativeBuffer.AllocatedByThread); // every matrix goes to its place
            unsafe
            {
                Assert.All(before, b => Assert.True(b.Address == null)); // the last round's are given back, those that were kept too
                int alive = now.Count(b => b.Address != null);
                if (i == 0) kept = alive;
                Assert.Equal(kept, alive);
            }
            before = now;
            Assert.Equal(weights, model.WeightBytes);
        }
        Assert.InRange(kept, 1, before.Count / 2 + 1); // embedding and vectors
    }

    private static CheckpointTensor Tensor(string golden, Func<CheckpointTensor, bool> which)
    {
        using ModelFolder folder = ModelFolder.Open(Repository.Shared("goldens/" + golden));
        return folder.Checkpoint!.Tensors.Values.First(which);
    }
}
