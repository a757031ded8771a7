using System.Net;
using System.Text.Json;

namespace SeekSharp.Checkpoints;

/// <summary>What a repository holds at a revision.</summary>
/// <param name="Commit">The commit that the revision means now; null where the hub does not say.</param>
/// <param name="Files">Its files.</param>
internal sealed record HubListing(string? Commit, IReadOnlyList<HubFile> Files)
{
    /// <summary>
    /// Asks the hub: <c>/api/models/ORG/REPO/revision/REVISION</c> for the commit, then <c>…/tree/COMMIT?recursive=true</c> page by page, so that every file is of one commit. A hub
    /// without the second gives names alone.
    /// </summary>
    /// <exception cref="HubException">No such repository or revision, no access, no network, or an answer that is none.</exception>
    public static async Task<HubListing> ReadAsync(HubHttp http, HubEndpoint endpoint, ModelName name, PullOptions options, CancellationToken cancellation)
    {
        try
        {
            return await ReadPagesAsync(http, endpoint, name, options, cancellation).ConfigureAwait(false);
        }
        catch (InvalidOperationException e) when (e is not ObjectDisposedException)
        {
            throw new HubException($"{endpoint}: expected JSON, found text that is no Unicode", e); // half a surrogate pair in a key
        }
    }

    private static async Task<HubListing> ReadPagesAsync(HubHttp http, HubEndpoint endpoint, ModelName name, PullOptions options, CancellationToken cancellation)
    {
        string revision = name.Revision ?? "main";
        string? commit = null;
        var siblings = new List<HubFile>();
        using (Page? page = await GetAsync(endpoint.Api(name, "revision", revision)).ConfigureAwait(false))
        {
            if (page is not null)
            {
                if (page.Root.ValueKind != JsonValueKind.Object) throw Improper("the description of a model");
                commit = Text(page.Root, "sha") is { Length: 40 or 64 } sha && sha.All(char.IsAsciiHexDigit) ? sha : null;
                if (page.Root.TryGetProperty("siblings", out JsonElement list) && list.ValueKind == JsonValueKind.Array)
                    foreach (JsonElement entry in list.EnumerateArray())
                        if (entry.ValueKind == JsonValueKind.Object && Text(entry, "rfilename") is { } path) Add(siblings, ReadFile(entry, path));
            }
        }

        var files = new List<HubFile>();
        Uri tree = endpoint.Api(name, "tree", commit ?? revision, "?recursive=true");
        var seen = new HashSet<string>();
        for (Uri? next = tree; next is not null;)
        {
            if (seen.Count == options.ListingPages) throw new HubException($"{name}: a list of files of more than {options.ListingPages} pages");
            if (!seen.Add(next.Query)) throw new HubException($"{name}: a list of files without end");
            using Page? page = await GetAsync(next).ConfigureAwait(false);
            if (page is null)
            {
                if (seen.Count == 1 && siblings.Count > 0) return new HubListing(commit, siblings);
                throw new HubException(name.Revision is null ? $"{name}: no such model on {endpoint}" : $"{name}: no such model or revision on {endpoint}");
            }
            if (page.Root.ValueKind != JsonValueKind.Array) throw Improper("a list of files");
            foreach (JsonElement entry in page.Root.EnumerateArray())
                if (entry.ValueKind == JsonValueKind.Object && Text(entry, "type") is "file" && Text(entry, "path") is { } path) Add(files, ReadFile(entry, path));
            // Only the query of the next page counts: a mirror may name another host there.
            next = page.NextQuery is { } query ? new UriBuilder(tree) { Query = query }.Uri : null;
        }
        return new HubListing(commit, files);

        void Add(List<HubFile> list, HubFile file)
        {
            if (list.Count == options.ListingFiles) throw new HubException($"{name}: more than {options.ListingFiles} files");
            list.Add(file);
        }

        HubException Improper(string what) => new($"{endpoint}: expected {what}, found something else");

        async Task<Page?> GetAsync(Uri address)
        {
            for (int attempt = 1; ; attempt++)
            {
                string reason;
                TimeSpan? asked = null;
                try
                {
                    using HubResponse response = await http.GetAsync(address, null, cancellation).ConfigureAwait(false);
                    if (response.Status == HttpStatusCode.OK)
                    {
                        byte[] json = await http.ReadSmallAsync(response, cancellation).ConfigureAwait(false);
                        try
                        {
                            return new Page(JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 32 }), Next(response, address));
                        }
                        catch (JsonException)
                        {
                            throw Improper("JSON");
                        }
                    }
                    if (HubProblem.Of(response, endpoint, name, null) is { } problem)
                        return problem.IsNotFound && !problem.IsCertain ? null : throw new HubException(problem.Message);
                    reason = $"status {(int)response.Status}";
                    asked = response.Message.Headers.RetryAfter?.Delta;
                }
                catch (Exception e) when (HubHttp.IsTransient(e))
                {
                    reason = HubHttp.Reason(e);
                    // Where there is no network, nobody wants to wait.
                    if (e is HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError }) attempt = options.Attempts;
                }
                catch (HttpRequestException e)
                {
                    throw new HubException($"{endpoint}: {HubHttp.Reason(e)}", e);
                }
                if (attempt >= options.Attempts) throw new HubException($"{name}: cannot be pulled from {endpoint}: {reason}");
                await http.PauseAsync(attempt, asked, cancellation).ConfigureAwait(false);
            }
        }
    }

    private static HubFile ReadFile(JsonElement entry, string path)
    {
        long? size = Number(entry, "size");
        string? sha = null;
        if (entry.TryGetProperty("lfs", out JsonElement lfs) && lfs.ValueKind == JsonValueKind.Object)
        {
            sha = HubFile.AsSha256(Text(lfs, "oid") ?? Text(lfs, "sha256"));
            size = Number(lfs, "size") ?? size;
        }
        return new HubFile(path, size, sha);
    }

    /// <summary>The query of <c>Link: &lt;…&gt;; rel="next"</c>.</summary>
    private static string? Next(HubResponse response, Uri address)
    {
        if (!response.Message.Headers.TryGetValues("Link", out IEnumerable<string>? values)) return null;
        foreach (string link in values.SelectMany(v => v.Split(',')))
        {
            int open = link.IndexOf('<'), close = link.IndexOf('>');
            if (open < 0 || close < open || !link[close..].Replace(" ", "").Replace("\"", "").Contains("rel=next", StringComparison.OrdinalIgnoreCase)) continue;
            if (Uri.TryCreate(address, link[(open + 1)..close], out Uri? next) && next.Query.Length > 1) return next.Query;
        }
        return null;
    }

    private static string? Text(JsonElement entry, string key) =>
        entry.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static long? Number(JsonElement entry, string key) =>
        entry.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) && number >= 0 ? number : null;

    private sealed record Page(JsonDocument Document, string? NextQuery) : IDisposable
    {
        public JsonElement Root => Document.RootElement;

        public void Dispose() => Document.Dispose();
    }
}
