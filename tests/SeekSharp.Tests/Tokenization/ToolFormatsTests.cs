using SeekSharp.Tokenization;
using Xunit;

namespace SeekSharp.Tests.Tokenization;

public sealed class ToolFormatsTests
{
    [Theory]
    [InlineData("deepseek_r1", ToolFormat.DeepSeekR1)]
    [InlineData("DeepSeek-V3.1", ToolFormat.DeepSeekV31)]
    [InlineData("deepseek-v3", ToolFormat.DeepSeekV3)]
    [InlineData("Qwen", ToolFormat.Qwen)]
    [InlineData("llama3", ToolFormat.Llama3)]
    [InlineData("none", ToolFormat.None)]
    public void Names_are_read(string name, ToolFormat format) => Assert.Equal(format, ToolFormats.Parse(name));

    [Fact]
    public void An_unknown_name_is_refused_with_those_that_there_are()
    {
        var e = Assert.Throws<FormatException>(() => ToolFormats.Parse("mistral"));
        Assert.Equal("tool format: expected none, deepseek_r1, deepseek_v3, deepseek_v3_1, qwen, llama3, found 'mistral'", e.Message);
    }

    [Fact]
    public void Every_form_has_a_name()
    {
        foreach (ToolFormat format in Enum.GetValues<ToolFormat>()) Assert.Equal(format, ToolFormats.Parse(ToolFormats.Names[(int)format]));
    }

    [Theory]
    [InlineData(ToolFormat.DeepSeekR1, "<｜tool▁call▁begin｜>", "<think>")]
    [InlineData(ToolFormat.DeepSeekV3, "<｜tool▁call▁begin｜>")]
    [InlineData(ToolFormat.Qwen, "<tool_call>", "<think>")]
    [InlineData(ToolFormat.Llama3, "<|python_tag|>")]
    [InlineData(ToolFormat.None, "<think>")]
    public void Without_a_template_the_vocabulary_tells(ToolFormat want, params string[] tokens) =>
        Assert.Equal(want, ToolFormats.Detect(tokens.Contains, template: null));

    /// <summary>Published templates, with a vocabulary that has the special tokens of several families, as those of distilled models do.</summary>
    [Theory]
    [InlineData("deepseekv3", ToolFormat.DeepSeekR1)] // its prompt opens the thinking
    [InlineData("deepseek_v3_gguf", ToolFormat.DeepSeekV3)]
    [InlineData("deepseek_r1_0528", ToolFormat.DeepSeekR1, "<think>")]
    [InlineData("deepseek_r1_distill", ToolFormat.DeepSeekR1, "<think>", "<|python_tag|>")]
    [InlineData("deepseek_r1_distill_qwen_32b", ToolFormat.DeepSeekR1, "<think>", "<tool_call>")]
    [InlineData("deepseek_r1_tools", ToolFormat.DeepSeekR1, "<think>")]
    [InlineData("deepseek_v3_1", ToolFormat.DeepSeekV31, "<think>", "<｜tool▁call▁begin｜>")]
    [InlineData("qwen2_5", ToolFormat.Qwen, "<tool_call>")]
    [InlineData("qwen3", ToolFormat.Qwen, "<tool_call>", "<think>")]
    [InlineData("qwen3_instruct_2507", ToolFormat.Qwen)]
    [InlineData("qwq_32b", ToolFormat.Qwen)]
    [InlineData("hermes3_tool_use", ToolFormat.Qwen)]
    [InlineData("llama3_1", ToolFormat.Llama3, "<|python_tag|>")]
    [InlineData("llama3_2_3b", ToolFormat.Llama3, "<|python_tag|>")]
    [InlineData("qwen3_coder", ToolFormat.None, "<tool_call>")]
    [InlineData("mistral_nemo", ToolFormat.None)]
    [InlineData("gpt_oss_120b", ToolFormat.None)]
    [InlineData("kimi_k2_thinking", ToolFormat.None)]
    [InlineData("glm4_6", ToolFormat.None)]
    [InlineData("smollm2", ToolFormat.None)]
    [InlineData("gemma2_2b", ToolFormat.None)]
    [InlineData("phi3_5_mini", ToolFormat.None)]
    public void A_probe_call_through_the_template_tells(string template, ToolFormat want, params string[] tokens)
    {
        string source = File.ReadAllText(Repository.Shared($"goldens/templates/{template}.jinja"));
        Assert.Equal(want, ToolFormats.Detect(tokens.Contains, ChatTemplate.Parse(source)));
    }

    [Theory]
    [InlineData("<think>", true)]
    [InlineData("<｜Assistant｜><think>\n", true)]
    [InlineData("<think> \r\n\t", true)]
    [InlineData("<think>\u00a0", false)]
    [InlineData("<think></think>", false)]
    [InlineData("<think>\n\n</think>\n\n", false)]
    [InlineData("<think", false)]
    [InlineData("", false)]
    public void An_open_tag_at_the_prompts_end_is_seen(string prompt, bool opens) => Assert.Equal(opens, ThinkTags.OpensThinking(prompt));
}
