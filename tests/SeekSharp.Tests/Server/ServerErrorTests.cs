using System.Net.Http.Json;
using System.Text.Json;
using SeekSharp.Server;
using Xunit;

namespace SeekSharp.Tests.Server;

[Collection("server")]
public sealed class ServerErrorTests(ServedModel served)
{
    private const string Hi = "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]";

    [Theory]
    [InlineData("{", 400, null, "invalid_json")]
    [InlineData("", 400, null, "invalid_json")]
    [InlineData("[]", 400, null, "invalid_json")]
    [InlineData("{\"messages\":[],\"messages\":[]}", 400, null, "invalid_json")]
    [InlineData("{}", 400, "messages", null)]
    [InlineData("{\"messages\":[]}", 400, "messages", null)]
    [InlineData("{\"messages\":{}}", 400, "messages", null)]
    [InlineData("{\"messages\":[5]}", 400, "messages[0]", null)]
    [InlineData("{\"messages\":[{\"role\":\"king\",\"content\":\"\"}]}", 400, "messages[0].role", null)]
    [InlineData("{\"messages\":[{\"role\":\"user\"}]}", 400, "messages[0].content", null)]
    [InlineData("{\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"mood\":1}]}", 400, "messages[0].mood", "unsupported_parameter")]
    [InlineData("{\"messages\":[{\"role\":\"user\",\"content\":\"\\ud800\"}]}", 400, "messages[0].content", null)]
    [InlineData("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{}}]}]}", 400, "messages[0].content[0].type", "unsupported_parameter")]
    [InlineData("{\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}", 400, "messages[0].tool_call_id", null)]
    [InlineData("{\"model\":\"gpt\",HI}", 404, "model", "model_not_found")]
    [InlineData("{HI,\"n\":10000}", 422, "n", "invalid_value")]
    [InlineData("{HI,\"n\":1e30}", 422, "n", "invalid_value")]
    [InlineData("{HI,\"n\":1.5}", 400, "n", null)]
    [InlineData("{HI,\"temperature\":7}", 422, "temperature", "invalid_value")]
    [InlineData("{HI,\"temperature\":\"hot\"}", 400, "temperature", null)]
    [InlineData("{HI,\"top_p\":0}", 422, "top_p", "invalid_value")]
    [InlineData("{HI,\"max_tokens\":0}", 422, "max_tokens", "invalid_value")]
    [InlineData("{HI,\"presence_penalty\":-3}", 422, "presence_penalty", "invalid_value")]
    [InlineData("{HI,\"stop\":[\"\"]}", 422, "stop[0]", "invalid_value")]
    [InlineData("{HI,\"stop\":5}", 400, "stop", null)]
    [InlineData("{HI,\"logit_bias\":{\"x\":1}}", 400, "logit_bias", null)]
    [InlineData("{HI,\"logit_bias\":{\"5\":101}}", 422, "logit_bias.5", "invalid_value")]
    [InlineData("{HI,\"logit_bias\":{\"999999999\":1}}", 422, null, "invalid_value")]
    [InlineData("{HI,\"top_logprobs\":2}", 400, "top_logprobs", null)]
    [InlineData("{HI,\"logprobs\":true,\"top_logprobs\":21}", 422, "top_logprobs", "invalid_value")]
    [InlineData("{HI,\"stream_options\":{}}", 400, "stream_options", null)]
    [InlineData("{HI,\"stream\":true,\"stream_options\":{\"x\":1}}", 400, "stream_options.x", "unsupported_parameter")]
    [InlineData("{HI,\"functions\":[]}", 400, "functions", "unsupported_parameter")]
    [InlineData("{HI,\"reasoning_effort\":\"high\"}", 400, "reasoning_effort", "unsupported_parameter")]
    [InlineData("{HI,\"thinking\":{\"type\":\"maybe\"}}", 400, "thinking.type", null)]
    [InlineData("{HI,\"tools\":[{\"type\":\"retrieval\"}]}", 400, "tools[0].type", "unsupported_parameter")]
    [InlineData("{HI,\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a b\"}}]}", 400, "tools[0].function.name", null)]
    [InlineData("{HI,\"tool_choice\":\"required\"}", 400, "tool_choice", null)]
    [InlineData("{HI,\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}}", 400, "tool_choice.function.name", null)]
    [InlineData("{HI,\"response_format\":{\"type\":\"xml\"}}", 400, "response_format.type", null)]
    [InlineData("{HI,\"response_format\":{\"type\":\"json_schema\"}}", 400, "response_format.json_schema", null)]
    [InlineData("{HI,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{\"$ref\":\"#\"}}}}", 400, null, "invalid_schema")]
    [InlineData("{HI,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{\"a\":{\"$ref\":\"#\"}}}}}}", 400, null, "invalid_schema")]
    [InlineData("{HI,\"response_format\":{\"type\":\"regex\",\"pattern\":\"(\"}}", 400, null, "invalid_schema")]
    [InlineData("{HI,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":false}}}", 400, "response_format.json_schema.schema", null)]
    [InlineData("{HI,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{\"enum\":[]}}}}", 400, null, "invalid_schema")]
    [InlineData("{HI,\"response_format\":{\"type\":\"regex\",\"pattern\":\"[^\\\\s\\\\S]\"}}", 400, null, "invalid_schema")]
    [InlineData("{HI,\"response_format\":{\"type\":\"gbnf\",\"grammar\":\"root ::= \\\"a\\\" root\"}}", 400, null, "invalid_schema")]
    [InlineData("{HI,\"response_format\":{\"type\":\"gbnf\",\"grammar\":\"root ::= root\"}}", 400, null, "invalid_schema")]
    public async Task What_is_wrong_is_named(string body, int status, string? parameter, string? code)
    {
        (int found, JsonElement answer) = await served.Post("/v1/chat/completions", body.Replace("HI", Hi));
        JsonElement error = answer.GetProperty("error");
        Assert.Equal((status, parameter, code), (found, error.GetProperty("param").GetString(), error.GetProperty("code").GetString()));
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
        if (parameter is not null) Assert.Contains(parameter, error.GetProperty("message").GetString());
    }

    [Theory]
    [InlineData("{}", 400, "prompt")]
    [InlineData("{\"prompt\":[]}", 400, "prompt")]
    [InlineData("{\"prompt\":[-1]}", 422, "prompt[0]")]
    [InlineData("{\"prompt\":[1,\"x\"]}", 400, "prompt[1]")]
    [InlineData("{\"prompt\":[\"a\",\"b\"],\"n\":100}", 422, "prompt")]
    [InlineData("{\"prompt\":\"a\",\"suffix\":\"b\"}", 400, "suffix")]
    [InlineData("{\"prompt\":\"a\",\"best_of\":3}", 400, "best_of")]
    [InlineData("{\"prompt\":\"a\",\"echo\":true,\"logprobs\":1}", 400, "echo")]
    public async Task What_is_wrong_with_a_text_is_named(string body, int status, string parameter)
    {
        (int found, JsonElement answer) = await served.Post("/v1/completions", body);
        Assert.Equal((status, parameter), (found, answer.GetProperty("error").GetProperty("param").GetString()));
    }

    [Theory]
    [InlineData("{\"prompt\":\"\"}")]
    [InlineData("{\"prompt\":[[]]}")]
    [InlineData("{\"prompt\":[\"a\",\"\"]}")]
    public async Task A_prompt_without_tokens_is_refused(string body)
    {
        (int status, JsonElement answer) = await served.Post("/v1/completions", body);
        Assert.Equal((422, "the prompt has no tokens"), (status, answer.GetProperty("error").GetProperty("message").GetString()));
        await served.Idle();
    }

    [Fact]
    public async Task A_prompt_that_is_too_long_is_told_both_lengths()
    {
        (int status, JsonElement body) = await served.Post("/v1/chat/completions", JsonSerializer.Serialize(new { messages = new[] { new { role = "user", content = string.Concat(Enumerable.Repeat("word ", 9000)) } } }));
        JsonElement error = body.GetProperty("error");
        Assert.Equal((400, "context_length_exceeded"), (status, error.GetProperty("code").GetString()));
        Assert.Matches(@"^the prompt has 90\d\d tokens, the context 8192$", error.GetProperty("message").GetString());
    }

    [Fact]
    public async Task Large_and_deep_bodies_are_refused()
    {
        (int status, JsonElement body) = await served.Post("/v1/chat/completions", new string('[', 10_000_000));
        Assert.Equal((400, "invalid_json"), (status, body.GetProperty("error").GetProperty("code").GetString()));
        (status, body) = await served.Post("/v1/chat/completions", "{" + Hi + ",\"stop\":\"" + new string('x', 1 << 20) + "\"}");
        Assert.Equal((422, "stop"), (status, body.GetProperty("error").GetProperty("param").GetString()));
        await using ApiServer small = await served.StartAsync(new ServerOptions { Port = 0, MaxBody = 1000 });
        using var http = new HttpClient { BaseAddress = small.Address };
        (status, body) = await served.Post("/v1/chat/completions", "{" + Hi + ",\"user\":\"" + new string('x', 2000) + "\"}", http);
        Assert.Equal((413, "body_too_large"), (status, body.GetProperty("error").GetProperty("code").GetString()));
    }

    [Theory]
    [InlineData("GET", "/v1/chat/completions", 405)]
    [InlineData("POST", "/v1/models", 405)]
    [InlineData("GET", "/v1/models/none", 404)]
    [InlineData("GET", "/", 404)]
    [InlineData("POST", "/v1/v1/chat/completions", 404)]
    public async Task Unknown_places_are_errors_in_JSON(string method, string path, int status)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using HttpResponseMessage response = await served.Http.SendAsync(request);
        Assert.Equal(status, (int)response.StatusCode);
        Assert.NotEqual("", (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error").GetProperty("message").GetString());
    }

    [Theory]
    [InlineData("Host", "evil.example", "host_not_allowed")]
    [InlineData("Origin", "https://evil.example", "origin_not_allowed")]
    [InlineData("Origin", "null", "origin_not_allowed")]
    public async Task Other_sites_are_refused(string header, string value, string code)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/models");
        request.Headers.TryAddWithoutValidation(header, value);
        using HttpResponseMessage response = await served.Http.SendAsync(request);
        Assert.Equal(403, (int)response.StatusCode);
        Assert.Equal(code, (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error").GetProperty("code").GetString());
    }

    [Fact]
    public async Task Keys_open_the_server_and_part_the_cache()
    {
        await using ApiServer locked = await served.StartAsync(new ServerOptions { Port = 0, ApiKeys = [ServedModel.Key, ServedModel.OtherKey] });
        string question = string.Concat(Enumerable.Repeat(Guid.NewGuid() + " ", 4));
        string body = $$"""{"messages":[{"role":"user","content":"{{question}}"}],"max_tokens":2}""";
        Assert.Equal(401, (await Ask(null)).Status);
        Assert.Equal(401, (await Ask("sk-wrong")).Status);
        Assert.Equal(401, (await Ask("")).Status);
        Assert.Equal(0, Hits(await Ask(ServedModel.Key)));
        Assert.Equal(0, Hits(await Ask(ServedModel.OtherKey)));
        Assert.True(Hits(await Ask(ServedModel.Key)) >= 64);

        async Task<(int Status, JsonElement Body)> Ask(string? key)
        {
            using var http = new HttpClient { BaseAddress = locked.Address };
            if (key is not null) http.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", "Bearer " + key);
            return await served.Post("/v1/chat/completions", body, http);
        }
        static int Hits((int Status, JsonElement Body) answer)
        {
            Assert.Equal(200, answer.Status);
            return answer.Body.GetProperty("usage").GetProperty("prompt_cache_hit_tokens").GetInt32();
        }
    }

    [Theory]
    [InlineData("0.0.0.0", null, "needs an --api-key")]
    [InlineData("::", null, "needs an --api-key")]
    [InlineData("example.com", "k", "expected an IP address")]
    [InlineData("127.0.0.1", "a b", "printable letters")]
    [InlineData("0.0.0.0", "k", null)]
    [InlineData("::1", null, null)]
    public void Only_loopback_is_open_without_a_key(string host, string? key, string? problem)
    {
        string? found = new ServerOptions { Host = host, ApiKeys = key is null ? [] : [key] }.Problem();
        if (problem is null) Assert.Null(found);
        else Assert.Contains(problem, found);
    }
}
