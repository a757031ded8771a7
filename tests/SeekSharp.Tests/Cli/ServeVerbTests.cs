using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using SeekSharp.Tests.Chat;
using Xunit;

namespace SeekSharp.Tests.Cli;

/// <summary><c>seeksharp serve</c> as a process.</summary>
public sealed class ServeVerbTests
{
    [Fact]
    public void What_cannot_be_is_told_in_one_line()
    {
        using var folder = new Tests.TemporaryFolder();
        File.WriteAllText(folder["file"], "");
        string model = Repository.Shared("goldens/models/qwen2");
        Told(2, "expected NAME=FOLDER, found 'mine'", model, "--adapter", "mine");
        Told(2, "the name 'qwen2' is given twice", model, "--adapter", "qwen2=" + folder.Path);
        Told(2, "--cache-size needs a --cache-dir", model, "--cache-size", "1GB");
        Told(2, "expected a size such as 20GB", model, "--cache-dir", folder.Path, "--cache-size", "much");
        Told(2, "--draft goes with one MODEL", model, "b=" + model, "--draft", model);
        Told(2, "--no-speculation goes with none of", model, "--lookup", "--no-speculation");
        Told(1, $"--cache-dir {folder["file"]}", model, "--cache-dir", folder["file"]);

        static void Told(int code, string message, params string[] arguments)
        {
            SeekSharpProgram.Outcome o = SeekSharpProgram.Run(["serve", "--port", "0", .. arguments]);
            Assert.Equal((code, true), (o.ExitCode, o.Error.Contains(message)));
            if (code == 1) Assert.Single(o.Error.TrimEnd().Split('\n'));
        }
    }

    [Fact]
    public async Task Flags_of_a_server_do_what_they_say()
    {
        using var folder = new Tests.TemporaryFolder();
        string prompt = string.Concat(Enumerable.Repeat("The quick brown fox jumps over the lazy dog. ", 20));
        for (int start = 0; start < 2; start++) // what was read the first time is on disk the second, though the process is killed
        {
            using Process process = SeekSharpProgram.Start(null, "serve", "--port", "0", "--ctx", "1024", "--threads", "2", "--lookup", "--cache-dir", folder.Path, "--cache-size", "100MB",
                "a=" + SmolLm2.File_, "b=" + SmolLm2.File_);
            try
            {
                string? address = null;
                for (string? line; address is null && (line = await process.StandardError.ReadLineAsync()) is not null;)
                    if (line.StartsWith("listening at ", StringComparison.Ordinal)) address = line.Split(' ')[2];
                Assert.NotNull(address);
                using var http = new HttpClient { BaseAddress = new Uri(address + "/") };
                JsonElement models = await http.GetFromJsonAsync<JsonElement>("models");
                Assert.Equal(["a", "b"], models.GetProperty("data").EnumerateArray().Select(m => m.GetProperty("id").GetString()));
                using HttpResponseMessage answer = await http.PostAsJsonAsync("completions", new { model = "b", prompt, temperature = 0, max_tokens = 4 });
                JsonElement usage = (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("usage");
                Assert.Equal(start == 0 ? 0 : 192, usage.GetProperty("prompt_cache_hit_tokens").GetInt32());
                for (int i = 0; i < 500 && Directory.GetFiles(folder.Path, "*.kv").Length < 3; i++) await Task.Delay(10); // written behind
            }
            finally
            {
                process.Kill();
                await process.WaitForExitAsync();
            }
        }
    }
}
