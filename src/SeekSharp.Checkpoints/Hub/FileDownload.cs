using System.Buffers;
using System.Net;

namespace SeekSharp.Checkpoints;

/// <summary>
/// Brings one file: in ranges over several connections, or in one piece where the server knows no ranges. A cut connection goes on where it was cut. The file is moved to its place
/// when its length and its SHA-256 are right.
/// </summary>
internal sealed class FileDownload(HubHttp http, HubEndpoint endpoint, ModelName name, string revision, PullOptions options, SemaphoreSlim connections, ProgressMeter meter)
{
    /// <summary>Thrown where the server sends the whole file in place of a range.</summary>
    private sealed class NoRangesException : Exception;

    /// <summary>What the hub says of a file whose length the listing does not tell, and that has no SHA-256 there.</summary>
    public async Task<HubFile> ProbeAsync(HubFile file, CancellationToken cancellation)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                using HubResponse response = await http.GetAsync(endpoint.File(name, revision, file.Path), (0, 0), cancellation).ConfigureAwait(false);
                long? size = response.Status switch
                {
                    HttpStatusCode.PartialContent => response.Message.Content.Headers.ContentRange?.Length,
                    HttpStatusCode.OK => response.Message.Content.Headers.ContentLength,
                    HttpStatusCode.RequestedRangeNotSatisfiable => response.Message.Content.Headers.ContentRange?.Length ?? 0, // an empty file has no first byte
                    _ => throw Refusal(response, file),
                };
                size = response.LinkedSize ?? size;
                if (size is null) throw new HubException($"{name}: {endpoint} does not tell the length of {file.Path}");
                return file with { Size = file.Size ?? size, Sha256 = file.Sha256 ?? HubFile.AsSha256(response.LinkedETag), ETag = response.Identity };
            }
            catch (Exception e) when (HubHttp.IsTransient(e))
            {
                if (attempt >= options.Attempts) throw GaveUp(file, e);
                await http.PauseAsync(attempt, null, cancellation).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Brings a file of known length.</summary>
    public async Task RunAsync(HubFile file, string folder, CancellationToken cancellation)
    {
        string target = SafePath.Below(folder, file.Path);
        bool isResumed = false;
        for (; ; )
        {
            using PartialFile part = PartialFile.Open(folder, file, options.ChunkBytes);
            isResumed = part.Done > 0 && !isResumed;
            meter.Had(file.Path, part.Done);
            if (part.Size > 0 && part.Done < part.Size)
            {
                try
                {
                    await BringRangesAsync(file, part, cancellation).ConfigureAwait(false);
                }
                catch (NoRangesException)
                {
                    meter.Had(file.Path, -part.Forget());
                    await BringWholeAsync(file, part, cancellation).ConfigureAwait(false);
                }
            }
            string? hash = file.Sha256 is null ? null : part.Hash(cancellation);
            if (hash == file.Sha256)
            {
                SafePath.Below(folder, file.Path);
                part.MoveTo(target);
                meter.FileDone(file.Path);
                return;
            }
            meter.Had(file.Path, -part.Done);
            part.Delete();
            // Bytes of an earlier pull may have been damaged since: all of it once more, but once only.
            if (!isResumed) throw new HubException($"{name}: {file.Path} has SHA-256 {hash}, expected {file.Sha256}; it was thrown away");
        }
    }

    private async Task BringRangesAsync(HubFile file, PartialFile part, CancellationToken cancellation)
    {
        int next = -1;
        // The first worker finds out whether the server knows ranges before the others ask for theirs.
        var knowsRanges = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        int missing = Enumerable.Range(0, part.Chunks).Count(IsMissing);
        Task[] workers = [.. Enumerable.Range(0, Math.Min(options.Connections, missing)).Select(i => WorkAsync(isFirst: i == 0))];
        try
        {
            await Task.WhenAll(workers).ConfigureAwait(false);
        }
        catch when (workers.Select(w => w.Exception?.InnerException).FirstOrDefault(e => e is HubException or NoRangesException) is { } reason)
        {
            throw reason is HubException ? new HubException(reason.Message, reason) : new NoRangesException();
        }

        bool IsMissing(int chunk) => part.Missing(chunk) is var (start, end) && start < end;

        async Task WorkAsync(bool isFirst)
        {
            try
            {
                if (!isFirst) await knowsRanges.Task.WaitAsync(stop.Token).ConfigureAwait(false);
                for (int chunk; (chunk = Interlocked.Increment(ref next)) < part.Chunks;)
                    if (IsMissing(chunk)) await BringChunkAsync(file, part, chunk, () => knowsRanges.TrySetResult(), knowsRanges.Task, stop.Token).ConfigureAwait(false);
                knowsRanges.TrySetResult();
            }
            catch
            {
                await stop.CancelAsync().ConfigureAwait(false);
                throw;
            }
        }
    }

    private Task BringChunkAsync(HubFile file, PartialFile part, int chunk, Action isRanged, Task knowsRanges, CancellationToken cancellation) =>
        PersistAsync(file, () => part.Missing(chunk).Start, () => part.Missing(chunk) is var (start, end) && start >= end, async () =>
        {
            (long start, long end) = part.Missing(chunk);
            using HubResponse response = await http.GetAsync(endpoint.File(name, revision, file.Path), (start, end - 1), cancellation).ConfigureAwait(false);
            if (response.Status == HttpStatusCode.OK)
            {
                if (knowsRanges.IsCompleted) throw new HttpRequestException("a whole file in place of a range");
                throw new NoRangesException();
            }
            if (response.Status != HttpStatusCode.PartialContent) throw Refusal(response, file);
            if (response.Message.Content.Headers.ContentRange is not { Unit: "bytes", From: { } from } range || from != start) throw new HttpRequestException("another range than was asked for");
            CheckSame(response, file, range.Length);
            isRanged();
            await CopyAsync(response, file, part, chunk, end, cancellation).ConfigureAwait(false);
        }, cancellation);

    /// <summary>One request for all of the file; after a cut it begins anew.</summary>
    private async Task BringWholeAsync(HubFile file, PartialFile part, CancellationToken cancellation)
    {
        // Chunks are filled one after another by the same answer.
        await PersistAsync(file, () => 0, () => part.Done == part.Size, async () =>
        {
            meter.Had(file.Path, -part.Forget());
            using HubResponse response = await http.GetAsync(endpoint.File(name, revision, file.Path), null, cancellation).ConfigureAwait(false);
            if (response.Status != HttpStatusCode.OK) throw Refusal(response, file);
            CheckSame(response, file, response.Message.Content.Headers.ContentLength);
            using Stream body = await response.Message.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
            for (int chunk = 0; chunk < part.Chunks; chunk++) await CopyAsync(body, file, part, chunk, part.Missing(chunk).End, cancellation).ConfigureAwait(false);
            if (await body.ReadAsync(new byte[1], cancellation).ConfigureAwait(false) != 0) throw new HubException($"{name}: {file.Path} should have {file.Size} bytes, {endpoint} sends more");
        }, cancellation).ConfigureAwait(false);
    }

    /// <summary>Attempts until it is done; gives up after several in a row that brought nothing.</summary>
    private async Task PersistAsync(HubFile file, Func<long> position, Func<bool> isDone, Func<Task> attempt, CancellationToken cancellation)
    {
        for (int failures = 0; !isDone();)
        {
            long before = position();
            TimeSpan? asked = null;
            await connections.WaitAsync(cancellation).ConfigureAwait(false);
            try
            {
                await attempt().ConfigureAwait(false);
                if (isDone()) return;
                throw new HttpIOException(HttpRequestError.ResponseEnded);
            }
            catch (Exception e) when (HubHttp.IsTransient(e))
            {
                // A server that cuts after a few bytes each time would otherwise keep us for ever.
                failures = position() - before >= options.StallBytes ? 1 : failures + 1;
                if (failures >= options.Attempts) throw GaveUp(file, e);
                asked = e.Data["RetryAfter"] as TimeSpan?;
            }
            finally
            {
                connections.Release();
            }
            await http.PauseAsync(failures, asked, cancellation).ConfigureAwait(false);
        }
    }

    private async Task CopyAsync(HubResponse response, HubFile file, PartialFile part, int chunk, long end, CancellationToken cancellation)
    {
        using Stream body = await response.Message.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
        await CopyAsync(body, file, part, chunk, end, cancellation).ConfigureAwait(false);
    }

    private async Task CopyAsync(Stream body, HubFile file, PartialFile part, int chunk, long end, CancellationToken cancellation)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(256 << 10);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(options.Timeout);
        try
        {
            long sinceLimit = 0;
            for (long at; (at = part.Missing(chunk).Start) < end;)
            {
                int n = await body.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, end - at)), limit.Token).ConfigureAwait(false);
                if (n == 0) throw new HttpIOException(HttpRequestError.ResponseEnded);
                Write(part, chunk, buffer.AsSpan(0, n));
                meter.Received(file.Path, n);
                if ((sinceLimit += n) < options.StallBytes) continue;
                sinceLimit = 0;
                limit.CancelAfter(options.Timeout);
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new TimeoutException($"less than {options.StallBytes >> 10} KiB within {options.Timeout.TotalSeconds:0.#} s");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Errors of the disk must not look like those of the network.</summary>
    private void Write(PartialFile part, int chunk, ReadOnlySpan<byte> bytes)
    {
        try
        {
            part.Write(chunk, bytes);
        }
        catch (IOException e)
        {
            throw new HubException(DiskSpace.IsFull(e) ? $"{name}: the disk is full; what is there is kept, and another pull goes on from it" : $"{name}: {e.Message}", e);
        }
    }

    /// <exception cref="HubException">The answer is of another content than the listing.</exception>
    private void CheckSame(HubResponse response, HubFile file, long? length)
    {
        if (response.Message.Content.Headers.ContentEncoding.Count > 0 && !response.Message.Content.Headers.ContentEncoding.Contains("identity"))
            throw new HubException($"{name}: {file.Path} comes in an encoding that was not asked for");
        if (length is { } found && found != file.Size) throw new HubException($"{name}: {file.Path} should have {file.Size} bytes, {endpoint} has {found}");
        bool isOther = file.Sha256 is { } sha ? HubFile.AsSha256(response.LinkedETag) is { } linked && linked != sha : file.ETag is { } tag && response.Identity is { } identity && identity != tag;
        if (isOther) throw new HubException($"{name}: {file.Path} changed on {endpoint} during the pull; pull again");
    }

    private Exception Refusal(HubResponse response, HubFile file)
    {
        if (HubProblem.Of(response, endpoint, name, file.Path) is { } problem) return new HubException(problem.Message);
        var transient = new HttpRequestException(null, null, response.Status);
        transient.Data["RetryAfter"] = response.Message.Headers.RetryAfter?.Delta;
        return transient;
    }

    private HubException GaveUp(HubFile file, Exception last) =>
        new($"{name}: {file.Path} did not come: {HubHttp.Reason(last)}; what is there is kept, and another pull goes on from it", last);
}
