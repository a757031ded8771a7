using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;

namespace SeekSharp.Tests.Cli;

/// <summary><c>seeksharp serve</c> as a process at a free port, and a client of it. Killed when it is disposed.</summary>
internal sealed class ServeProcess : IAsyncDisposable
{
    private ServeProcess(Process process, Uri address)
    {
        Process = process;
        Http = new HttpClient { BaseAddress = address };
    }

    public Process Process { get; }

    /// <summary>Its addresses are relative to the server's root.</summary>
    public HttpClient Http { get; }

    /// <summary>Starts it and waits until it listens.</summary>
    public static async Task<ServeProcess> StartAsync(params string[] arguments)
    {
        Process process = SeekSharpProgram.Start(null, ["serve", "--port", "0", .. arguments]);
        string told = "";
        while (await process.StandardError.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("listening at ", StringComparison.Ordinal)) return new(process, new Uri(line.Split(' ')[2].Replace("/v1", "/")));
            told += line + "\n";
        }
        process.Kill();
        process.Dispose();
        throw new InvalidOperationException("the server did not start: " + told);
    }

    public async Task<(int Status, JsonElement Body)> Post(string path, object body)
    {
        using HttpResponseMessage answer = await Http.PostAsJsonAsync(path, body);
        return ((int)answer.StatusCode, await answer.Content.ReadFromJsonAsync<JsonElement>());
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        if (!Process.HasExited) Process.Kill();
        await Process.WaitForExitAsync();
        Process.Dispose();
    }
}
