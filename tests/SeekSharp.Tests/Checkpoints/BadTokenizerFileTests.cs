using System.IO.Compression;
using SeekSharp.Checkpoints;
using SeekSharp.Tokenization;
using Xunit;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>Packed tokenizer files that lie about their size, or are bombs.</summary>
public sealed class BadTokenizerFileTests
{
    private static byte[] Packed(byte[] text)
    {
        using var stream = new MemoryStream();
        using (var zip = new GZipStream(stream, CompressionLevel.SmallestSize)) zip.Write(text);
        return stream.ToArray();
    }

    private static string Refused(byte[] file)
    {
        using var temporary = new TemporaryFolder();
        File.WriteAllBytes(temporary["tokenizer.json.gz"], file);
        using ModelFolder folder = ModelFolder.Open(temporary.Path);
        long before = GC.GetAllocatedBytesForCurrentThread();
        string message = Assert.Throws<TokenizerException>(() => folder.Tokenizer).Message;
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, file.Length + (64L << 20));
        Assert.Contains("tokenizer.json.gz", message, StringComparison.Ordinal);
        return message;
    }

    [Fact]
    public void A_length_that_lies()
    {
        byte[] file = Packed(File.ReadAllBytes(Repository.Shared("goldens/tokenizers/synthetic/pre_none.json")));
        BitConverter.TryWriteBytes(file.AsSpan(file.Length - 4), 400_000_000);
        Assert.Contains("broken gzip", Refused(file), StringComparison.Ordinal);
    }

    [Fact]
    public void A_bomb() => Assert.Contains("more than 33554432 bytes of text", Refused(Packed(new byte[200 << 20])), StringComparison.Ordinal);

    [Fact]
    public void A_file_cut_off()
    {
        byte[] file = Packed(File.ReadAllBytes(Repository.Shared("goldens/tokenizers/synthetic/pre_none.json")));
        for (int length = 2; length < file.Length; length += 97) Assert.Contains("broken gzip", Refused(file[..length]), StringComparison.Ordinal);
    }
}
