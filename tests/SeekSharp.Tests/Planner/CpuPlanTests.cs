using System.Text.Json;
using SeekSharp.Checkpoints;
using SeekSharp.Planner;
using Xunit;

namespace SeekSharp.Tests.Planner;

/// <summary>
/// The plan for a processor beside what <c>seeksharp bench</c> measured on the same machine, for the two synthetic models of <c>../shared/peers/synth_gguf.py</c>. Recorded by
/// <c>seeksharp plan serve --model FILE --gpu this --check --json</c> on a quiet machine (bench/results/plan-cpu.md), so that no test depends on the hour.
/// </summary>
public sealed class CpuPlanTests
{
    private const string Llama = """{ "model_type": "llama", "vocab_size": 32000, "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 4 }""";
    private const string DeepSeek = """
        { "model_type": "deepseek_v3", "vocab_size": 32000, "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 12, "num_attention_heads": 16, "q_lora_rank": 512, "kv_lora_rank": 512,
          "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "n_routed_experts": 64, "num_experts_per_tok": 6, "n_shared_experts": 2, "moe_intermediate_size": 512, "first_k_dense_replace": 1,
          "n_group": 1, "topk_group": 1, "num_nextn_predict_layers": 0 }
        """;

    private static JsonElement Recorded() => JsonDocument.Parse(File.ReadAllText(Path.Combine(Repository.Root, "bench", "results", "plan-cpu.json"))).RootElement.GetProperty("runs");

    public static TheoryData<string> Files() => ["llama-Q4_0.gguf", "deepseek2-Q4_0.gguf", "llama-Q8_0.gguf", "deepseek2-Q8_0.gguf"];

    private static CpuPlan Plan(JsonElement run, string file)
    {
        JsonElement m = run.GetProperty("machine");
        double Of(string key) => m.GetProperty(key).GetDouble();
        ModelConfig config = HuggingFaceConfig.Read(file, JsonDocument.Parse(file.StartsWith("llama", StringComparison.Ordinal) ? Llama : DeepSeek).RootElement);
        var model = new PlannedModel(file, file, file, ModelShapes.Of(file, config), new Recipe(), run.GetProperty("bits").GetDouble());
        return new CpuPlan(model, new CpuMachine("recorded", m.GetProperty("threads").GetInt32(), Of("read"), Of("many_rows"), Of("few_rows"), Of("attention"), Of("region")), 512, 64, 0, 16, 0.08, PriceList.BuiltIn[0]);
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void The_plan_is_within_a_quarter_of_bench(string file)
    {
        JsonElement run = Recorded().GetProperty(file), bench = run.GetProperty("bench");
        CpuPlan plan = Plan(run, file);
        Assert.Equal(bench.GetProperty("bytes_per_token").GetDouble(), plan.Ledger["bytes_per_token"].Value, bench.GetProperty("bytes_per_token").GetDouble() * 0.03);
        foreach (string key in (string[])["prefill_tps", "decode_tps"])
            Assert.InRange(plan.Ledger[key].Value / bench.GetProperty(key).GetDouble(), 0.75, 1.25);
    }

    [Fact]
    public void What_does_not_fit_is_said()
    {
        var small = new CpuMachine("small", 2, 25e9, 400e9, 300e9, 180e9, 1e-6, Memory: 16e9);
        Assert.Contains(new CpuPlan(PlannedModel.Find("deepseek-r1"), small, 512, 64, 0, 16, 0.08, PriceList.BuiltIn[0]).Ledger.Warnings, w => w.Contains("does not fit"));
        Assert.Empty(new CpuPlan(PlannedModel.Find("r1-distill-qwen-1.5b"), small, 512, 64, 0, 16, 0.08, PriceList.BuiltIn[0]).Ledger.Warnings);
    }

    [Fact]
    public void Money_is_the_hour_over_the_tokens()
    {
        CpuPlan plan = Plan(Recorded().GetProperty("llama-Q4_0.gguf"), "llama-Q4_0.gguf");
        Assert.Equal(0.08 / 3600 * plan.DecodeSeconds * 1e6, plan.Ledger["cost_per_million_output"].Value, 1e-9);
        Assert.Equal(2.19, plan.Ledger["api_per_million_output"].Value);
        Assert.True(plan.Ledger["cost_per_million_input"].Value < plan.Ledger["cost_per_million_output"].Value);
    }
}
