namespace SeekSharp.Checkpoints;

/// <summary>Only one pull or removal at a time works on a model's folder: an open file that no other may open. It ends with the process, however that ends.</summary>
internal sealed class ModelLock : IDisposable
{
    private const int EAgainLinux = 11, EAgainMac = 35, SharingViolation = unchecked((int)0x80070020), LockViolation = unchecked((int)0x80070021);

    private readonly FileStream _file;

    private ModelLock(FileStream file) => _file = file;

    /// <summary>Takes the lock, or null if another has it.</summary>
    public static ModelLock? TryTake(string folder)
    {
        string own = Path.Combine(folder, SafePath.OwnFolder);
        SafePath.RefuseLink(own);
        Directory.CreateDirectory(own);
        // Windows deletes a folder with an open file in it only where the file shares deletion; elsewhere only None takes a lock.
        FileShare share = OperatingSystem.IsWindows() ? FileShare.Delete : FileShare.None;
        try
        {
            return new ModelLock(new FileStream(Path.Combine(own, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, share));
        }
        catch (IOException e) when (e.HResult is EAgainLinux or EAgainMac or SharingViolation or LockViolation)
        {
            return null;
        }
    }

    /// <summary>Takes the lock as soon as it is free.</summary>
    public static async Task<ModelLock> TakeAsync(string folder, Action waits, CancellationToken cancellation)
    {
        for (bool isFirst = true; ; isFirst = false)
        {
            if (TryTake(folder) is { } taken) return taken;
            if (isFirst) waits();
            await Task.Delay(200, cancellation).ConfigureAwait(false);
        }
    }

    public void Dispose() => _file.Dispose();
}

/// <summary>Room on the disk.</summary>
internal static class DiskSpace
{
    /// <summary>Whether an error says that the disk is full.</summary>
    public static bool IsFull(IOException e) => e.HResult is 28 or unchecked((int)0x80070070) or unchecked((int)0x80070027);

    /// <summary>The bytes free where a folder lies; null if the system does not say.</summary>
    public static long? Free(string folder)
    {
        try
        {
            return new DriveInfo(Path.GetFullPath(folder)).AvailableFreeSpace;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }
}
