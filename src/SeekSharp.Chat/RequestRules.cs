using System.Text.Json.Nodes;
using SeekSharp.Tokenization;

namespace SeekSharp.Chat;

/// <summary>From a request's format and tool choice to the rule that its answers are held to.</summary>
internal static class RequestRules
{
    /// <summary>The rule; null where anything may be said.</summary>
    /// <exception cref="GrammarException">A schema, expression or grammar cannot be followed; the message says whose.</exception>
    public static AnswerRule? For(ChatModel model, ChatRequest request, ChatPrompt prompt)
    {
        bool calls = request.Tools is { Count: > 0 } && request.ToolMode != ToolMode.None;
        bool mustCall = calls && request.ToolMode == ToolMode.Required;
        bool isFree = !mustCall && request.Format.Format == AnswerFormat.Text;
        if (isFree && !calls) return null;
        if (model.Tokenizer is null) throw new GrammarException("the model has no tokenizer, so its answers cannot be held to a grammar");

        var forms = new List<AnswerForm>();
        if (!mustCall && !isFree) forms.Add(new AnswerForm([], model.Grammars.Get(request.Format), []));
        string? trigger = null;
        if (calls)
        {
            ToolFormat format = RequestPrompt.ToolFormatOf(model, request);
            if (isFree && !ToolCallText.TryGetBeginning(format, out trigger)) return null;
            foreach (JsonNode? tool in request.Tools!)
            {
                string name = (string?)tool?["function"]?["name"] ?? "";
                if (mustCall && request.Tool is { } wanted && wanted != name) continue;
                try
                {
                    forms.Add(CallForm(model, format, name, tool!["function"]!["parameters"], trigger));
                }
                catch (GrammarException) when (isFree && (bool?)tool!["function"]!["strict"] != true)
                {
                    forms.Add(CallForm(model, format, name, null, trigger)); // nobody insists: any object will do
                }
            }
        }
        if (forms.Count == 0) throw new GrammarException($"there is no tool '{request.Tool}'");
        bool mayThink = request.Prompt is null && request.Think != false && !prompt.Text.AsSpan().TrimEnd().EndsWith("</think>", StringComparison.Ordinal);
        return new AnswerRule(model, forms, request.Prompt is null && prompt.OpensThinking, mayThink, trigger) { BlankIds = request.Format.Format is AnswerFormat.Regex or AnswerFormat.Gbnf ? [] : model.BlankIds };
    }

    private static AnswerForm CallForm(ChatModel model, ToolFormat format, string name, JsonNode? parameters, string? trigger)
    {
        (string before, string after) = ToolCallText.Around(format, name);
        TokenGrammar arguments;
        try
        {
            arguments = model.Grammars.Get(new AnswerFormatChoice(AnswerFormat.Schema, ObjectSchema(parameters)));
        }
        catch (GrammarException e)
        {
            throw new GrammarException($"tool '{name}': {e.Message}");
        }
        if (trigger is not null) before = before[trigger.Length..];
        return new AnswerForm(model.Tokenizer!.Encode(before, addSpecialTokens: false), arguments, model.Tokenizer.Encode(after, addSpecialTokens: false));
    }

    // Arguments are an object, whatever the schema leaves open.
    private static string ObjectSchema(JsonNode? parameters)
    {
        if (parameters is not JsonObject schema) return """{"type":"object"}""";
        if (schema.ContainsKey("type") || schema.ContainsKey("$ref") || schema.ContainsKey("anyOf") || schema.ContainsKey("allOf") || schema.ContainsKey("oneOf")) return schema.ToJsonString();
        var typed = (JsonObject)schema.DeepClone();
        typed["type"] = "object";
        return typed.ToJsonString();
    }
}

/// <summary>Grammars bound to a model's vocabulary; the last ones are kept. Thread-safe.</summary>
internal sealed class GrammarCache(Func<GrammarVocabulary> vocabulary)
{
    private const int Most = 64;

    private readonly Dictionary<AnswerFormatChoice, LinkedListNode<(AnswerFormatChoice Key, TokenGrammar Grammar)>> _known = [];
    private readonly LinkedList<(AnswerFormatChoice Key, TokenGrammar Grammar)> _order = new(); // the last used first

    /// <exception cref="GrammarException">It cannot be compiled.</exception>
    public TokenGrammar Get(AnswerFormatChoice format)
    {
        lock (_order)
        {
            if (_known.TryGetValue(format, out var node))
            {
                _order.Remove(node);
                _order.AddFirst(node);
                return node.Value.Grammar;
            }
        }
        Grammar grammar = format.Format switch
        {
            AnswerFormat.Json => Grammar.JsonSchema("""{"type":"object"}"""),
            AnswerFormat.Schema => Grammar.JsonSchema(format.Source),
            AnswerFormat.Regex => Grammar.Regex(format.Source),
            AnswerFormat.Gbnf => Grammar.Gbnf(format.Source),
            _ => throw new ArgumentOutOfRangeException(nameof(format)),
        };
        var bound = new TokenGrammar(grammar, vocabulary());
        lock (_order)
        {
            if (_known.ContainsKey(format)) return bound; // somebody was quicker
            _known[format] = _order.AddFirst((format, bound));
            if (_order.Count <= Most) return bound;
            _known.Remove(_order.Last!.Value.Key);
            _order.RemoveLast();
        }
        return bound;
    }
}
