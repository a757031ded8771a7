using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using SeekSharp.Chat;
using Xunit;
using static SeekSharp.Tests.Chat.ScriptedChatClient;

namespace SeekSharp.Tests.Chat;

/// <summary>The tool loop around a model that says what the test wants.</summary>
public sealed class ToolLoopTests
{
    private static readonly ChatMessage[] Question = [new(ChatRole.User, "Weather in Paris?")];
    private static readonly AIFunction Weather = AIFunctionFactory.Create((string city) => $"sunny in {city}", "weather");

    private static string ResultOf(ScriptedChatClient model, int request, int index = 0) =>
        model.Asked[request].Messages[^1].Contents.Cast<FunctionResultContent>().ElementAt(index).Result?.ToString() ?? "";

    [Fact]
    public async Task A_call_is_run_and_the_model_asked_again()
    {
        using var model = new ScriptedChatClient(_ => [new TextContent("Let me see."), Call("weather", """{"city":"Paris"}""")], _ => [new TextContent("It is sunny.")]);
        using var loop = new ToolLoopChatClient(model);
        ChatResponse response = await loop.GetResponseAsync(Question, new() { Tools = [Weather] });

        Assert.Equal([ChatRole.Assistant, ChatRole.Tool, ChatRole.Assistant], response.Messages.Select(m => m.Role));
        Assert.Equal("It is sunny.", response.Messages[^1].Text);
        Assert.Equal((20, 2), ((int)response.Usage!.InputTokenCount!, (int)response.Usage.OutputTokenCount!));
        Assert.Equal(2, model.Asked.Count);
        Assert.Equal([ChatRole.User, ChatRole.Assistant, ChatRole.Tool], model.Asked[1].Messages.Select(m => m.Role));
        Assert.Equal("Let me see.", model.Asked[1].Messages[1].Text);
        Assert.Equal("sunny in Paris", ResultOf(model, 1));
        Assert.Equal("c1", ((FunctionResultContent)model.Asked[1].Messages[2].Contents[0]).CallId);
    }

    [Fact]
    public async Task Updates_come_while_it_runs()
    {
        bool ran = false;
        AIFunction tool = AIFunctionFactory.Create(() => { ran = true; return 1; }, "weather");
        using var model = new ScriptedChatClient(_ => [new TextContent("first"), Call("weather")], _ => [new TextContent("last")]);
        using var loop = new ToolLoopChatClient(model);
        var seen = new List<string>();
        await foreach (ChatResponseUpdate update in loop.GetStreamingResponseAsync(Question, new() { Tools = [tool] }))
        {
            if (update.Contents[0] is not UsageContent) seen.Add($"{update.Contents[0].GetType().Name} {ran}");
        }
        Assert.Equal(["TextContent False", "FunctionCallContent False", "FunctionResultContent True", "TextContent True"], seen);
    }

    [Fact]
    public async Task Several_calls_of_an_answer_get_a_result_each()
    {
        using var model = new ScriptedChatClient(_ => [Call("weather", """{"city":"Paris"}"""), Call("weather", """{"city":"Rome"}""", "c2")], _ => [new TextContent("done")]);
        using var loop = new ToolLoopChatClient(model) { Tools = [Weather] };
        await loop.GetResponseAsync(Question);
        Assert.Equal(("sunny in Paris", "sunny in Rome"), (ResultOf(model, 1), ResultOf(model, 1, 1)));
        Assert.Equal("weather", Assert.Single(model.Asked[0].Options!.Tools!).Name);
    }

    [Fact]
    public async Task What_goes_wrong_is_told_to_the_model()
    {
        AIFunction broken = AIFunctionFactory.Create(string () => throw new InvalidOperationException("out of order"), "broken");
        using var model = new ScriptedChatClient(_ => [Call("nosuch"), Call("broken"), Call("weather", "{}"), Call("weather", """{"city":[1]}""")], _ => [new TextContent("sorry")]);
        using var loop = new ToolLoopChatClient(model) { Tools = [Weather, broken] };
        Assert.Equal("sorry", (await loop.GetResponseAsync(Question)).Messages[^1].Text);
        Assert.Equal("Error: there is no tool \"nosuch\"; there are broken, weather", ResultOf(model, 1));
        Assert.Equal("Error: out of order", ResultOf(model, 1, 1));
        Assert.StartsWith("Error: ", ResultOf(model, 1, 2)); // a missing argument
        Assert.StartsWith("Error: ", ResultOf(model, 1, 3)); // one of the wrong type
    }

    [Fact]
    public async Task Rounds_are_bounded_and_the_last_has_no_tools()
    {
        using var model = new ScriptedChatClient(r => r.Options!.ToolMode is NoneChatToolMode ? [new TextContent("enough")] : [Call("weather", """{"city":"Paris"}""")]);
        using var loop = new ToolLoopChatClient(model) { MaxRounds = 3 };
        ChatResponse response = await loop.GetResponseAsync(Question, new() { Tools = [Weather] });
        Assert.Equal("enough", response.Messages[^1].Text);
        Assert.Equal(4, model.Asked.Count);
        Assert.Throws<ArgumentOutOfRangeException>(() => new ToolLoopChatClient(model) { MaxRounds = 0 });
    }

    [Fact]
    public async Task A_model_that_calls_without_being_offered_tools_ends_the_loop()
    {
        using var model = new ScriptedChatClient(_ => [Call("weather", """{"city":"Paris"}""")]);
        using var loop = new ToolLoopChatClient(model) { MaxRounds = 2 };
        ChatResponse response = await loop.GetResponseAsync(Question, new() { Tools = [Weather] });
        Assert.Equal(3, model.Asked.Count);
        Assert.IsType<FunctionCallContent>(response.Messages[^1].Contents[0]);
    }

    [Fact]
    public async Task A_required_call_is_required_once()
    {
        using var model = new ScriptedChatClient(_ => [Call("weather", """{"city":"Paris"}""")], _ => [new TextContent("done")]);
        using var loop = new ToolLoopChatClient(model);
        var options = new ChatOptions { Tools = [Weather], ToolMode = ChatToolMode.RequireSpecific("weather") };
        await loop.GetResponseAsync(Question, options);
        Assert.IsType<RequiredChatToolMode>(model.Asked[0].Options!.ToolMode);
        Assert.IsType<AutoChatToolMode>(model.Asked[1].Options!.ToolMode);
        Assert.IsType<RequiredChatToolMode>(options.ToolMode); // the caller's stay as they are
    }

    [Fact]
    public async Task What_only_the_caller_can_run_comes_back()
    {
        bool ran = false;
        AIFunction guarded = new ApprovalRequiredAIFunction(AIFunctionFactory.Create(() => { ran = true; return "gone"; }, "delete"));
        AIFunctionDeclaration declared = AIFunctionFactory.CreateDeclaration("theirs", "", Weather.JsonSchema);
        foreach ((AITool tool, string name) in ((AITool, string)[])[(guarded, "delete"), (declared, "theirs")])
        {
            using var model = new ScriptedChatClient(_ => [Call(name)], _ => [new TextContent("wrong")]);
            using var loop = new ToolLoopChatClient(model);
            ChatResponse response = await loop.GetResponseAsync(Question, new() { Tools = [tool, Weather] });
            Assert.Equal(name, Assert.IsType<FunctionCallContent>(Assert.Single(response.Messages).Contents[0]).Name);
        }
        Assert.False(ran);
    }

    [Theory]
    [InlineData(true, "gone")]
    [InlineData(false, "Error: the user does not want this call")]
    public async Task The_user_can_be_asked(bool yes, string result)
    {
        AIFunction guarded = new ApprovalRequiredAIFunction(AIFunctionFactory.Create(() => "gone", "delete"));
        using var model = new ScriptedChatClient(_ => [Call("delete")], _ => [new TextContent("done")]);
        using var loop = new ToolLoopChatClient(model) { Tools = [guarded], Approve = (call, _) => ValueTask.FromResult(yes && call.Name == "delete") };
        await loop.GetResponseAsync(Question);
        Assert.Equal(result, ResultOf(model, 1));
    }

    [Fact]
    public async Task Cancelling_ends_a_tool_and_the_loop()
    {
        using var cancel = new CancellationTokenSource();
        AIFunction slow = AIFunctionFactory.Create(async (CancellationToken token) => { cancel.Cancel(); await Task.Delay(Timeout.Infinite, token); }, "slow");
        using var model = new ScriptedChatClient(_ => [Call("slow")]);
        using var loop = new ToolLoopChatClient(model) { Tools = [slow] };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => loop.GetResponseAsync(Question, cancellationToken: cancel.Token));
        Assert.Single(model.Asked);
    }

    [Fact]
    public async Task Two_tools_of_one_name_are_refused()
    {
        using var model = new ScriptedChatClient(_ => [new TextContent("x")]);
        using var loop = new ToolLoopChatClient(model);
        await Assert.ThrowsAsync<ArgumentException>(() => loop.GetResponseAsync(Question, new() { Tools = [Weather, Weather] }));
        Assert.Empty(model.Asked);
    }

    [Fact]
    public void A_container_knows_the_model_and_loads_it_late()
    {
        var services = new ServiceCollection();
        services.AddSeekSharp("/no/such/model.gguf");
        Assert.Equal([typeof(SeekSharpChatClient), typeof(IChatClient), typeof(IEmbeddingGenerator<string, Embedding<float>>)], services.Select(s => s.ServiceType));
        Assert.All(services, s => Assert.Equal(ServiceLifetime.Singleton, s.Lifetime));
        services.AddSeekSharp("/another");
        Assert.Single(services, s => s.ServiceType == typeof(IChatClient));
    }
}
