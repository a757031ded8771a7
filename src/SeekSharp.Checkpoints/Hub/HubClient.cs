namespace SeekSharp.Checkpoints;

/// <summary>What a pull brought.</summary>
/// <param name="Path">What to open: the model's folder, or its GGUF file.</param>
/// <param name="Folder">The model's folder.</param>
/// <param name="Commit">The commit, where the hub says.</param>
/// <param name="Files">All files that were asked for, with their sizes.</param>
/// <param name="Brought">How many of them came over the network now.</param>
internal sealed record PullResult(string Path, string Folder, string? Commit, IReadOnlyList<PulledFile> Files, int Brought);

/// <summary>Pulls models from a hub that has the HTTP layout of Hugging Face's.</summary>
internal sealed class HubClient(HubEndpoint endpoint, string? root = null, PullOptions? options = null)
{
    private const long MaxFileBytes = 1L << 44;
    private readonly PullOptions _options = options ?? new PullOptions();

    /// <summary>Brings a model's files that are not there yet.</summary>
    /// <param name="name">The model.</param>
    /// <param name="include">Patterns of files; without any, <see cref="FileSelection"/> chooses.</param>
    /// <param name="progress">Hears of the progress, from any thread, at most ten times a second.</param>
    /// <param name="waits">Called when another process pulls the same model, and this one waits for it.</param>
    /// <param name="cancellation">Stops it; what is there stays for the next pull.</param>
    /// <exception cref="HubException">It could not be done.</exception>
    public async Task<PullResult> PullAsync(ModelName name, IReadOnlyList<string>? include = null, IProgress<PullProgress>? progress = null, Action? waits = null, CancellationToken cancellation = default)
    {
        include ??= [];
        try
        {
            using var http = new HubHttp(endpoint, _options);
            HubListing listing = await HubListing.ReadAsync(http, endpoint, name, _options, cancellation).ConfigureAwait(false);
            List<HubFile> files = FileSelection.Select(name, listing.Files, include);
            string folder = ModelHome.FolderOf(name, root);
            CheckNames(name, folder, files);
            Directory.CreateDirectory(folder);
            using ModelLock modelLock = await ModelLock.TakeAsync(folder, waits ?? (() => { }), cancellation).ConfigureAwait(false);
            return await BringAsync(http, name, listing, files, folder, include.Count > 0 && name.Quant is null, progress, cancellation).ConfigureAwait(false);
        }
        catch (HttpRequestException e)
        {
            throw new HubException($"{name}: cannot be pulled from {endpoint}: {HubHttp.Reason(e)}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HubException(e is IOException io && DiskSpace.IsFull(io) ? $"{name}: the disk is full" : $"{name}: {e.Message}", e);
        }
    }

    private async Task<PullResult> BringAsync(HubHttp http, ModelName name, HubListing listing, List<HubFile> files, string folder, bool isFolder, IProgress<PullProgress>? progress, CancellationToken cancellation)
    {
        string revision = listing.Commit ?? name.Revision ?? "main";
        using var connections = new SemaphoreSlim(_options.Connections);
        FileDownload With(ProgressMeter meter) => new(http, endpoint, name, revision, _options, connections, meter);

        // What the listing does not tell, the file's own address does.
        for (int i = 0; i < files.Count; i++)
            if (files[i].Size is null || files[i].Sha256 is null && files[i].Size > _options.ChunkBytes)
                files[i] = await With(new ProgressMeter(null, 0, 0)).ProbeAsync(files[i], cancellation).ConfigureAwait(false);

        CheckNames(name, folder, files);

        ModelManifest manifest = ModelManifest.Read(folder) ?? new ModelManifest(folder);
        manifest.Repository = name.Repository;
        manifest.Revision = name.Revision ?? "main";
        List<HubFile> missing = files.FindAll(f => !IsThere(manifest, folder, f, listing.Commit));
        CheckSpace(name, folder, missing);
        foreach (HubFile file in files)
            manifest.Files[file.Path] = new PulledFile(file.Path, file.Size!.Value, file.Sha256, listing.Commit, IsDone: !missing.Contains(file));
        manifest.Write();

        var meter = new ProgressMeter(progress, files.Count, Total(name, files));
        foreach (HubFile file in files.Except(missing))
        {
            meter.Had(file.Path, file.Size!.Value);
            meter.FileDone(file.Path);
        }
        var together = new ParallelOptions { MaxDegreeOfParallelism = _options.Files, CancellationToken = cancellation };
        await Parallel.ForEachAsync(missing, together, async (file, stop) =>
        {
            await With(meter).RunAsync(file, folder, stop).ConfigureAwait(false);
            lock (manifest)
            {
                manifest.Files[file.Path] = manifest.Files[file.Path] with { IsDone = true };
                manifest.Write();
            }
        }).ConfigureAwait(false);

        string path = isFolder ? folder : ModelHome.Find(name, root) ?? folder;
        return new PullResult(path, folder, listing.Commit, [.. files.Select(f => manifest.Files[f.Path])], missing.Count);
    }

    /// <summary>Whether a file is there already, of the same content: pulled before, or put there by hand.</summary>
    private static bool IsThere(ModelManifest manifest, string folder, HubFile file, string? commit)
    {
        string path = SafePath.Below(folder, file.Path);
        if (new FileInfo(path) is not { Exists: true } info || info.Length != file.Size) return false;
        if (manifest.Files.TryGetValue(file.Path, out PulledFile? known) && manifest.IsComplete(known))
        {
            if (file.Sha256 is not null && known.Sha256 is not null) return known.Sha256 == file.Sha256;
            if (file.Sha256 is null) return known.Commit is not null && known.Commit == commit;
        }
        if (file.Sha256 is null) return false;
        using FileStream stream = File.OpenRead(path);
        return Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(stream)) == file.Sha256;
    }

    private static void CheckNames(ModelName name, string folder, List<HubFile> files)
    {
        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (HubFile file in files)
        {
            SafePath.Below(folder, file.Path);
            if (file.Size > MaxFileBytes) throw new HubException($"{name}: {file.Path} should have {file.Size} bytes, which no model has");
            if (!seen.Add(file.Path)) throw new HubException($"{name}: two files are called {file.Path}, but for case");
        }
    }

    private static long Total(ModelName name, IEnumerable<HubFile> files)
    {
        Int128 total = 0;
        foreach (HubFile file in files) total += file.Size!.Value;
        return total <= long.MaxValue / 2 ? (long)total : throw new HubException($"{name}: the hub says that it has {total} bytes");
    }

    private static void CheckSpace(ModelName name, string folder, List<HubFile> missing)
    {
        // Parts of an earlier pull are counted again: their room was taken already where the system does not leave holes.
        long needed = Total(name, missing);
        if (DiskSpace.Free(folder) is { } free && needed > free + PartialBytes(folder))
            throw new HubException($"{name}: needs {ByteCount.Text(needed)}, and {folder} has {ByteCount.Text(free)} free");
    }

    private static long PartialBytes(string folder)
    {
        string parts = Path.Combine(folder, SafePath.OwnFolder, "parts");
        return Directory.Exists(parts) ? new DirectoryInfo(parts).EnumerateFiles().Sum(f => f.Length) : 0;
    }
}

/// <summary>Numbers of bytes for people.</summary>
internal static class ByteCount
{
    /// <summary><c>1.12 GB</c>, <c>640 kB</c>: powers of ten, as the hub shows them.</summary>
    public static string Text(long bytes)
    {
        string[] units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
        double value = bytes;
        int unit = 0;
        while (value >= 999.5 && unit < units.Length - 1) (value, unit) = (value / 1000, unit + 1);
        return unit == 0 ? $"{bytes} B" : value < 10 ? $"{value:0.00} {units[unit]}" : value < 100 ? $"{value:0.0} {units[unit]}" : $"{value:0} {units[unit]}";
    }
}
