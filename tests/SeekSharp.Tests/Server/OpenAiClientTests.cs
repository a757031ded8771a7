using System.ClientModel;
using System.Diagnostics;
using System.Text.Json;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Models;
using SeekSharp.Server;
using Xunit;

namespace SeekSharp.Tests.Server;

/// <summary>The official clients, as they are published, over TCP.</summary>
[Collection("server")]
public sealed class OpenAiClientTests(ServedModel served)
{
    private static readonly ChatTool Weather = ChatTool.CreateFunctionTool("get_weather", "Weather of a city",
        BinaryData.FromString("""{"type":"object","properties":{"city":{"type":"string","maxLength":12}},"required":["city"],"additionalProperties":false}"""));

    private async Task<OpenAIClient> Client(string key = ServedModel.Key)
    {
        ApiServer server = await served.StartAsync(new ServerOptions { Port = 0, ApiKeys = [ServedModel.Key] });
        return new OpenAIClient(new ApiKeyCredential(key), new OpenAIClientOptions { Endpoint = new Uri(server.Address, "/v1") });
    }

    [Fact]
    public async Task Dotnet_client_answers_streams_calls_and_fails_as_with_OpenAI()
    {
        OpenAIClient client = await Client();
        ChatClient chat = client.GetChatClient(ServedModel.Name);
        ChatMessage[] question = [new UserChatMessage("List three fruits that are red.")];
        var options = new ChatCompletionOptions { Temperature = 0, MaxOutputTokenCount = 24 };
        ChatCompletion answer = await chat.CompleteChatAsync(question, options);
        Assert.Equal("1. Bananas\n2. Oranges\n3. Grapes", answer.Content[0].Text);
        Assert.Equal((ChatFinishReason.Stop, 37, 15), (answer.FinishReason, answer.Usage.InputTokenCount, answer.Usage.OutputTokenCount));

        string streamed = "";
        ChatTokenUsage? usage = null;
        await foreach (StreamingChatCompletionUpdate update in chat.CompleteChatStreamingAsync(question, options))
        {
            streamed += string.Concat(update.ContentUpdate.Select(p => p.Text));
            usage ??= update.Usage;
        }
        Assert.Equal((answer.Content[0].Text, 15), (streamed, usage!.OutputTokenCount));

        ChatCompletion call = await chat.CompleteChatAsync([new UserChatMessage("Weather in Paris?")],
            new ChatCompletionOptions { Temperature = 0, MaxOutputTokenCount = 60, Tools = { Weather }, ToolChoice = ChatToolChoice.CreateFunctionChoice("get_weather") });
        ChatToolCall made = Assert.Single(call.ToolCalls);
        Assert.Equal((ChatFinishReason.ToolCalls, "get_weather"), (call.FinishReason, made.FunctionName));
        Assert.True(JsonDocument.Parse(made.FunctionArguments).RootElement.TryGetProperty("city", out _));
        ChatCompletion after = await chat.CompleteChatAsync([new UserChatMessage("Weather in Paris?"), new AssistantChatMessage(call), new ToolChatMessage(made.Id, "sunny")],
            new ChatCompletionOptions { Temperature = 0, MaxOutputTokenCount = 4, Tools = { Weather } });
        Assert.NotEmpty(after.Content);

        ChatCompletion json = await chat.CompleteChatAsync([new UserChatMessage("A fruit")], new ChatCompletionOptions
        {
            Temperature = 0,
            MaxOutputTokenCount = 300, // a small model may indent without need
            ResponseFormat = ChatResponseFormat.CreateJsonSchemaFormat("fruit",
                BinaryData.FromString("""{"type":"object","properties":{"red":{"type":"boolean"}},"required":["red"],"additionalProperties":false}"""), jsonSchemaIsStrict: true),
        });
        Assert.True(JsonDocument.Parse(json.Content[0].Text).RootElement.TryGetProperty("red", out _));

        ClientResultException missing = await Assert.ThrowsAsync<ClientResultException>(() => client.GetChatClient("gpt").CompleteChatAsync(question));
        Assert.Equal(404, missing.Status);
        Assert.Contains("model_not_found", missing.Message);
        OpenAIModelCollection models = await client.GetOpenAIModelClient().GetModelsAsync();
        Assert.Equal(ServedModel.Name, Assert.Single(models).Id);
        ChatClient stranger = (await Client("sk-wrong")).GetChatClient(ServedModel.Name);
        Assert.Equal(401, (await Assert.ThrowsAsync<ClientResultException>(() => stranger.CompleteChatAsync(question))).Status);
    }

    [Fact]
    public async Task Node_client_answers_streams_calls_and_fails_as_with_OpenAI()
    {
        string folder = Path.Combine(Repository.Root, "tests", "clients");
        if (!Directory.Exists(Path.Combine(folder, "node_modules", "openai")))
        {
            if (Repository.IsCi) Assert.Fail("tests/clients/node_modules is missing: npm ci --prefix tests/clients");
            Assert.Skip("needs the npm package openai: npm ci --prefix tests/clients");
        }
        ApiServer server = await served.StartAsync(new ServerOptions { Port = 0, ApiKeys = [ServedModel.Key] });
        var start = new ProcessStartInfo("node", ["openai.mjs", new Uri(server.Address, "/v1").ToString(), ServedModel.Name, ServedModel.Key])
        { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process node = Process.Start(start)!;
        Task<string> errors = node.StandardError.ReadToEndAsync();
        string output = await node.StandardOutput.ReadToEndAsync();
        await node.WaitForExitAsync();
        Assert.True(node.ExitCode == 0, output + await errors);
        JsonElement seen = JsonDocument.Parse(output).RootElement;
        Assert.Equal("1. Bananas\n2. Oranges\n3. Grapes", seen.GetProperty("answer").GetString());
        Assert.Equal("1. Bananas\n2. Oranges\n3. Grapes", seen.GetProperty("streamed").GetString());
        Assert.Equal(15, seen.GetProperty("streamedTokens").GetInt32());
        Assert.Equal("get_weather", seen.GetProperty("call").GetProperty("name").GetString());
        Assert.True(JsonDocument.Parse(seen.GetProperty("call").GetProperty("arguments").GetString()!).RootElement.TryGetProperty("city", out _));
        Assert.Equal(JsonValueKind.String, seen.GetProperty("streamedArguments").ValueKind);
        Assert.Contains(seen.GetProperty("parsed").GetProperty("red").ValueKind, (JsonValueKind[])[JsonValueKind.True, JsonValueKind.False]);
        Assert.Equal("[404,400,401]", seen.GetProperty("errors").GetRawText().Replace(" ", ""));
        Assert.Equal("smol", seen.GetProperty("models")[0].GetString());
    }
}
