using System.Text;
using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using SeekSharp.Models;
using Xunit;

namespace SeekSharp.Tests.Models;

/// <summary>
/// Mistakes that others made before us. Each test has the right way meet the golden, and the wrong one miss it, at positions from 1 on (position 0 forgives
/// much: it attends to itself alone and is not rotated).
/// </summary>
public sealed class TrapTests
{
    /// <summary>What counts as missing the golden: ten times the bound.</summary>
    private const double Miss = 10 * Golden.ExactBound;

    private static (float[] Expected, int[] Ids) Expect(string name)
    {
        GoldenFile file = Golden.Expected(name);
        return (file.Floats(file.Has("logits_dequantized") ? "logits_dequantized" : "logits"), file.Ints("input_ids"));
    }

    private static void AssertMeets(float[] expected, float[] found, string what) => Golden.AssertClose(expected, found, what);

    private static void AssertMisses(float[] expected, float[] found, int rows, string what)
    {
        double distance = Golden.RowDistances(expected, found, rows).Skip(1).Max();
        Assert.True(distance > Miss, $"{what}: only {distance:G3} from the golden: this test would not notice the mistake");
    }

    /// <summary>A mistake that a config can express.</summary>
    private static void Check(string name, string mistake, Func<ModelConfig, ModelConfig>? config = null, Func<Mutation, ModelWeights, ModelWeights>? weights = null)
    {
        (float[] expected, int[] ids) = Expect(name);
        using var model = new Mutation(name);
        AssertMeets(expected, model.Logits(ids), name);
        AssertMisses(expected, model.Logits(ids, config, weights is null ? null : w => weights(model, w)), ids.Length, $"{name} with {mistake}");
    }

    [Theory]
    [InlineData("deepseek_v3")]
    [InlineData("gguf/deepseek_v3")]
    public void Router_bias_is_in_the_choice_only(string name)
    {
        Check(name, "no bias", weights: (_, w) => Mutation.RouterBias(w, _ => null));
        // The same number added to every bias changes no choice, and so must change nothing; in the weights it would drown the scores.
        (float[] expected, int[] ids) = Expect(name);
        using var model = new Mutation(name);
        AssertMeets(expected, model.Logits(ids, weights: w => Mutation.RouterBias(w, b => [.. b!.Select(x => x + 3)])), "all biases + 3");
    }

    [Theory]
    [InlineData("deepseek_v3")]
    [InlineData("gguf/deepseek_v3")]
    public void Masked_groups_are_minus_infinity(string name)
    {
        Check(name, "no groups", c => c with { NGroup = 1, TopkGroup = 1 });
        // With all biased scores below 0, refused groups at 0 would be the best.
        (float[] expected, int[] ids) = Expect(name);
        using var model = new Mutation(name);
        AssertMeets(expected, model.Logits(ids, weights: w => Mutation.RouterBias(w, b => [.. b!.Select(x => x - 10)])), "all biases − 10");
    }

    [Theory]
    [InlineData("deepseek_v3")]
    [InlineData("deepseek_v2")]
    [InlineData("deepseek_v2_lite")]
    public void Softmax_scale_has_mscale_squared(string name)
    {
        Check(name, "mscale", c => c with { Rope = c.Rope with { ScoreScale = MathF.Sqrt(c.Rope.ScoreScale) } });
        Check(name, "no mscale", c => c with { Rope = c.Rope with { ScoreScale = 1 } });
    }

    [Fact]
    public void Gguf_yarn_log_multiplier_is_a_tenth_of_mscale_all_dim()
    {
        const string Name = "gguf/deepseek_v3";
        using (var model = new Mutation(Name))
        {
            float f = 1 + 0.1f * MathF.Log(40);
            Assert.Equal(f * f, model.Folder.Config!.Rope.ScoreScale, 1e-5f);
            Assert.Equal(1, model.Folder.Config.Rope.CosSinScale);
        }
        float wrong = 1 + 0.1f * 0.1f * MathF.Log(40);
        Check(Name, "the multiplier taken for mscale_all_dim", c => c with { Rope = c.Rope with { ScoreScale = wrong * wrong } });
        Check(Name, "mscale on cos and sin too", c => c with { Rope = c.Rope with { CosSinScale = 1 + 0.1f * MathF.Log(40) } });
    }

    [Theory]
    [InlineData("deepseek_v3", RopeLayout.Interleaved)]
    [InlineData("gguf/deepseek_v3", RopeLayout.Interleaved)]
    [InlineData("gguf/llama", RopeLayout.Interleaved)]
    [InlineData("llama3", RopeLayout.HalfSplit)]
    [InlineData("qwen2", RopeLayout.HalfSplit)]
    [InlineData("gguf/qwen2", RopeLayout.HalfSplit)]
    public void Rope_pairs_lie_in_two_layouts(string name, object layout)
    {
        using (var model = new Mutation(name)) Assert.Equal(layout, model.Folder.LoadWeights().RopeLayout);
        Check(name, "the other layout", weights: (_, w) => w with { RopeLayout = w.RopeLayout == RopeLayout.HalfSplit ? RopeLayout.Interleaved : RopeLayout.HalfSplit });
    }

    [Fact]
    public void Llama_s_q_and_k_are_permuted_in_GGUF()
    {
        const string Name = "gguf/llama";
        (float[] expected, int[] ids) = Expect(Name);
        using var model = new Mutation(Name);
        int d = model.Folder.Config!.HeadDim;
        // Row 2p + s of a head (number s of pair p) goes back to row p + s·d/2.
        MatrixSource Unpermute(MatrixSource m) => model.Moved(m, (row, col) => (row / d * d + 2 * (row % d % (d / 2)) + row % d / (d / 2)) * (int)m.Cols + col);
        ModelWeights Undone(ModelWeights w) => Mutation.Layers(w, l => l with { GroupedQuery = l.GroupedQuery! with { Q = Unpermute(l.GroupedQuery.Q), K = Unpermute(l.GroupedQuery.K) } });
        AssertMeets(expected, model.Logits(ids, weights: w => Undone(w) with { RopeLayout = RopeLayout.HalfSplit }), "the published layout with half-split pairs");
        AssertMisses(expected, model.Logits(ids, weights: Undone), ids.Length, "the published layout with interleaved pairs");
    }

    [Fact]
    public void Attn_k_b_is_transposed()
    {
        const string Name = "gguf/deepseek_v3";
        Check(Name, "attn_k_b read the other way round", weights: (m, w) => Mutation.Latent(w, a => a with
        {
            KB = [.. a.KB!.Select(k => m.Moved(k, (row, col) => col * (int)k.Rows + row))],
        }));
        // The old form holds the same numbers, not transposed: joined from the new form it gives the same logits, and as it lies it does not.
        (float[] expected, int[] ids) = Expect(Name);
        using var model = new Mutation(Name);
        ModelConfig c = model.Folder.Config!;
        ModelWeights Joined(ModelWeights w, bool transpose) => Mutation.Latent(w, a =>
        {
            var rows = new List<float>();
            for (int h = 0; h < c.NumAttentionHeads; h++)
            {
                float[] k = Mutation.Values(a.KB![h]); // [L, D]
                for (int i = 0; i < k.Length; i++) rows.Add(transpose ? k[i % c.KvLoraRank * c.QkNopeHeadDim + i / c.KvLoraRank] : k[i]);
                rows.AddRange(Mutation.Values(a.VB![h]));
            }
            return a with { KB = null, VB = null, KvB = model.Matrix("kv_b", rows.Count / c.KvLoraRank, c.KvLoraRank, [.. rows]) };
        });
        AssertMeets(expected, model.Logits(ids, weights: w => Joined(w, true)), "attn_kv_b");
        AssertMisses(expected, model.Logits(ids, weights: w => Joined(w, false)), ids.Length, "attn_kv_b that is not transposed");
    }

    [Fact]
    public void V2_scales_without_normalizing()
    {
        Check("deepseek_v2", "normalized weights", c => c with { NormTopkProb = true });
        Check("deepseek_v2", "no scale", c => c with { RoutedScalingFactor = 1 });
        Check("deepseek_v2", "V3's group score", c => c with { TopkMethod = TopkMethod.NoAuxTc });
    }

    [Fact]
    public void Eh_proj_takes_embedding_then_hidden()
    {
        const string Name = "deepseek_v3_mtp";
        GoldenFile file = Golden.Expected(Name);
        int[] ids = file.Ints("input_ids");
        float[] expected = file.Floats("mtp_logits");
        using var mutation = new Mutation(Name);
        float[] Run(Func<ModelWeights, ModelWeights>? change)
        {
            using LanguageModel model = mutation.Load(weights: change);
            using KvCache cache = model.CreateCache(multiTokenPrediction: true);
            var mtp = new float[(ids.Length - 1) * model.VocabularySize];
            model.ForwardAll(cache, ids, new float[ids.Length * model.VocabularySize], mtp);
            return mtp;
        }
        AssertMeets(expected, Run(null), Name);
        float[] swapped = Run(w => w with
        {
            MultiTokenPrediction = [.. w.MultiTokenPrediction.Select(m => m with
            {
                Projection = mutation.Moved(m.Projection, (row, col) => row * (int)m.Projection.Cols + (col + (int)m.Projection.Rows) % (int)m.Projection.Cols),
            })],
        });
        AssertMisses(expected, swapped, ids.Length - 1, "[hidden; embedding]");
    }

    [Fact]
    public void Rope_freqs_divide_the_frequencies()
    {
        Check("gguf/llama_ropefreqs", "no factors", weights: (_, w) => w with { RopeFactors = null });
        Check("gguf/llama_ropefreqs", "frequencies multiplied", weights: (_, w) => w with { RopeFactors = [.. w.RopeFactors!.Select(f => 1 / f)] });
    }

    [Theory]
    [InlineData("deepseek_v3_fp8")]
    [InlineData("deepseek_v3_fp8_ue8m0")]
    public void Fp8_blocks_at_the_edges_are_partial(string name)
    {
        // 192 columns are 1.5 blocks: two scales a row of blocks, not one.
        static MatrixSource Floor(MatrixSource m) => m.Scales is null || m.Cols % 128 == 0 ? m : m with
        {
            Scales = [.. Enumerable.Range(0, m.Scales.Length).Select(i => m.Scales[Math.Min(m.Scales.Length - 1,
                i / (int)((m.Cols + 127) / 128) * (int)Math.Max(1, m.Cols / 128) + i % (int)((m.Cols + 127) / 128))])],
        };
        Check(name, "whole blocks only", weights: (_, w) => Mutation.Layers(w, l => l.Dense is null ? l : l with
        {
            Dense = l.Dense with { Gate = Floor(l.Dense.Gate), Up = Floor(l.Dense.Up), Down = Floor(l.Dense.Down) },
        }));
    }

    [Fact]
    public void Rows_that_256_does_not_divide_have_another_format()
    {
        const string Name = "gguf/deepseek_v3_q4_k";
        (float[] expected, int[] ids) = Expect(Name);
        using var model = new Mutation(Name);
        ModelWeights w = model.Folder.LoadWeights();
        LatentAttentionWeights a = w.Layers[1].Latent!;
        Assert.Equal(NumberFormat.Q4_K, a.QB.Format);
        Assert.All(a.KB!, k => Assert.True(k.Format == NumberFormat.Q8_0 && k.Cols % 256 != 0));
        Assert.All(w.Layers[1].Experts!.Experts, e => Assert.True(e.Gate.Format == NumberFormat.Q4_K && e.Down.Format == NumberFormat.Q8_0 && e.Down.Cols % 256 != 0));
        AssertMeets(expected, model.Logits(ids), Name);
    }

    /// <summary>Old V2 files lack these keys; llama.cpp's defaults are softmax, no normalization, scale 1: what V2-Lite says in so many words.</summary>
    [Fact]
    public void Missing_gating_keys_have_llama_cpp_s_defaults()
    {
        (float[] expected, int[] ids) = Expect("gguf/deepseek_v2_lite");
        byte[] file = File.ReadAllBytes(Golden.File("gguf/deepseek_v2_lite"));
        foreach (string key in (string[])["expert_gating_func", "expert_weights_norm", "expert_weights_scale"])
        {
            byte[] name = Encoding.ASCII.GetBytes("deepseek2." + key);
            int at = file.AsSpan().IndexOf(name);
            Assert.True(at > 0, key);
            file[at + name.Length - 1] = (byte)'_'; // a key that nobody asks for
        }
        string path = Path.Combine(Path.GetTempPath(), $"seeksharp-{Guid.NewGuid():N}.gguf");
        try
        {
            File.WriteAllBytes(path, file);
            using ModelFolder folder = ModelFolder.Open(path);
            Assert.Equal(ScoringFunc.Softmax, folder.Config!.ScoringFunc);
            using LanguageModel model = LanguageModel.Load(folder, Golden.Exact);
            AssertMeets(expected, Golden.Logits(model, ids), "without the keys");
        }
        finally
        {
            File.Delete(path);
        }
        Check("gguf/deepseek_v2_lite", "sigmoid", c => c with { ScoringFunc = ScoringFunc.Sigmoid });
        Check("gguf/deepseek_v2_lite", "normalization", c => c with { NormTopkProb = true });
    }

    /// <summary>Transformers gives the norms of compressed queries and latents 1e-6 whatever the config says; llama.cpp gives them the model's ε.</summary>
    [Fact]
    public void Latent_norms_have_an_epsilon_of_their_own()
    {
        using var published = new Mutation("deepseek_v3");
        using var gguf = new Mutation("gguf/deepseek_v3");
        Assert.Equal(1e-6f, published.Folder.Config!.LatentNormEps);
        Assert.Equal(gguf.Folder.Config!.RmsNormEps, gguf.Folder.Config.LatentNormEps);
        Check("deepseek_v3", "another ε there", c => c with { LatentNormEps = 0.1f });
    }
}
