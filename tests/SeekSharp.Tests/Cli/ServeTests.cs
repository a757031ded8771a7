using System.Diagnostics;
using System.Net;
using System.Text;
using SeekSharp.Tests.Chat;
using Xunit;

namespace SeekSharp.Tests.Cli;

/// <summary><c>serve</c> as a process, and its end under load.</summary>
public sealed class ServeTests
{
    [Fact]
    public async Task SIGTERM_lets_streams_end_refuses_new_requests_and_exits_with_0()
    {
        if (OperatingSystem.IsWindows()) Assert.Skip("there is no SIGTERM");
        await using ServeProcess server = await ServeProcess.StartAsync(SmolLm2.File_);
        (Process process, HttpClient http) = (server.Process, server.Http);
        Task<string> rest = process.StandardError.ReadToEndAsync();
        Assert.Equal("{\"status\":\"ok\"}", await http.GetStringAsync("/health"));

        StreamReader[] streams = await Task.WhenAll(Enumerable.Range(0, 3).Select(async i =>
        {
            HttpResponseMessage response = await http.SendAsync(new(HttpMethod.Post, "/v1/chat/completions") { Content = Body(stream: true, 150 + 50 * i) }, HttpCompletionOption.ResponseHeadersRead);
            return new StreamReader(await response.Content.ReadAsStreamAsync());
        }));
        foreach (StreamReader stream in streams) Assert.StartsWith("data: ", await stream.ReadLineAsync()); // it runs
        using (Process kill = Process.Start("kill", ["-TERM", $"{process.Id}"])!) kill.WaitForExit();

        using HttpResponseMessage health = await Stopping(() => http.GetAsync("/health"));
        Assert.Equal("{\"status\":\"stopping\"}", await health.Content.ReadAsStringAsync());
        using HttpResponseMessage refused = await http.PostAsync("/v1/chat/completions", Body(stream: false, 5));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        foreach (StreamReader stream in streams) Assert.EndsWith("data: [DONE]\n\n", await stream.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(0, process.ExitCode);
        Assert.StartsWith("stopping: 3 requests may finish within 30 s", await rest);
        Assert.Equal("", await process.StandardOutput.ReadToEndAsync());
    }

    private static StringContent Body(bool stream, int most) =>
        new($$"""{"messages":[{"role":"user","content":"Tell me a long story."}],"temperature":0,"max_tokens":{{most}},"logit_bias":{"2":-100},"stream":{{(stream ? "true" : "false")}}}""", Encoding.UTF8, "application/json");

    // The signal takes a moment.
    private static async Task<HttpResponseMessage> Stopping(Func<Task<HttpResponseMessage>> ask)
    {
        for (int i = 0; ; i++)
        {
            HttpResponseMessage answer = await ask();
            if (answer.StatusCode == HttpStatusCode.ServiceUnavailable || i == 500) return answer;
            answer.Dispose();
            await Task.Delay(10);
        }
    }
}
