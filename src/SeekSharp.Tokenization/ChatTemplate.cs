using System.Text.Json;

namespace SeekSharp.Tokenization;

/// <summary>
/// A chat template: Jinja source that turns messages and tools into a prompt, rendered as the Python library transformers does
/// (<c>render_jinja_template</c> in <c>transformers/utils/chat_template_utils.py</c>, with Jinja2 3.1 in its immutable sandbox).
/// A template can be rendered by several threads at once.
/// </summary>
public sealed class ChatTemplate
{
    private readonly TemplateSyntax _syntax;

    private ChatTemplate(string source, TemplateSyntax syntax)
    {
        Source = source;
        _syntax = syntax;
    }

    /// <summary>The Jinja source.</summary>
    public string Source { get; }

    /// <summary>Reads a template.</summary>
    /// <param name="source">Jinja source as in <c>chat_template.jinja</c> or the key <c>chat_template</c> of <c>tokenizer_config.json</c>.</param>
    /// <exception cref="TemplateException">The source is not valid Jinja, or nests too deeply.</exception>
    public static ChatTemplate Parse(string source)
    {
        ArgumentNullException.ThrowIfNull(source);
        try
        {
            return new ChatTemplate(source, Parser.Parse(source, new Budget(source.Length)));
        }
        catch (InsufficientExecutionStackException)
        {
            throw Budget.TooDeep();
        }
    }

    /// <summary>Renders a conversation.</summary>
    /// <param name="variables">
    /// A JSON object: <c>messages</c>, and where wanted <c>tools</c>, <c>documents</c> (none when absent), <c>add_generation_prompt</c>
    /// (false when absent), <c>continue_final_message</c> (true, or the name of the field to be continued), <c>bos_token</c>, <c>eos_token</c>
    /// and any other variable of the template.
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
    public RenderedPrompt RenderWithSpans(JsonElement variables, DateTimeOffset? now = null)
    {
        Renderer? renderer = null;
        try
        {
            var conversation = Conversation.Read(variables, Source);
            renderer = new Renderer(_syntax, conversation.Budget, now ?? DateTimeOffset.Now);
            foreach ((string name, object value) in conversation.Variables) renderer.Root.Set(name, value);
            Statement.Run(_syntax.Body, renderer);
            return new RenderedPrompt(conversation.Finish(renderer.Text), renderer.Spans);
        }
        catch (TemplateException e) when (e.Line is null && renderer is { Line: > 0 } r)
        {
            // What a template says itself is kept word for word.
            throw new TemplateException(e.RaisedByTemplate ? e.Message : $"{e.Message} (line {r.Line})") { Line = r.Line, RaisedByTemplate = e.RaisedByTemplate };
        }
        catch (InsufficientExecutionStackException)
        {
            throw Budget.TooDeep();
        }
    }

    /// <summary>
    /// True when the template reads a variable of that name, e.g. <c>tools</c>, <c>enable_thinking</c> or <c>thinking</c>: whether setting it may change the prompt.
    /// </summary>
    /// <param name="variable">A variable's name.</param>
    public bool Uses(string variable) => _syntax.Names.Contains(variable);
}
