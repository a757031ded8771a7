using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json;
using Xunit;

namespace SeekSharp.Tests;

/// <summary>
/// llama.cpp's programs from ../shared/peers, unpacked once into a temporary folder: an outside reader of what we write.
/// They are static x86-64 Linux programs for CPUs with AVX-512 VNNI and BF16; elsewhere the tests that need them are skipped.
/// </summary>
internal static class LlamaCpp
{
    private static readonly Lazy<string> Folder = new(Unpack);

    /// <summary>Runs a program to its end and gives what it printed; fails the test where it fails.</summary>
    public static string Run(string program, params string[] arguments)
    {
        using Process process = Start(program, arguments);
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(60_000))
        {
            process.Kill();
            Assert.Fail($"{program} did not end");
        }
        string text = output.Result + errors.Result;
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: exit code {process.ExitCode}\n{text[Math.Max(0, text.Length - 2000)..]}");
        return text;
    }

    /// <summary>
    /// The log probabilities of all tokens after each of the given numbers of <paramref name="ids"/>, computed by
    /// <c>llama-server</c> with an F32 cache and without flash attention.
    /// </summary>
    /// <param name="model">The GGUF file.</param>
    /// <param name="ids">The prompt.</param>
    /// <param name="vocabulary">Tokens of the model.</param>
    /// <param name="lengths">How much of the prompt to take.</param>
    /// <param name="letter">The id of some ASCII letter.</param>
    public static async Task<float[][]> LogProbabilities(string model, int[] ids, int vocabulary, int[] lengths, int letter)
    {
        int port = FreePort();
        using Process server = Start("llama-server", "-m", model, "--port", $"{port}", "-t", "1", "-tb", "1", "-c", "256", "-np", "1", "-ctk", "f32", "-ctv", "f32",
            "-fa", "off", "--no-warmup", "--no-webui", "--cache-ram", "0");
        try
        {
            Task<string> errors = server.StandardError.ReadToEndAsync();
            _ = server.StandardOutput.ReadToEndAsync();
            using HttpClient http = new() { BaseAddress = new Uri($"http://127.0.0.1:{port}"), Timeout = TimeSpan.FromSeconds(30) };
            await Ready(http, server, errors, model);
            // The token that follows must be a letter of one byte, else the server holds the answer back; the probabilities are those before this.
            object[][] logit_bias = [[letter, 1000.0]];
            float[][] rows = new float[lengths.Length][];
            for (int i = 0; i < lengths.Length; i++)
            {
                HttpResponseMessage response = await http.PostAsJsonAsync("/completion", new { prompt = ids[..lengths[i]], n_predict = 1, n_probs = vocabulary, cache_prompt = false, temperature = 0.0, logit_bias });
                JsonElement answer = await response.Content.ReadFromJsonAsync<JsonElement>();
                Assert.True(response.IsSuccessStatusCode, $"llama-server: {answer}");
                rows[i] = new float[vocabulary];
                foreach (JsonElement token in answer.GetProperty("completion_probabilities")[0].GetProperty("top_logprobs").EnumerateArray())
                    rows[i][token.GetProperty("id").GetInt32()] = token.GetProperty("logprob").GetSingle();
            }
            return rows;
        }
        finally
        {
            server.Kill();
            server.WaitForExit();
        }
    }

    private static async Task Ready(HttpClient http, Process server, Task<string> errors, string model)
    {
        for (int attempt = 0; attempt < 300; attempt++)
        {
            if (server.HasExited) Assert.Fail($"llama-server does not load {model}: {(await errors)[^Math.Min(2000, (await errors).Length)..]}");
            try
            {
                if ((await http.GetAsync("/health")).IsSuccessStatusCode) return;
            }
            catch (HttpRequestException)
            {
                // not listening yet
            }
            await Task.Delay(50);
        }
        Assert.Fail("llama-server did not become ready");
    }

    private static Process Start(string program, params string[] arguments)
    {
        ProcessStartInfo info = new(Path.Combine(Folder.Value, program), arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        return Process.Start(info)!;
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static string Unpack()
    {
        string archive = Repository.Shared("peers/llama.cpp/programs.tar.xz");
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64 || !File.ReadAllText("/proc/cpuinfo").Contains("avx512_bf16"))
            Assert.Skip("needs llama.cpp's programs, which are built for x86-64 Linux with AVX-512 VNNI and BF16");
        string folder = Directory.CreateTempSubdirectory("seeksharp-llama.cpp-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
        using Process tar = Process.Start(new ProcessStartInfo("tar", ["xJf", archive, "-C", folder]))!;
        tar.WaitForExit();
        Assert.True(tar.ExitCode == 0, "tar could not unpack llama.cpp's programs (it needs xz-utils)");
        return folder;
    }
}
