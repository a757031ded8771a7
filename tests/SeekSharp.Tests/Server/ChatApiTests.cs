using System.Text.Json;
using Xunit;

namespace SeekSharp.Tests.Server;

[Collection("server")]
public sealed class ChatApiTests(ServedModel served)
{
    private const string Question = """
        "model":"smol","messages":[{"role":"user","content":"List three fruits that are red."}],"temperature":0,"max_tokens":24
        """;
    private const string Fruits = "1. Bananas\n2. Oranges\n3. Grapes";

    [Theory]
    [InlineData("/v1/chat/completions")]
    [InlineData("/chat/completions")]
    public async Task A_chat_is_answered(string path)
    {
        (int status, JsonElement body) = await served.Post(path, "{" + Question + "}");
        Assert.Equal(200, status);
        Assert.StartsWith("chatcmpl-", body.GetProperty("id").GetString());
        Assert.Equal(("chat.completion", "smol"), (body.GetProperty("object").GetString(), body.GetProperty("model").GetString()));
        JsonElement choice = Assert.Single(body.GetProperty("choices").EnumerateArray());
        Assert.Equal((0, "stop"), (choice.GetProperty("index").GetInt32(), choice.GetProperty("finish_reason").GetString()));
        Assert.Equal(("assistant", Fruits), (choice.GetProperty("message").GetProperty("role").GetString(), choice.GetProperty("message").GetProperty("content").GetString()));
        JsonElement usage = body.GetProperty("usage");
        Assert.Equal((37, 15, 52), (Number(usage, "prompt_tokens"), Number(usage, "completion_tokens"), Number(usage, "total_tokens")));
        Assert.Equal(37, Number(usage, "prompt_cache_hit_tokens") + Number(usage, "prompt_cache_miss_tokens"));
        Assert.Equal(Number(usage, "prompt_cache_hit_tokens"), Number(usage.GetProperty("prompt_tokens_details"), "cached_tokens"));
        Assert.Equal(0, Number(usage.GetProperty("completion_tokens_details"), "reasoning_tokens"));
    }

    [Fact]
    public async Task A_stream_is_as_OpenAI_sends_it()
    {
        List<JsonElement> events = await served.Stream("/v1/chat/completions", "{" + Question + ""","stream":true,"stream_options":{"include_usage":true}}""");
        Assert.Single(events.Select(e => e.GetProperty("id").GetString()).Distinct());
        Assert.All(events, e => Assert.Equal("chat.completion.chunk", e.GetProperty("object").GetString()));
        Assert.Equal("""{"role":"assistant","content":""}""", Delta(events[0]).GetRawText());
        Assert.Equal(Fruits, string.Concat(events.SkipLast(1).Select(e => Delta(e).TryGetProperty("content", out JsonElement c) ? c.GetString() : "")));
        Assert.All(events.SkipLast(1), e => Assert.Equal(JsonValueKind.Null, e.GetProperty("usage").ValueKind));
        Assert.Equal(("{}", "stop"), (Delta(events[^2]).GetRawText(), events[^2].GetProperty("choices")[0].GetProperty("finish_reason").GetString()));
        Assert.Equal(0, events[^1].GetProperty("choices").GetArrayLength());
        Assert.Equal(15, Number(events[^1].GetProperty("usage"), "completion_tokens"));
        Assert.True(events.Count > 6);
    }

    [Fact]
    public async Task Choices_stop_strings_and_log_probabilities()
    {
        string body = "{" + Question + ""","n":2,"stop":["Oranges"],"logprobs":true,"top_logprobs":2""";
        (int status, JsonElement answer) = await served.Post("/v1/chat/completions", body + "}");
        Assert.Equal(200, status);
        List<JsonElement> events = await served.Stream("/v1/chat/completions", body + ",\"stream\":true}");
        for (int i = 0; i < 2; i++)
        {
            JsonElement choice = answer.GetProperty("choices")[i];
            Assert.Equal("1. Bananas\n2. ", choice.GetProperty("message").GetProperty("content").GetString());
            Assert.Equal(events.Where(e => e.GetProperty("choices")[0].GetProperty("index").GetInt32() == i).SelectMany(Tokens), Tokens(choice));
            Assert.All(choice.GetProperty("logprobs").GetProperty("content").EnumerateArray(), t => Assert.Equal(2, t.GetProperty("top_logprobs").GetArrayLength()));
        }
        Assert.StartsWith("1. Bananas\n2.", string.Concat(Tokens(answer.GetProperty("choices")[0]).Select(t => t.Token)));

        static (string? Token, float)[] Tokens(JsonElement holder)
        {
            JsonElement choice = holder.TryGetProperty("choices", out JsonElement choices) ? choices[0] : holder;
            JsonElement logs = choice.GetProperty("logprobs");
            return logs.ValueKind == JsonValueKind.Null ? [] : [.. logs.GetProperty("content").EnumerateArray().Select(t => (t.GetProperty("token").GetString(), t.GetProperty("logprob").GetSingle()))];
        }
    }

    [Fact]
    public async Task A_seed_repeats_an_answer_and_biases_change_it()
    {
        const string Sampled = """{"messages":[{"role":"user","content":"Tell me a story."}],"temperature":1.2,"max_tokens":8,"seed":11""";
        string Text((int, JsonElement Body) answer) => answer.Body.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!;
        string first = Text(await served.Post("/v1/chat/completions", Sampled + "}"));
        Assert.Equal(first, Text(await served.Post("/v1/chat/completions", Sampled + ",\"user\":\"u\",\"store\":false,\"metadata\":{\"a\":\"b\"}}")));
        int id = served.Model.Tokenizer!.Encode(" banana", addSpecialTokens: false)[0];
        Assert.Equal(string.Concat(Enumerable.Repeat(served.Model.Tokenizer.Decode([id]), 8)), Text(await served.Post("/v1/chat/completions", Sampled + $",\"logit_bias\":{{\"{id}\":100}}}}")));
    }

    [Theory]
    [InlineData("""{"type":"json_object"}""")]
    [InlineData("""{"type":"json_schema","json_schema":{"name":"fruit","strict":true,"schema":{"type":"object","properties":{"red":{"type":"boolean"},"n":{"type":"integer","minimum":0,"maximum":9}},"required":["red","n"],"additionalProperties":false}}}""")]
    public async Task An_answer_is_JSON_of_its_schema(string format)
    {
        (int status, JsonElement body) = await served.Post("/v1/chat/completions", $$"""{"messages":[{"role":"user","content":"A fruit as JSON"}],"temperature":0,"max_tokens":60,"response_format":{{format}}}""");
        Assert.Equal(200, status);
        JsonElement choice = body.GetProperty("choices")[0];
        string text = choice.GetProperty("message").GetProperty("content").GetString()!;
        Assert.StartsWith("{", text);
        if (!format.Contains("schema")) return; // a small model may go on with an object for ever
        JsonElement json = JsonDocument.Parse(text).RootElement;
        Assert.True(json.GetProperty("red").ValueKind is JsonValueKind.True or JsonValueKind.False);
        Assert.InRange(json.GetProperty("n").GetInt32(), 0, 9);
        Assert.Equal("stop", choice.GetProperty("finish_reason").GetString());
    }

    internal const string Tools = """
        "tools":[{"type":"function","function":{"name":"get_weather","description":"Weather of a city","strict":true,"parameters":{"type":"object","properties":{"city":{"type":"string","maxLength":12}},"required":["city"],"additionalProperties":false}}},
                 {"type":"function","function":{"name":"get_time","parameters":{"type":"object","properties":{"zone":{"type":"integer","minimum":-12,"maximum":14}},"required":["zone"],"additionalProperties":false}}}]
        """;

    [Theory]
    [InlineData("\"required\"", null)]
    [InlineData("""{"type":"function","function":{"name":"get_time"}}""", "get_time")]
    public async Task A_call_is_forced(string choice, string? name)
    {
        string request = $$"""{"messages":[{"role":"user","content":"Weather in Paris?"}],"temperature":0,"max_tokens":80,{{Tools}},"tool_choice":{{choice}}""";
        (int status, JsonElement body) = await served.Post("/v1/chat/completions", request + "}");
        Assert.Equal(200, status);
        JsonElement answer = body.GetProperty("choices")[0];
        Assert.Equal("tool_calls", answer.GetProperty("finish_reason").GetString());
        Assert.Equal(JsonValueKind.Null, answer.GetProperty("message").GetProperty("content").ValueKind);
        JsonElement call = Assert.Single(answer.GetProperty("message").GetProperty("tool_calls").EnumerateArray());
        Assert.Equal("function", call.GetProperty("type").GetString());
        if (name is not null) Assert.Equal(name, call.GetProperty("function").GetProperty("name").GetString());
        JsonDocument.Parse(call.GetProperty("function").GetProperty("arguments").GetString()!);

        List<JsonElement> events = await served.Stream("/v1/chat/completions", request + ",\"stream\":true}");
        JsonElement streamed = Assert.Single(events, e => Delta(e).TryGetProperty("tool_calls", out _)).GetProperty("choices")[0].GetProperty("delta").GetProperty("tool_calls")[0];
        Assert.Equal(0, streamed.GetProperty("index").GetInt32());
        Assert.Equal(call.GetProperty("function").GetRawText(), streamed.GetProperty("function").GetRawText());
    }

    [Fact]
    public async Task A_tool_result_is_answered()
    {
        (int status, JsonElement body) = await served.Post("/v1/chat/completions", $$$"""
            {"messages":[{"role":"user","content":"Time?"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"get_time","arguments":"{\"zone\":1}"}}]},
             {"role":"tool","tool_call_id":"c1","content":"noon"}],"temperature":0,"max_tokens":4,{{{Tools}}},"parallel_tool_calls":false}
            """);
        Assert.Equal(200, status);
        Assert.NotEqual("", body.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
    }

    [Fact]
    public async Task Texts_are_continued()
    {
        const string Body = """{"model":"smol","prompt":["Once upon a","The capital of France is"],"max_tokens":4,"temperature":0,"echo":true""";
        (int status, JsonElement body) = await served.Post("/v1/completions", Body + "}");
        Assert.Equal((200, "text_completion"), (status, body.GetProperty("object").GetString()));
        string[] texts = [.. body.GetProperty("choices").EnumerateArray().Select(c => c.GetProperty("text").GetString()!)];
        Assert.StartsWith("Once upon a time", texts[0]);
        Assert.StartsWith("The capital of France is Paris", texts[1]);
        List<JsonElement> events = await served.Stream("/completions", Body + ",\"stream\":true}");
        for (int i = 0; i < 2; i++)
            Assert.Equal(texts[i], string.Concat(events.Select(e => e.GetProperty("choices")[0]).Where(c => c.GetProperty("index").GetInt32() == i).Select(c => c.GetProperty("text").GetString())));
        (_, body) = await served.Post("/v1/completions", $$"""{"prompt":[{{string.Join(',', served.Model.Tokenizer!.Encode("Once upon a"))}}],"max_tokens":2,"temperature":0,"logprobs":1}""");
        JsonElement logs = body.GetProperty("choices")[0].GetProperty("logprobs");
        Assert.Equal([" time", ","], logs.GetProperty("tokens").EnumerateArray().Select(t => t.GetString()));
        Assert.Equal([0, 5], logs.GetProperty("text_offset").EnumerateArray().Select(t => t.GetInt32()));
    }

    [Fact]
    public async Task Texts_become_vectors()
    {
        const string Body = """{"model":"smol","input":["A red apple","An apple that is red","The parliament of Norway"]""";
        (int status, JsonElement body) = await served.Post("/v1/embeddings", Body + "}");
        Assert.Equal(200, status);
        float[][] vectors = [.. body.GetProperty("data").EnumerateArray().Select(d => d.GetProperty("embedding").EnumerateArray().Select(x => x.GetSingle()).ToArray())];
        Assert.All(vectors, v => Assert.Equal(1, Dot(v, v), 1e-4));
        Assert.True(Dot(vectors[0], vectors[1]) > Dot(vectors[0], vectors[2]));
        (_, JsonElement coded) = await served.Post("/embeddings", Body + ",\"encoding_format\":\"base64\"}");
        byte[] bytes = coded.GetProperty("data")[1].GetProperty("embedding").GetBytesFromBase64();
        Assert.Equal(vectors[1], System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(bytes).ToArray());
        Assert.Equal(served.Model.Plain("A red apple").Ids.Length, (await served.Post("/v1/embeddings", """{"input":"A red apple"}""")).Body.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
        foreach ((string wrong, int expected) in ((string, int)[])[("{}", 400), ("""{"input":[]}""", 400), ("""{"input":"a","dimensions":3}""", 400), ("""{"input":"a","pooling":"max"}""", 400), ("""{"input":[-1]}""", 422)])
            Assert.Equal(expected, (await served.Post("/v1/embeddings", wrong)).Status);

        static double Dot(float[] a, float[] b) => a.Zip(b, (x, y) => (double)x * y).Sum();
    }

    [Fact]
    public async Task Models_and_health()
    {
        JsonElement list = JsonDocument.Parse(await served.Http.GetStringAsync("/v1/models")).RootElement;
        JsonElement model = Assert.Single(list.GetProperty("data").EnumerateArray());
        Assert.Equal(("smol", "model", 8192), (model.GetProperty("id").GetString(), model.GetProperty("object").GetString(), model.GetProperty("context_length").GetInt32()));
        Assert.Equal("smol", JsonDocument.Parse(await served.Http.GetStringAsync("/models/smol")).RootElement.GetProperty("id").GetString());
        Assert.Equal("""{"status":"ok"}""", await served.Http.GetStringAsync("/health"));
    }

    private static int Number(JsonElement element, string name) => element.GetProperty(name).GetInt32();
    private static JsonElement Delta(JsonElement chunk) => chunk.GetProperty("choices")[0].GetProperty("delta");
}
