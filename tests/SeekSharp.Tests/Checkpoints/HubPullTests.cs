using System.Diagnostics;
using System.Text;
using SeekSharp.Checkpoints;
using Xunit;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>Pulls from a hub that behaves, and from many that do not.</summary>
public sealed class HubPullTests : IDisposable
{
    private static readonly PullOptions Fast = new()
    {
        ChunkBytes = 64 << 10,
        Attempts = 4,
        Pause = TimeSpan.FromMilliseconds(5),
        MaxPause = TimeSpan.FromMilliseconds(20),
        Timeout = TimeSpan.FromSeconds(5),
        StallBytes = 1 << 10,
    };

    private readonly HubServer _hub = new();
    private readonly string _root = Directory.CreateTempSubdirectory("seeksharp-hub").FullName;

    public void Dispose()
    {
        _hub.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    private Task<PullResult> Pull(string name = "org/repo", PullOptions? options = null, string? token = null, IProgress<PullProgress>? progress = null, CancellationToken stop = default, params string[] include) =>
        new HubClient(HubEndpoint.Create(_hub.Address, token), _root, options ?? Fast).PullAsync(ModelName.Parse(name), include, progress, cancellation: stop);

    private async Task<string> Refused(string name = "org/repo", PullOptions? options = null, string? token = null, params string[] include)
    {
        HubException e = await Assert.ThrowsAsync<HubException>(() => Pull(name, options, token, include: include));
        Assert.DoesNotContain('\n', e.Message);
        return e.Message;
    }

    private string Local(string path) => Path.Combine(_root, "org", "repo", path);

    private string[] Parts => Directory.Exists(Local(".seeksharp/parts")) ? Directory.GetFiles(Local(".seeksharp/parts")) : [];

    [Fact]
    public async Task A_safetensors_repository_comes_without_its_copies_in_other_forms()
    {
        byte[] first = _hub.Add("model-00001-of-00002.safetensors", 300_000), second = _hub.Add("model-00002-of-00002.safetensors", 200_001);
        _hub.Add("model.safetensors.index.json", "{}");
        foreach (string path in (string[])["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]) _hub.Add(path, path);
        foreach (string path in (string[])["pytorch_model.bin", "consolidated.safetensors", "original/model.safetensors", "README.md", "model.onnx", "x-Q8_0.gguf"]) _hub.Add(path, 1000);
        _hub.PageSize = 3;

        PullResult result = await Pull();
        Assert.Equal(_root + "/org/repo", result.Path);
        Assert.Equal(HubServer.Commit, result.Commit);
        Assert.Equal(8, result.Brought);
        Assert.Equal(first, File.ReadAllBytes(Local("model-00001-of-00002.safetensors")));
        Assert.Equal(second, File.ReadAllBytes(Local("model-00002-of-00002.safetensors")));
        Assert.Equal("chat_template.jinja", File.ReadAllText(Local("chat_template.jinja")));
        Assert.Equal(8, Directory.GetFiles(Local("")).Length);
        Assert.Empty(Parts);
        Assert.All(_hub.FileRequests, r => Assert.Contains(HubServer.Commit, r.Path));
        Assert.Equal(_root + "/org/repo", ModelHome.Resolve("org/repo", _root));

        int before = _hub.FileRequests.Count;
        Assert.Equal(0, (await Pull()).Brought);
        Assert.Equal(before, _hub.FileRequests.Count);
    }

    [Fact]
    public async Task A_quantization_is_pulled_and_found_again()
    {
        _hub.Add("m-Q4_K_S.gguf", 1000);
        byte[] wanted = _hub.Add("m-Q4_K_M.gguf", 5000);
        PullResult result = await Pull("org/repo:q4_k_m");
        Assert.Equal(Local("m-Q4_K_M.gguf"), result.Path);
        Assert.Equal(wanted, File.ReadAllBytes(result.Path));
        Assert.Single(result.Files);
        Assert.Equal(result.Path, ModelHome.Resolve("org/repo:Q4_K_M", _root));
        Assert.Equal(result.Path, ModelHome.Resolve("Org/Repo", _root));
        Assert.Null(ModelHome.Resolve("org/repo:Q4_K_S", _root));
        Assert.Null(ModelHome.Resolve("org/other", _root));
    }

    [Fact]
    public async Task Patterns_choose_files_and_a_revision_has_a_folder_of_its_own()
    {
        _hub.Add("a/one.txt", "1");
        _hub.Add("a/two.bin", "2");
        _hub.Add("b.txt", "3");
        PullResult result = await Pull("org/repo@refs/pr/1", include: ["*.txt"]);
        Assert.Equal(_root + "/org/repo@refs%2Fpr%2F1", result.Path);
        Assert.Equal(["a/one.txt", "b.txt"], result.Files.Select(f => f.Path));
        Assert.True(File.Exists(result.Path + "/a/one.txt"));
        Assert.False(File.Exists(result.Path + "/a/two.bin"));
        Assert.Contains(_hub.Requests, r => r.Target == "/api/models/org/repo/revision/refs%2Fpr%2F1");
        Assert.Contains("matches *.onnx", await Refused(include: "*.onnx"));
    }

    [Fact]
    public async Task Large_files_come_in_ranges_over_several_connections()
    {
        byte[] bytes = _hub.Add("m-Q8_0.gguf", 1_000_000);
        _hub.Intercept = async (request, _) =>
        {
            await Task.Delay(30);
            return false;
        };
        var seen = new List<PullProgress>();
        PullResult result = await Pull(progress: new Recorder(seen));
        Assert.Equal(bytes, File.ReadAllBytes(result.Path));
        Assert.Equal(16, _hub.FileRequests.Count);
        Assert.All(_hub.FileRequests, r => Assert.True(r.Range is var (first, last) && last - first < 64 << 10));
        Assert.InRange(_hub.MostOpen, 2, Fast.Connections);
        Assert.Equal((1, 1, 1_000_000L, 1_000_000L), (seen[^1].FilesDone, seen[^1].FilesTotal, seen[^1].BytesDone, seen[^1].BytesTotal));
    }

    [Fact]
    public async Task Cut_connections_go_on_where_they_were_cut()
    {
        byte[] bytes = _hub.Add("m-Q8_0.gguf", 500_000);
        _hub.Intercept = async (request, stream) =>
        {
            if (request.Range is null) return false;
            await _hub.SendFileAsync(request, stream, cutAfter: 20_000);
            return true;
        };
        PullResult result = await Pull();
        Assert.Equal(bytes, File.ReadAllBytes(result.Path));
        long asked = _hub.FileRequests.Sum(r => r.Range!.Value.First);
        Assert.True(_hub.FileRequests.Select(r => r.Range!.Value.First).Distinct().Count() >= 25, "every request begins somewhere new");
        Assert.True(asked > 0);
    }

    [Fact]
    public async Task A_connection_that_is_always_cut_ends_in_one_line()
    {
        _hub.Add("m-Q8_0.gguf", 500_000);
        _hub.Intercept = async (request, stream) =>
        {
            if (request.Range is null) return false;
            await _hub.SendFileAsync(request, stream, cutAfter: 3);
            return true;
        };
        Assert.Equal("org/repo: m-Q8_0.gguf did not come: the connection was cut; what is there is kept, and another pull goes on from it", await Refused());
        Assert.False(File.Exists(Local("m-Q8_0.gguf")));
        Assert.Null(ModelHome.Resolve("org/repo", _root));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_second_pull_goes_on_if_the_content_is_the_same(bool changes)
    {
        byte[] bytes = _hub.Add("m-Q8_0.gguf", 640 << 10);
        int left = 5;
        _hub.Intercept = async (request, stream) =>
        {
            if (request.Range is null || Interlocked.Decrement(ref left) >= 0) return false;
            await HubServer.SendTextAsync(stream, 503, "later", "Retry-After: 0\r\n");
            return true;
        };
        PullOptions one = Fast with { Connections = 1 };
        Assert.Contains("status 503", await Refused(options: one));
        Assert.Equal(2, Parts.Length);

        if (changes) bytes = _hub.Add("m-Q8_0.gguf", 640 << 10, seed: 99);
        _hub.Intercept = null;
        _hub.Requests.Clear();
        PullResult result = await Pull(options: one);
        Assert.Equal(bytes, File.ReadAllBytes(result.Path));
        Assert.Equal(changes ? 10 : 5, _hub.FileRequests.Count);
        Assert.Empty(Parts);
    }

    [Fact]
    public async Task Damaged_parts_of_an_earlier_pull_are_brought_again()
    {
        byte[] bytes = _hub.Add("m-Q8_0.gguf", 640 << 10);
        int left = 5;
        _hub.Intercept = async (request, stream) =>
        {
            if (request.Range is null || Interlocked.Decrement(ref left) >= 0) return false;
            await HubServer.SendTextAsync(stream, 500, "");
            return true;
        };
        await Refused(options: Fast with { Connections = 1 });
        using (FileStream part = File.OpenWrite(Parts.Single(p => !p.EndsWith(".json")))) part.Write(new byte[100]);
        _hub.Intercept = null;
        Assert.Equal(bytes, File.ReadAllBytes((await Pull()).Path));
    }

    [Fact]
    public async Task A_pull_can_be_stopped_and_goes_on_later()
    {
        byte[] bytes = _hub.Add("m-Q8_0.gguf", 640 << 10);
        using var stop = new CancellationTokenSource();
        int left = 4;
        _hub.Intercept = async (request, stream) =>
        {
            if (request.Range is null || Interlocked.Decrement(ref left) >= 0) return false;
            await stop.CancelAsync();
            await Task.Delay(1000);
            return true;
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Pull(options: Fast with { Connections = 1 }, stop: stop.Token));
        _hub.Intercept = null;
        _hub.Requests.Clear();
        Assert.Equal(bytes, File.ReadAllBytes((await Pull()).Path));
        Assert.Equal(6, _hub.FileRequests.Count);
    }

    [Fact]
    public async Task A_wrong_hash_is_thrown_away()
    {
        byte[] bytes = _hub.Add("m-Q8_0.gguf", 200_000);
        _hub.Entry = e => e["lfs"]!["oid"] = new string('a', 64);
        _hub.Intercept = async (request, stream) =>
        {
            if (request.Range is not { } r) return false;
            await HubServer.SendAsync(stream, 206, $"Content-Range: bytes {r.First}-{r.Last}/200000\r\n", bytes.AsMemory((int)r.First, (int)(r.Last - r.First + 1)));
            return true;
        };
        Assert.Equal($"org/repo: m-Q8_0.gguf has SHA-256 {HubServer.Sha(bytes)}, expected {new string('a', 64)}; it was thrown away", await Refused());
        Assert.False(File.Exists(Local("m-Q8_0.gguf")));
        Assert.Empty(Parts);
    }

    [Fact]
    public async Task Another_hash_in_the_answer_than_in_the_list_is_a_change()
    {
        _hub.Add("m-Q8_0.gguf", 200_000);
        _hub.Entry = e => e["lfs"]!["oid"] = new string('a', 64);
        Assert.Contains("m-Q8_0.gguf changed on", await Refused());
    }

    [Fact]
    public async Task A_server_without_ranges_serves_too()
    {
        byte[] bytes = _hub.Add("m-Q8_0.gguf", 500_000);
        int cuts = 2;
        _hub.Intercept = async (request, stream) =>
        {
            if (!request.Path.Contains("/resolve/")) return false;
            int cut = request.Range is null && Interlocked.Decrement(ref cuts) >= 0 ? 100_000 : int.MaxValue;
            request.Headers.Remove("range");
            await _hub.SendFileAsync(request, stream, cut);
            return true;
        };
        Assert.Equal(bytes, File.ReadAllBytes((await Pull()).Path));
    }

    [Theory]
    [InlineData("Content-Range: bytes 0-65535/999999\r\n", "should have 200000 bytes, http")]
    [InlineData("Content-Range: bytes 7-65535/200000\r\n", "not a proper answer")]
    [InlineData("Content-Range: bytes 0-65535/*\r\n", "SHA-256")]
    [InlineData("Content-Range: chickens 0-65535/200000\r\n", "not a proper answer")]
    [InlineData("", "not a proper answer")]
    [InlineData("Content-Encoding: gzip\r\nContent-Range: bytes 0-65535/200000\r\n", "in an encoding")]
    public async Task Ranges_that_lie_are_refused(string headers, string message)
    {
        _hub.Add("m-Q8_0.gguf", 200_000);
        _hub.Intercept = async (request, stream) =>
        {
            if (request.Range is not { } r) return false;
            await HubServer.SendAsync(stream, 206, headers.Replace("0-65535", $"{r.First}-{r.Last}"), new byte[r.Last - r.First + 1]);
            return true;
        };
        Assert.Contains(message, await Refused());
        Assert.False(File.Exists(Local("m-Q8_0.gguf")));
    }

    [Fact]
    public async Task Lengths_that_lie_are_refused()
    {
        _hub.Add("config.json", 5000, isLfs: false);
        _hub.Add("tokenizer.json", 5000, isLfs: false);
        // The list says more than there is.
        _hub.Entry = e => e["size"] = 6000;
        Assert.Contains("should have 6000 bytes", await Refused());
        _hub.Entry = null;
        // A body without end where 5000 bytes were promised.
        _hub.Intercept = async (request, stream) =>
        {
            if (!request.Path.Contains("/resolve/")) return false;
            await stream.WriteAsync("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"u8.ToArray());
            while (true) await stream.WriteAsync(new byte[10_000]);
        };
        Assert.Contains("should have 5000 bytes", await Refused());
        // A head that promises more than comes.
        _hub.Intercept = async (request, stream) =>
        {
            if (request.Range is not { } r) return false;
            await HubServer.SendAsync(stream, 206, $"Content-Range: bytes {r.First}-{r.Last}/5000\r\n", new byte[10], 5000);
            return true;
        };
        Assert.Contains("the connection was cut", await Refused());
        // A file that is larger than any disk, and one that is larger than any number.
        _hub.Intercept = null;
        _hub.Entry = e => e["size"] = 1L << 43;
        Assert.Contains("needs 17.6 TB", await Refused());
        _hub.Entry = e => e["size"] = long.MaxValue;
        Assert.Contains("which no model has", await Refused());
        _hub.Entry = e => e["size"] = 1e300;
        Assert.Equal(2, (await Pull()).Brought); // no number: the file's own address tells
    }

    [Fact]
    public async Task A_hub_without_trees_serves_by_names()
    {
        byte[] bytes = _hub.Add("m-Q8_0.gguf", 300_000);
        _hub.Intercept = async (request, stream) =>
        {
            if (!request.Path.Contains("/tree/")) return false;
            await HubServer.SendTextAsync(stream, 404, "");
            return true;
        };
        PullResult result = await Pull();
        Assert.Equal(bytes, File.ReadAllBytes(result.Path));
        Assert.Equal(HubServer.Sha(bytes), Assert.Single(result.Files).Sha256);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_token_does_not_follow_to_another_host(bool sameAddress)
    {
        using var other = new HubServer();
        byte[] bytes = _hub.Add("m-Q8_0.gguf", 100_000);
        other.Intercept = async (request, stream) =>
        {
            (long first, long last) = request.Range!.Value;
            await HubServer.SendAsync(stream, 206, $"Content-Range: bytes {first}-{last}/100000\r\n", bytes.AsMemory((int)first, (int)(last - first + 1)));
            return true;
        };
        _hub.Intercept = async (request, stream) =>
        {
            if (!request.Path.Contains("/resolve/")) return false;
            string target = $"http://{(sameAddress ? "127.0.0.1" : "localhost")}:{other.Port}/blob";
            await HubServer.SendAsync(stream, 302, $"Location: {target}\r\nX-Linked-ETag: \"{HubServer.Sha(bytes)}\"\r\nX-Linked-Size: 100000\r\n", default);
            return true;
        };
        Assert.Equal(bytes, File.ReadAllBytes((await Pull(token: "hf_secret")).Path));
        Assert.All(_hub.Requests, r => Assert.Equal("Bearer hf_secret", r.Headers["authorization"]));
        Assert.NotEmpty(other.Requests);
        Assert.All(other.Requests, r => Assert.False(r.Headers.ContainsKey("authorization")));
        Assert.All(other.Requests, r => Assert.DoesNotContain("secret", string.Concat(r.Headers.Values)));
    }

    [Fact]
    public async Task A_token_that_was_left_behind_does_not_come_back()
    {
        using var other = new HubServer();
        byte[] bytes = _hub.Add("m-Q8_0.gguf", 1000);
        other.Intercept = async (_, stream) =>
        {
            await HubServer.SendAsync(stream, 302, $"Location: {_hub.Address}/org/repo/resolve/again/m-Q8_0.gguf\r\n", default);
            return true;
        };
        _hub.Intercept = async (request, stream) =>
        {
            if (!request.Path.Contains("/resolve/") || request.Path.Contains("again")) return false;
            await HubServer.SendAsync(stream, 302, $"Location: http://127.0.0.1:{other.Port}/x\r\n", default);
            return true;
        };
        Assert.Equal(bytes, File.ReadAllBytes((await Pull(token: "hf_secret")).Path));
        Assert.False(_hub.Requests.Single(r => r.Path.Contains("again")).Headers.ContainsKey("authorization"));
    }

    [Theory]
    [InlineData("http://example.com/x", "http://example.com, which is not https")]
    [InlineData("http://10.0.0.1/x", "which is not https")]
    [InlineData("ftp://127.0.0.1/x", "which is not https")]
    [InlineData("file:///etc/passwd", "which is not https")]
    [InlineData("//example.com/x", "which is not https")]
    [InlineData("http://localhost.example.com/x", "which is not https")]
    [InlineData("/org/repo/resolve/main/m-Q8_0.gguf", "more than 8 redirects")]
    public async Task Redirects_go_to_https_or_stay_on_this_machine(string location, string message)
    {
        _hub.Add("m-Q8_0.gguf", 1000);
        _hub.Intercept = async (request, stream) =>
        {
            if (!request.Path.Contains("/resolve/")) return false;
            await HubServer.SendAsync(stream, 307, $"Location: {location}\r\n", default);
            return true;
        };
        Assert.Contains(message, await Refused());
    }

    [Theory]
    [InlineData("http://hub.example.com", "hf_x", "HF_TOKEN is not sent to http://hub.example.com without https")]
    [InlineData("ftp://x", null, "HF_ENDPOINT: expected an address like https://huggingface.co, found 'ftp://x'")]
    [InlineData("huggingface.co", null, "HF_ENDPOINT")]
    [InlineData("https://user:pw@x", null, "HF_ENDPOINT")]
    [InlineData(null, "a\nb", "HF_TOKEN: holds characters")]
    public void Addresses_and_tokens_are_checked(string? address, string? token, string message) =>
        Assert.Contains(message, Assert.Throws<HubException>(() => HubEndpoint.Create(address, token)).Message);

    [Theory]
    [InlineData("../evil.gguf")]
    [InlineData("a/../../evil.gguf")]
    [InlineData("/tmp/evil.gguf")]
    [InlineData("a\\..\\..\\evil.gguf")]
    [InlineData("C:evil.gguf")]
    [InlineData("a//evil.gguf")]
    [InlineData("./evil.gguf")]
    [InlineData("evil\0.gguf")]
    [InlineData("evil\u001b[2J.gguf")]
    [InlineData("nul.gguf")]
    [InlineData("COM1/evil.gguf")]
    [InlineData("a ./evil.gguf")]
    [InlineData(".seeksharp/model.json")]
    [InlineData(".SEEKSHARP/lock.gguf")]
    [InlineData("\u202egguf.exe")]
    public async Task Names_that_leave_the_folder_are_refused(string path)
    {
        _hub.Add("ok.gguf", 100);
        _hub.Entry = e => e["path"] = path;
        string message = await Refused(include: "*");
        Assert.StartsWith("the hub names a file '", message);
        Assert.EndsWith("', which is not allowed", message);
        Assert.DoesNotContain(message, char.IsControl);
        Assert.Empty(_hub.FileRequests);
        Assert.Empty(Directory.GetFileSystemEntries(_root));
    }

    [Fact]
    public async Task Nothing_is_written_through_a_link()
    {
        string outside = Directory.CreateDirectory(Path.Combine(_root, "outside")).FullName;
        _hub.Add("sub/m-Q8_0.gguf", 100);
        Directory.CreateDirectory(Local(""));
        Directory.CreateSymbolicLink(Local("sub"), outside);
        Assert.Contains("is a link", await Refused());
        Directory.Delete(Local("sub"));
        Directory.CreateDirectory(Local("sub"));
        File.CreateSymbolicLink(Local("sub/m-Q8_0.gguf"), Path.Combine(outside, "new"));
        Assert.Contains("is a link", await Refused());
        File.Delete(Local("sub/m-Q8_0.gguf"));
        Directory.CreateSymbolicLink(Local(".seeksharp"), outside);
        Assert.Contains("is a link", await Refused());
        Assert.Empty(Directory.GetFileSystemEntries(outside));
    }

    [Fact]
    public async Task Names_that_differ_in_case_alone_are_refused()
    {
        _hub.Add("m-Q8_0.gguf", 100);
        _hub.Add("M-Q8_0.gguf", 100);
        Assert.Contains("but for case", await Refused(include: "*"));
    }

    [Theory]
    [InlineData(401, "", null, "org/repo: no such model on http://127.0.0.1:PORT; a private or gated one needs HF_TOKEN")]
    [InlineData(401, "", "hf_x", "org/repo: http://127.0.0.1:PORT does not accept the token in HF_TOKEN (status 401)")]
    [InlineData(401, "GatedRepo", null, "org/repo: is gated; ask for access at http://127.0.0.1:PORT/org/repo, then set HF_TOKEN to a token of yours")]
    [InlineData(403, "GatedRepo", "hf_x", "org/repo: is gated; ask for access at http://127.0.0.1:PORT/org/repo for the account of HF_TOKEN")]
    [InlineData(403, "", "hf_x", "org/repo: http://127.0.0.1:PORT refuses access (status 403); a gated model needs your consent at http://127.0.0.1:PORT/org/repo and a token in HF_TOKEN that may read it")]
    [InlineData(404, "RepoNotFound", "hf_x", "org/repo: no such model on http://127.0.0.1:PORT, or none that HF_TOKEN may read")]
    [InlineData(404, "RevisionNotFound", null, "org/repo: no such revision on http://127.0.0.1:PORT")]
    [InlineData(404, "", null, "org/repo: no such model on http://127.0.0.1:PORT")]
    [InlineData(418, "", null, "org/repo: http://127.0.0.1:PORT answers with status 418")]
    [InlineData(429, "", null, "org/repo: cannot be pulled from http://127.0.0.1:PORT: status 429")]
    [InlineData(502, "", null, "org/repo: cannot be pulled from http://127.0.0.1:PORT: status 502")]
    public async Task Refusals_are_one_clear_line(int status, string code, string? token, string message)
    {
        _hub.Intercept = async (_, stream) =>
        {
            await HubServer.SendTextAsync(stream, status, "<html>", code == "" ? "" : $"X-Error-Code: {code}\r\n");
            return true;
        };
        Assert.Equal(message.Replace("PORT", _hub.Port.ToString()), await Refused(token: token));
    }

    [Fact]
    public async Task A_missing_or_gated_file_is_one_clear_line()
    {
        _hub.Add("m-Q8_0.gguf", 1000);
        int status = 404;
        _hub.Intercept = async (request, stream) =>
        {
            if (!request.Path.Contains("/resolve/")) return false;
            await HubServer.SendTextAsync(stream, status, "");
            return true;
        };
        Assert.Equal($"org/repo: m-Q8_0.gguf is not on {_hub.Address}", await Refused());
        status = 403;
        Assert.Contains("HF_TOKEN", await Refused());
    }

    [Fact]
    public async Task Without_a_network_it_says_so_at_once()
    {
        _hub.Dispose();
        long began = Stopwatch.GetTimestamp();
        Assert.Equal($"org/repo: cannot be pulled from {_hub.Address}: no connection; is there a network?", await Refused(options: new PullOptions()));
        var nowhere = new HubClient(HubEndpoint.Create("https://hub.invalid", null), _root);
        HubException e = await Assert.ThrowsAsync<HubException>(() => nowhere.PullAsync(ModelName.Parse("org/repo")));
        Assert.Contains("is there a network?", e.Message);
        Assert.True(Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(15));
    }

    [Theory]
    [InlineData("nothing", "no answer within 0.3 s")]
    [InlineData("endless", "a list of files of more than 256 KiB on one page")]
    [InlineData("dripping", "no list of files within 0.5 s")]
    [InlineData("pages", "a list of files of more than 20 pages")]
    [InlineData("loop", "a list of files without end")]
    [InlineData("files", "more than 1000 files")]
    [InlineData("deep", "expected JSON")]
    [InlineData("html", "expected JSON")]
    [InlineData("object", "expected a list of files")]
    [InlineData("surrogate", "no Unicode")]
    [InlineData("headers", "not a proper answer")]
    [InlineData("garbage", "cannot be pulled")]
    [InlineData("empty", "no safetensors and no GGUF")]
    public async Task Lists_without_end_or_sense_are_refused(string kind, string message)
    {
        int page = 0;
        _hub.Intercept = async (request, stream) =>
        {
            if (!request.Path.Contains("/tree/")) return false;
            switch (kind)
            {
                case "nothing":
                    await Task.Delay(3000);
                    return true;
                case "endless":
                    await stream.WriteAsync("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n["u8.ToArray());
                    while (true) await stream.WriteAsync("                "u8.ToArray());
                case "dripping":
                    await stream.WriteAsync("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n["u8.ToArray());
                    while (true)
                    {
                        await stream.WriteAsync(" "u8.ToArray());
                        await Task.Delay(50);
                    }
                case "headers":
                    await stream.WriteAsync("HTTP/1.1 200 OK\r\n"u8.ToArray());
                    for (int i = 0; i < 10_000; i++) await stream.WriteAsync(Encoding.ASCII.GetBytes($"X-{i}: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"));
                    return true;
                case "garbage":
                    await stream.WriteAsync("220 smtp ready\r\n\r\n"u8.ToArray());
                    return true;
            }
            string files = string.Join(',', Enumerable.Range(0, 100).Select(i => $"{{\"type\":\"file\",\"path\":\"{i}\",\"size\":1}}"));
            (string body, string link) = kind switch
            {
                "pages" => ("[]", $"Link: <?cursor={++page}>; rel=\"next\"\r\n"),
                "loop" => ("[]", "Link: <?cursor=1>; rel=\"next\"\r\n"),
                "files" => ($"[{files}]", $"Link: <?cursor={++page}>; rel=\"next\"\r\n"),
                "deep" => (new string('[', 100_000), ""),
                "html" => ("<html>", ""),
                "object" => ("{}", ""),
                "surrogate" => ("[{\"type\":\"file\",\"path\":\"\\ud800\"}]", ""),
                _ => ("[]", ""),
            };
            await HubServer.SendTextAsync(stream, 200, body, link);
            return true;
        };
        PullOptions strict = Fast with { Attempts = 2, Timeout = TimeSpan.FromSeconds(0.3), ListingTimeout = TimeSpan.FromSeconds(0.5), ListingBytes = 256 << 10, ListingPages = 20, ListingFiles = 1000 };
        if (kind == "endless") strict = strict with { Timeout = TimeSpan.FromSeconds(20), ListingTimeout = TimeSpan.FromSeconds(20) }; // its size ends it, not a busy machine
        Assert.Contains(message, await Refused(options: strict));
    }

    [Fact]
    public async Task A_body_that_stalls_is_asked_for_again()
    {
        byte[] bytes = _hub.Add("m-Q8_0.gguf", 100_000);
        int stalls = 2;
        _hub.Intercept = async (request, stream) =>
        {
            if (request.Range is null || Interlocked.Decrement(ref stalls) < 0) return false;
            await _hub.SendFileAsync(request, stream, cutAfter: 5000);
            await stream.FlushAsync();
            await Task.Delay(2000);
            return true;
        };
        Assert.Equal(bytes, File.ReadAllBytes((await Pull(options: Fast with { Timeout = TimeSpan.FromSeconds(0.3) })).Path));
    }

    [Fact]
    public async Task Two_pulls_of_one_model_bring_it_once()
    {
        byte[] bytes = _hub.Add("m-Q8_0.gguf", 300_000);
        _hub.Intercept = async (request, _) =>
        {
            if (request.Range is not null) await Task.Delay(30);
            return false;
        };
        PullResult[] results = await Task.WhenAll(Pull(), Pull());
        Assert.Equal(1, results.Sum(r => r.Brought));
        Assert.Equal(5, _hub.FileRequests.Count);
        Assert.Equal(bytes, File.ReadAllBytes(results[0].Path));
    }

    [Fact]
    public async Task A_new_commit_brings_what_changed()
    {
        _hub.Add("model.safetensors", 100_000);
        byte[] config = _hub.Add("config.json", 100, isLfs: false);
        await Pull();
        byte[] changed = _hub.Add("model.safetensors", 100_000, seed: 5);
        Assert.Equal(1, (await Pull()).Brought);
        Assert.Equal(changed, File.ReadAllBytes(Local("model.safetensors")));
        Assert.Equal(config, File.ReadAllBytes(Local("config.json")));
        File.WriteAllBytes(Local("model.safetensors"), new byte[7]);
        Assert.Null(ModelHome.Resolve("org/repo", _root));
        Assert.Equal(1, (await Pull()).Brought);
    }

    private sealed class Recorder(List<PullProgress> seen) : IProgress<PullProgress>
    {
        public void Report(PullProgress value)
        {
            lock (seen) seen.Add(value);
        }
    }
}
