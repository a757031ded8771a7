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
