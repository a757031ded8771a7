using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using SeekSharp.Chat;

namespace SeekSharp.Server;

/// <summary>A request for a chat's next message, checked.</summary>
internal sealed record ChatCompletionRequest(NamedModel Model, ChatRequest Chat, bool Stream, bool StreamUsage);

/// <summary>Reads <c>/v1/chat/completions</c>' body.</summary>
internal static partial class ChatFields
{
    private const int MostTools = 128;

    [GeneratedRegex("^[a-zA-Z0-9_-]{1,64}$")]
    private static partial Regex FunctionName();

    /// <exception cref="ApiException">Something is missing, wrong or not supported; its field is named.</exception>
    public static ChatCompletionRequest Read(JsonElement body, NamedModel model, string tenant)
    {
        var fields = new JsonFields(body);
        _ = fields.Text("model"); // known already
        JsonArray messages = Messages(fields);
        JsonArray? tools = Tools(fields);
        (ToolMode mode, string? tool) = Choice(fields, tools);
        (bool? think, int? budget) = Thinking(fields);
        JsonObject? variables = fields.Tree("chat_template_kwargs");
        foreach (string reserved in (string[])["messages", "tools", "add_generation_prompt", "continue_final_message"])
            if (variables?.ContainsKey(reserved) == true) throw ApiException.Unsupported("chat_template_kwargs." + reserved);
        Effort(fields, model.Model, ref think, ref variables);
        bool logprobs = fields.Flag("logprobs") ?? false;
        long? top = fields.Whole("top_logprobs", 0, Engine.SamplingParams.MostLogProbabilities);
        if (top > 0 && !logprobs) throw ApiException.Invalid("top_logprobs", "only with \"logprobs\": true");
        (bool stream, bool usage) = RequestFields.Streaming(fields);
        var chat = new ChatRequest
        {
            Messages = messages,
            Tools = tools,
            ToolMode = mode,
            Tool = tool,
            ParallelToolCalls = fields.Flag("parallel_tool_calls") ?? true,
            Format = Format(fields),
            Think = think,
            ThinkBudget = budget,
            Variables = variables,
            Sampling = RequestFields.Sampling(fields, model.Model.Defaults, logprobs ? (int?)top ?? 0 : null, MaxTokens(fields)),
            Choices = RequestFields.Choices(fields),
            Stop = RequestFields.Stops(fields),
            Adapter = model.Adapter,
            Tenant = tenant,
        };
        if (fields.Array("modalities") is { } modalities && (modalities.Count != 1 || modalities[0].Value.ToString() != "text")) throw ApiException.Invalid("modalities", "supported is [\"text\"]");
        fields.RefuseRest(RequestFields.Harmless);
        return new ChatCompletionRequest(model, chat, stream, usage);
    }

    /// <summary>The model that a request names; it stays until the lease ends.</summary>
    /// <exception cref="ApiException">There is none of that name.</exception>
    public static ModelLease Rent(JsonElement body, ChatModels models)
    {
        string? name = new JsonFields(body).Text("model");
        return models.Rent(name) ?? throw new ApiException(404, name is null ? "no model is loaded" : $"there is no model '{name}'; GET /v1/models lists them", "model", "model_not_found");
    }

    private static int? MaxTokens(JsonFields fields)
    {
        int? old = (int?)fields.Whole("max_tokens", 1, int.MaxValue), now = (int?)fields.Whole("max_completion_tokens", 1, int.MaxValue);
        if (old is not null && now is not null && old != now) throw ApiException.Invalid("max_completion_tokens", "differs from max_tokens: give one of them");
        return now ?? old;
    }

    private static JsonArray Messages(JsonFields fields)
    {
        IReadOnlyList<(JsonElement Value, string Path)> given = fields.Array("messages") ?? throw ApiException.Invalid("messages", "this field is required");
        if (given.Count == 0) throw ApiException.Invalid("messages", "expected at least one message");
        var messages = new JsonArray();
        foreach ((JsonElement value, string path) in given) messages.Add(Message(new JsonFields(value, path), path));
        return messages;
    }

    private static JsonObject Message(JsonFields fields, string path)
    {
        string role = fields.RequiredText("role");
        if (role == "developer") role = "system"; // OpenAI's new name for it
        if (role is not ("system" or "user" or "assistant" or "tool")) throw ApiException.Invalid($"{path}.role", $"expected system, developer, user, assistant or tool, found '{Short(role)}'");
        var message = new JsonObject { ["role"] = role };
        JsonElement? content = fields.Take("content");
        JsonArray? calls = role == "assistant" ? Calls(fields) : null;
        if (content is null && calls is null) throw ApiException.Invalid($"{path}.content", "this field is required");
        message["content"] = content is { } c ? Content(c, $"{path}.content") : null;
        if (fields.Text("name") is { } name) message["name"] = name;
        if (role == "assistant" && fields.Text("reasoning_content") is { } reasoning) message["reasoning_content"] = reasoning;
        if (calls is not null) message["tool_calls"] = calls;
        if (role == "tool") message["tool_call_id"] = fields.RequiredText("tool_call_id");
        if (role == "assistant" && fields.Flag("prefix") == true) throw ApiException.Unsupported($"{path}.prefix");
        if (role == "assistant") fields.RefuseRest("annotations");
        else fields.RefuseRest();
        return message;
    }

    // A text, or parts that are texts.
    private static string Content(JsonElement content, string path)
    {
        if (content.ValueKind == JsonValueKind.String) return JsonFields.TextOf(content, path);
        if (content.ValueKind != JsonValueKind.Array) throw ApiException.Invalid(path, $"expected a text or an array of parts, found {JsonFields.Kind(content)}");
        var text = new System.Text.StringBuilder();
        foreach ((JsonElement value, string at) in JsonFields.Elements(content, path))
        {
            var part = new JsonFields(value, at);
            string type = part.RequiredText("type");
            if (type is not ("text" or "refusal")) throw ApiException.Invalid($"{at}.type", $"supported is text, found '{Short(type)}'", "unsupported_parameter");
            text.Append(part.RequiredText(type));
            part.RefuseRest();
        }
        return text.ToString();
    }

    private static JsonArray? Calls(JsonFields message)
    {
        if (message.Array("tool_calls") is not { Count: > 0 } given) return null;
        var calls = new JsonArray();
        foreach ((JsonElement value, string path) in given)
        {
            var call = new JsonFields(value, path);
            string id = call.RequiredText("id");
            if (call.Text("type") is not (null or "function")) throw ApiException.Invalid($"{path}.type", "supported is function", "unsupported_parameter");
            JsonFields function = call.Object("function") ?? throw ApiException.Invalid($"{path}.function", "this field is required");
            calls.Add(ChatMessages.CallOf(id, function.RequiredText("name"), JsonValue.Create(function.RequiredText("arguments"))));
            function.RefuseRest();
            call.RefuseRest("index");
        }
        return calls;
    }

    private static JsonArray? Tools(JsonFields fields)
    {
        if (fields.Array("tools") is not { Count: > 0 } given) return null;
        if (given.Count > MostTools) throw ApiException.OutOfRange("tools", $"expected at most {MostTools}, found {given.Count}");
        var tools = new JsonArray();
        var names = new HashSet<string>();
        foreach ((JsonElement value, string path) in given)
        {
            var tool = new JsonFields(value, path);
            string type = tool.RequiredText("type");
            if (type != "function") throw ApiException.Invalid($"{path}.type", $"supported is function, found '{Short(type)}'", "unsupported_parameter");
            JsonFields function = tool.Object("function") ?? throw ApiException.Invalid($"{path}.function", "this field is required");
            string name = function.RequiredText("name");
            if (!FunctionName().IsMatch(name)) throw ApiException.Invalid($"{path}.function.name", $"expected 1 to 64 of the letters a-z, A-Z, 0-9, _ and -, found '{Short(name)}'");
            if (!names.Add(name)) throw ApiException.Invalid($"{path}.function.name", $"there is a tool '{name}' already");
            var described = new JsonObject { ["name"] = name };
            if (function.Text("description") is { } description) described["description"] = description;
            described["parameters"] = function.Tree("parameters") ?? new JsonObject { ["type"] = "object", ["properties"] = new JsonObject() };
            if (function.Flag("strict") == true) described["strict"] = true;
            function.RefuseRest();
            tool.RefuseRest();
            tools.Add(new JsonObject { ["type"] = "function", ["function"] = described });
        }
        return tools;
    }

    private static (ToolMode, string?) Choice(JsonFields fields, JsonArray? tools)
    {
        if (fields.Take("tool_choice") is not { } value) return (ToolMode.Auto, null);
        if (value.ValueKind == JsonValueKind.String)
        {
            string word = JsonFields.TextOf(value, "tool_choice");
            ToolMode mode = word switch
            {
                "auto" => ToolMode.Auto,
                "none" => ToolMode.None,
                "required" => ToolMode.Required,
                _ => throw ApiException.Invalid("tool_choice", $"expected none, auto, required or a function, found '{Short(word)}'"),
            };
            if (mode == ToolMode.Required && tools is null) throw ApiException.Invalid("tool_choice", "there are no tools");
            return (mode, null);
        }
        var choice = new JsonFields(value, "tool_choice");
        string type = choice.RequiredText("type");
        if (type != "function") throw ApiException.Invalid("tool_choice.type", $"supported is function, found '{Short(type)}'", "unsupported_parameter");
        JsonFields function = choice.Object("function") ?? throw ApiException.Invalid("tool_choice.function", "this field is required");
        string name = function.RequiredText("name");
        function.RefuseRest();
        choice.RefuseRest();
        if (tools?.Any(t => (string?)t!["function"]!["name"] == name) != true) throw ApiException.Invalid("tool_choice.function.name", $"there is no tool '{Short(name)}'");
        return (ToolMode.Required, name);
    }

    private static AnswerFormatChoice Format(JsonFields fields)
    {
        if (fields.Object("response_format") is not { } format) return default;
        string type = format.RequiredText("type");
        AnswerFormatChoice choice;
        switch (type)
        {
            case "text": choice = default; break;
            case "json_object": choice = new(AnswerFormat.Json); break;
            case "json_schema":
                JsonFields schema = format.Object("json_schema") ?? throw ApiException.Invalid("response_format.json_schema", "this field is required");
                JsonObject tree = schema.Tree("schema") ?? throw ApiException.Invalid("response_format.json_schema.schema", "this field is required");
                schema.RefuseRest("name", "description", "strict"); // an answer is always strictly of its schema
                choice = new(AnswerFormat.Schema, tree.ToJsonString());
                break;
            case "regex": choice = new(AnswerFormat.Regex, format.RequiredText("pattern")); break;
            case "gbnf": choice = new(AnswerFormat.Gbnf, format.RequiredText("grammar")); break;
            default: throw ApiException.Invalid("response_format.type", $"expected text, json_object, json_schema, regex or gbnf, found '{Short(type)}'");
        }
        format.RefuseRest();
        return choice;
    }

    // DeepSeek's switch, with Anthropic's budget.
    private static (bool? Think, int? Budget) Thinking(JsonFields fields)
    {
        if (fields.Object("thinking") is not { } thinking) return (null, null);
        string type = thinking.RequiredText("type");
        bool? think = type switch
        {
            "enabled" => true,
            "disabled" => false,
            "auto" => null,
            _ => throw ApiException.Invalid("thinking.type", $"expected enabled, disabled or auto, found '{Short(type)}'"),
        };
        int? budget = (int?)thinking.Whole("budget_tokens", 0, int.MaxValue);
        thinking.RefuseRest();
        return (think, budget);
    }

    private static void Effort(JsonFields fields, ChatModel model, ref bool? think, ref JsonObject? variables)
    {
        if (fields.Text("reasoning_effort") is not { } effort) return;
        if (effort == "none") think ??= false;
        else if (effort is not ("minimal" or "low" or "medium" or "high" or "xhigh")) throw ApiException.Invalid("reasoning_effort", $"expected none, minimal, low, medium, high or xhigh, found '{Short(effort)}'");
        else if (model.TemplateUses("reasoning_effort")) (variables ??= [])["reasoning_effort"] = effort;
        else throw ApiException.Invalid("reasoning_effort", "this model thinks with one effort only; supported is none", "unsupported_parameter");
    }

    internal static string Short(string text) => text.Length > 40 ? text[..40] + "…" : text;
}
