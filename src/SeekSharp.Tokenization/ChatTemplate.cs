using System.Text.Json;

namespace SeekSharp.Tokenization;

/// <summary>
/// A chat template: Jinja source that turns messages and tools into a prompt, rendered as the Python library transformers does
/// (<c>render_jinja_template</c> in <c>transformers/utils/chat_template_utils.py</c>).
/// </summary>
public sealed class ChatTemplate
{
    private ChatTemplate(string source) => Source = source;

    /// <summary>The Jinja source.</summary>
    public string Source { get; }

    /// <summary>Reads a template.</summary>
    /// <param name="source">Jinja source as in <c>chat_template.jinja</c> or the key <c>chat_template</c> of <c>tokenizer_config.json</c>.</param>
    /// <exception cref="TemplateException">The source is not valid Jinja.</exception>
    public static ChatTemplate Parse(string source)
    {
        ArgumentNullException.ThrowIfNull(source);
        return new ChatTemplate(source);
    }

    /// <summary>Renders a conversation.</summary>
    /// <param name="variables">
    /// A JSON object: <c>messages</c>, and where wanted <c>tools</c>, <c>documents</c>, <c>add_generation_prompt</c> (false when absent),
    /// <c>continue_final_message</c>, <c>bos_token</c>, <c>eos_token</c> and any other variable of the template.
    /// </param>
    /// <param name="now">What <c>strftime_now</c> reads; the computer's clock when null.</param>
    /// <returns>The prompt.</returns>
    /// <exception cref="TemplateException">The template refused, failed, or ran, grew or recursed without bound.</exception>
    public string Render(JsonElement variables, DateTimeOffset? now = null) => RenderWithSpans(variables, now).Text;

    /// <summary>Renders a conversation and tells which parts of it the template marks as the assistant's (<c>{% generation %}</c>).</summary>
    /// <param name="variables">As in <see cref="Render"/>.</param>
    /// <param name="now">As in <see cref="Render"/>.</param>
    /// <returns>The prompt and its spans.</returns>
    /// <exception cref="TemplateException">As in <see cref="Render"/>.</exception>
    public RenderedPrompt RenderWithSpans(JsonElement variables, DateTimeOffset? now = null) =>
        throw new TemplateException($"rendering of {Source.Length} characters lands with the next change");

    /// <summary>True when the template reads a variable of that name that it does not set itself, e.g. <c>tools</c> or <c>enable_thinking</c>.</summary>
    /// <param name="variable">A variable's name.</param>
    public bool Uses(string variable) => Source.Contains(variable, StringComparison.Ordinal);
}
