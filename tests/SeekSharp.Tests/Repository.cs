using Xunit;

namespace SeekSharp.Tests;

/// <summary>Where the checkout and the reference data beside it are.</summary>
internal static class Repository
{
    /// <summary>The checkout's folder: the first one upwards that holds <c>SeekSharp.slnx</c>.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The folder of reference data, <c>../shared</c> beside the checkout; it may be absent.</summary>
    public static string SharedFolder => Path.GetFullPath(Path.Combine(Root, "..", "shared"));

    /// <summary>True where CI runs: there nothing may be skipped.</summary>
    public static bool IsCi => Environment.GetEnvironmentVariable("CI") is "true" or "1";

    /// <summary>
    /// The path of a file or folder in <c>../shared</c>, e.g. <c>Shared("goldens/gguf/llama.gguf")</c>.
    /// Without it the calling test is skipped with that reason on a user's machine, and fails in CI.
    /// </summary>
    public static string Shared(string relative)
    {
        string path = Path.Combine(SharedFolder, relative.Replace('/', Path.DirectorySeparatorChar));
        if (!File.Exists(path) && !Directory.Exists(path))
        {
            if (IsCi) Assert.Fail($"reference data ../shared/{relative} is missing");
            Assert.Skip($"needs the reference data ../shared/{relative}");
        }
        return path;
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? d = new(AppContext.BaseDirectory); d is not null; d = d.Parent)
            if (File.Exists(Path.Combine(d.FullName, "SeekSharp.slnx"))) return d.FullName;
        throw new InvalidOperationException("SeekSharp.slnx not found above " + AppContext.BaseDirectory);
    }
}
