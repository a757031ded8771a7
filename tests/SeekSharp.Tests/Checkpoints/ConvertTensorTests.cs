using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using Xunit;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>
/// Converted files tensor by tensor against the safetensors they came from, by the rules in goldens/gguf/README.md,
/// read with the tests' own plain reader.
/// </summary>
public sealed class ConvertTensorTests
{
    [Theory]
    [InlineData("llama3")]
    [InlineData("llama_yarn")]
    [InlineData("qwen2")]
    [InlineData("qwen2_tied")]
    [InlineData("qwen3")]
    [InlineData("qwen3_moe")]
    [InlineData("deepseek_v2")]
    [InlineData("deepseek_v2_lite")]
    [InlineData("deepseek_v3")]
    [InlineData("deepseek_v3_mtp")]
    [InlineData("deepseek_v3_fp8")]
    [InlineData("deepseek_v3_fp8_ue8m0")]
    public void Every_tensor_is_where_llama_cpp_expects_it(string model)
    {
        Source source = new(model);
        using Converted gguf = new(model, "F32");
        Dictionary<string, float[]> left = gguf.Checkpoint.Tensors.Keys.ToDictionary(n => n, gguf.Floats);
        Check("token_embd.weight", source["model.embed_tokens.weight"]);
        Check("output_norm.weight", source["model.norm.weight"]);
        if (!source.Config.TieWordEmbeddings) Check("output.weight", source["lm_head.weight"]);
        if (model == "llama3") CheckRopeFactors(left);
        for (int i = 0; i < source.Config.NumHiddenLayers; i++) CheckLayer(i);
        Assert.Empty(left);

        void Check(string name, float[] expected)
        {
            Assert.True(left.Remove(name, out float[]? actual), $"{name} is missing");
            Assert.True(expected.AsSpan().SequenceEqual(actual), $"{name} differs");
        }

        void CheckLayer(int i)
        {
            ModelConfig c = source.Config;
            string hf = $"model.layers.{i}.", blk = $"blk.{i}.";
            Check(blk + "attn_norm.weight", source[hf + "input_layernorm.weight"]);
            Check(blk + "ffn_norm.weight", source[hf + "post_attention_layernorm.weight"]);
            Check(blk + "attn_output.weight", source[hf + "self_attn.o_proj.weight"]);
            if (c.IsLatentAttention) CheckLatent(hf + "self_attn.", blk);
            else
                foreach ((string from, string to, int heads) in new[] { ("q_proj", "attn_q", c.NumAttentionHeads), ("k_proj", "attn_k", c.NumKeyValueHeads), ("v_proj", "attn_v", 0) })
                {
                    float[] weight = source[$"{hf}self_attn.{from}.weight"];
                    Check($"{blk}{to}.weight", c.ModelType == "llama" && heads > 0 ? Permute(weight, heads, c.HeadDim, c.HiddenSize) : weight);
                    if (c.ModelType == "qwen2") Check($"{blk}{to}.bias", source[$"{hf}self_attn.{from}.bias"]);
                    if (c.ModelType.StartsWith("qwen3") && heads > 0) Check($"{blk}{to}_norm.weight", source[$"{hf}self_attn.{from[0]}_norm.weight"]);
                }
            string[] parts = ["gate", "up", "down"];
            bool moe = c.IsMoeLayer.Count > i && c.IsMoeLayer[i];
            foreach (string part in parts)
            {
                if (!moe)
                {
                    Check($"{blk}ffn_{part}.weight", source[$"{hf}mlp.{part}_proj.weight"]);
                    continue;
                }
                Check($"{blk}ffn_{part}_exps.weight", [.. Enumerable.Range(0, c.NRoutedExperts).SelectMany(e => source[$"{hf}mlp.experts.{e}.{part}_proj.weight"])]);
                if (c.NSharedExperts > 0) Check($"{blk}ffn_{part}_shexp.weight", source[$"{hf}mlp.shared_experts.{part}_proj.weight"]);
            }
            if (!moe) return;
            Check(blk + "ffn_gate_inp.weight", source[hf + "mlp.gate.weight"]);
            if (c.TopkMethod == TopkMethod.NoAuxTc) Check(blk + "exp_probs_b.bias", source[hf + "mlp.gate.e_score_correction_bias"]);
        }

        void CheckLatent(string hf, string blk)
        {
            ModelConfig c = source.Config;
            int n = c.NumAttentionHeads, nope = c.QkNopeHeadDim, v = c.VHeadDim, rank = c.KvLoraRank;
            if (c.QLoraRank is null) Check(blk + "attn_q.weight", source[hf + "q_proj.weight"]);
            else
            {
                Check(blk + "attn_q_a.weight", source[hf + "q_a_proj.weight"]);
                Check(blk + "attn_q_a_norm.weight", source[hf + "q_a_layernorm.weight"]);
                Check(blk + "attn_q_b.weight", source[hf + "q_b_proj.weight"]);
            }
            Check(blk + "attn_kv_a_mqa.weight", source[hf + "kv_a_proj_with_mqa.weight"]);
            Check(blk + "attn_kv_a_norm.weight", source[hf + "kv_a_layernorm.weight"]);
            float[] kvB = source[hf + "kv_b_proj.weight"], kB = new float[n * rank * nope], vB = new float[n * v * rank];
            for (int head = 0; head < n; head++)
                for (int r = 0; r < rank; r++)
                {
                    for (int j = 0; j < nope; j++) kB[(head * rank + r) * nope + j] = kvB[(head * (nope + v) + j) * rank + r];
                    for (int j = 0; j < v; j++) vB[(head * v + j) * rank + r] = kvB[(head * (nope + v) + nope + j) * rank + r];
                }
            Check(blk + "attn_k_b.weight", kB);
            Check(blk + "attn_v_b.weight", vB);
            Assert.Equal([(long)n, rank, nope], gguf.Checkpoint.Tensors[blk + "attn_k_b.weight"].Shape);
            Assert.Equal([(long)n, v, rank], gguf.Checkpoint.Tensors[blk + "attn_v_b.weight"].Shape);
        }
    }

    [Theory]
    [InlineData("f16", NumberFormat.F16)]
    [InlineData("bf16", NumberFormat.BF16)]
    [InlineData("q8_0", NumberFormat.Q8_0)]
    public void Matrices_have_the_outtype_and_vectors_and_routers_stay_floats(string type, NumberFormat format)
    {
        using Converted exact = new("deepseek_v3", "f32"), gguf = new("deepseek_v3", type);
        foreach (CheckpointTensor t in gguf.Checkpoint.Tensors.Values)
        {
            bool plain = t.Shape.Length == 1 || t.Name.Contains("ffn_gate_inp") || t.Name.Contains("norm");
            // attn_k_b's rows have 16 values, which are no whole block of Q8_0.
            NumberFormat expected = plain ? NumberFormat.F32 : t.Shape[^1] % NumberFormats.BlockSize(format) == 0 ? format : NumberFormat.F16;
            Assert.True(t.Format == expected, $"{t.Name} is {t.Format}, not {expected}");
            float[] floats = exact.Floats(t.Name), rounded = new float[floats.Length];
            byte[] bytes = new byte[t.ByteLength];
            BlockEncoder.Encode(t.Format, floats, bytes);
            BlockDecoder.Decode(t.Format, bytes, rounded);
            Assert.True(rounded.AsSpan().SequenceEqual(gguf.Floats(t.Name)), t.Name);
        }
    }

    [Fact]
    public void The_number_of_threads_changes_no_byte()
    {
        using TemporaryFolder folder = new();
        string source = Repository.Shared("goldens/models/deepseek_v3_fp8");
        ModelConverter.Run(source, folder["1"], FileType.Find("Q4_K_M")!, threads: 1);
        ModelConverter.Run(source, folder["3"], FileType.Find("Q4_K_M")!, threads: 3);
        byte[] expected = File.ReadAllBytes(folder["1"]);
        Assert.True(expected.AsSpan().SequenceEqual(File.ReadAllBytes(folder["3"])));
    }

    /// <summary>numpy: w.reshape(heads, 2, d/2, cols).swapaxes(1, 2).reshape(w.shape).</summary>
    private static float[] Permute(float[] w, int heads, int d, int cols)
    {
        float[] y = new float[w.Length];
        for (int head = 0; head < heads; head++)
            for (int half = 0; half < 2; half++)
                for (int pair = 0; pair < d / 2; pair++)
                    w.AsSpan((head * d + half * d / 2 + pair) * cols, cols).CopyTo(y.AsSpan((head * d + 2 * pair + half) * cols));
        return y;
    }

    private static void CheckRopeFactors(Dictionary<string, float[]> left)
    {
        // config: theta 500000, factor 8, low 1, high 4, original length 64, head size 16
        Assert.True(left.Remove("rope_freqs.weight", out float[]? factors));
        Assert.Equal(8, factors!.Length);
        for (int i = 0; i < 8; i++)
        {
            double wave = 2 * Math.PI * Math.Pow(500000, i / 8.0), smooth = (64 / wave - 1) / 3;
            double expected = wave < 16 ? 1 : wave > 64 ? 8 : 1 / ((1 - smooth) / 8 + smooth);
            Assert.Equal(expected, factors[i], 1e-5);
        }
        Assert.Equal(1, factors[0]);
        Assert.Equal(8, factors[7]);
    }

    /// <summary>A golden model's tensors as floats; FP8 multiplied by its blocks' scales.</summary>
    private sealed class Source
    {
        private readonly Dictionary<string, GoldenFile> files = [];

        public Source(string model)
        {
            string folder = Repository.Shared($"goldens/models/{model}");
            Config = HuggingFaceConfig.Read(Path.Combine(folder, "config.json"));
            foreach (string path in Directory.GetFiles(folder, "model*.safetensors"))
            {
                GoldenFile file = GoldenFile.Open(path);
                foreach (string name in file.Names) files[name] = file;
            }
        }

        public ModelConfig Config { get; }

        public float[] this[string name]
        {
            get
            {
                GoldenFile file = files[name];
                if (file.Type(name) != "F8_E4M3") return file.Floats(name);
                int cols = file.Shape(name)[1], wide = (cols + 127) / 128;
                string scaleName = name + "_scale_inv";
                GoldenFile scaleFile = files[scaleName];
                float[] scales = scaleFile.Type(scaleName) == "F32" ? scaleFile.Floats(scaleName) : [.. scaleFile.Bytes(scaleName).ToArray().Select(b => MathF.ScaleB(1, b - 127))];
                return [.. file.Bytes(name).ToArray().Select((code, i) => E4M3(code) * scales[i / cols / 128 * wide + i % cols / 128])];
            }
        }

        private static float E4M3(byte code)
        {
            int e = code >> 3 & 15, m = code & 7;
            float a = e == 0 ? m / 512f : (8 + m) * MathF.ScaleB(1, e - 10);
            return code > 127 ? -a : a;
        }
    }

    private sealed class Converted : IDisposable
    {
        private readonly TemporaryFolder folder = new();

        public Converted(string model, string type)
        {
            SmallTokenizer.AddModel(folder, model);
            ModelConverter.Run(folder.Path, folder["out.gguf"], FileType.Find(type)!);
            Checkpoint = GgufCheckpoint.Open(folder["out.gguf"]);
        }

        public GgufCheckpoint Checkpoint { get; }

        public unsafe float[] Floats(string name)
        {
            CheckpointTensor t = Checkpoint.Tensors[name];
            float[] floats = new float[t.Count];
            BlockDecoder.Decode(t.Format, new ReadOnlySpan<byte>((byte*)t.Address, (int)t.ByteLength), floats);
            return floats;
        }

        public void Dispose()
        {
            Checkpoint.Dispose();
            folder.Dispose();
        }
    }
}
