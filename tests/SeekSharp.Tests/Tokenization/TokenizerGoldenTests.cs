using System.Diagnostics;
using System.Text.Json;
using SeekSharp.Tokenization;
using Xunit;

namespace SeekSharp.Tests.Tokenization;

/// <summary>Everything in <c>../shared/goldens/tokenizers</c>, made by Hugging Face's library.</summary>
public class TokenizerGoldenTests
{
    private const string Folder = "goldens/tokenizers/";

    [Fact]
    public void SyntheticTokenizersDoWhatTheLibraryDoes()
    {
        TokenizerGolden golden = new();
        foreach (string cases in Directory.GetFiles(Repository.Shared(Folder + "synthetic"), "*.cases.jsonl").Order())
        {
            string name = Path.GetFileName(cases).Replace(".cases.jsonl", "", StringComparison.Ordinal);
            Tokenizer tokenizer;
            try
            {
                tokenizer = Tokenizer.FromFile(Path.Combine(Path.GetDirectoryName(cases)!, name + ".json"));
            }
            catch (TokenizerException e)
            {
                golden.Fail(name, e.Message);
                continue;
            }
            foreach (JsonElement line in TokenizerGolden.Lines(cases)) golden.Case(name, tokenizer, line);
        }
        golden.AssertAllSame(atLeast: 40_000);
    }

    /// <summary>A few of them lie in the repository, so that a clone alone shows the main claims.</summary>
    [Fact]
    public void TheCopiedTokenizersDoWhatTheLibraryDoes()
    {
        TokenizerGolden golden = new();
        string folder = Path.Combine(Repository.Root, "tests", "SeekSharp.Tests", "Tokenization", "TokenizerFiles");
        foreach (string cases in Directory.GetFiles(folder, "*.cases.jsonl").Order())
        {
            Tokenizer tokenizer = Tokenizer.FromFile(cases.Replace(".cases.jsonl", ".json", StringComparison.Ordinal));
            foreach (JsonElement line in TokenizerGolden.Lines(cases)) golden.Case(Path.GetFileName(cases), tokenizer, line);
        }
        golden.AssertAllSame(atLeast: 4000);
    }

    [Theory]
    [InlineData("deepseek_v3")]
    [InlineData("qwen2_5")]
    [InlineData("llama3_1")]
    public void PublishedTokenizersGiveTheSameIds(string name)
    {
        Tokenizer tokenizer = Tokenizer.FromFile(Repository.Shared($"{Folder}{name}/tokenizer.json.gz"));
        TokenizerGolden golden = new();
        foreach (JsonElement line in TokenizerGolden.Lines(Repository.Shared($"{Folder}{name}/cases.jsonl.gz")))
            if (line.GetProperty("kind").GetString() != "new_unicode") golden.Case(line.GetProperty("kind").GetString()!, tokenizer, line);
        foreach (JsonElement line in TokenizerGolden.Lines(Repository.Shared($"{Folder}{name}/streaming.jsonl")))
        {
            TokenStream stream = tokenizer.CreateStream();
            string pieces = string.Join('|', TokenizerGolden.Ids(line, "ids").Select(stream.Push));
            golden.Same("streaming", "pieces", string.Join('|', line.GetProperty("pieces").EnumerateArray().Select(p => p.GetString())), pieces);
            golden.Same("streaming", "tail", line.GetProperty("tail").GetString(), stream.Flush());
        }
        golden.AssertAllSame(atLeast: 8000);
    }

    [Fact]
    public void AStreamOfSentencePieceTokensReleasesFinishedCharacters()
    {
        Tokenizer tokenizer = Tokenizer.FromFile(Repository.Shared(Folder + "synthetic/llama2.json"));
        TokenizerGolden golden = new();
        foreach (JsonElement line in TokenizerGolden.Lines(Repository.Shared(Folder + "synthetic/llama2.streaming.jsonl")))
        {
            TokenStream stream = tokenizer.CreateStream(skipSpecialTokens: true);
            string pieces = string.Join('|', TokenizerGolden.Ids(line, "ids").Select(stream.Push));
            golden.Same(line.GetProperty("text").GetString()!, "pieces", string.Join('|', line.GetProperty("pieces").EnumerateArray().Select(p => p.GetString())), pieces);
            golden.Same(line.GetProperty("text").GetString()!, "tail", "", stream.Flush());
        }
        golden.AssertAllSame(atLeast: 80);
    }

    [Fact]
    public void MalformedFilesAreRefusedOrReadAsTheLibraryReadsThem()
    {
        string folder = Repository.Shared(Folder + "malformed");
        TokenizerGolden golden = new();
        using JsonDocument index = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "index.json")));
        foreach (JsonElement row in index.RootElement.EnumerateArray())
        {
            string file = row.GetProperty("file").GetString()!;
            string expect = row.GetProperty("expect").GetString()!;
            int[]? ids = null;
            string? decoded = null;
            string? error = null;
            Stopwatch watch = Stopwatch.StartNew();
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                Tokenizer tokenizer = Tokenizer.FromFile(Path.Combine(folder, file));
                ids = tokenizer.Encode(row.GetProperty("text").GetString()!);
                decoded = tokenizer.Decode(ids);
            }
            catch (TokenizerException e)
            {
                error = e.Message;
                if (e.Message.Contains('\n', StringComparison.Ordinal)) golden.Fail(file, "the message has several lines");
            }
            long bytes = GC.GetAllocatedBytesForCurrentThread() - before;
            if (bytes > 64 << 20) golden.Fail(file, $"allocates {bytes} bytes");
            if (watch.ElapsedMilliseconds > 10_000) // a tenth of a second where the machine is quiet
                golden.Fail(file, $"takes {watch.ElapsedMilliseconds} ms");

            JsonElement hf = row.GetProperty("hf");
            int[]? wanted = hf.TryGetProperty("ids", out _) ? TokenizerGolden.Ids(hf, "ids") : null;
            switch (expect)
            {
                case "error":
                    golden.Same(file, "is refused", "True", (error is not null).ToString());
                    break;
                case "load":
                    if (error is not null) golden.Fail(file, error);
                    else golden.Same(file, "ids", wanted!, ids!);
                    if (decoded is not null) golden.Same(file, "decoded", hf.GetProperty("decoded").GetString(), decoded);
                    break;
                default: // bounded, any
                    if (error is null && wanted is not null && expect == "bounded") golden.Same(file, "ids", wanted, ids!);
                    else golden.Same(file, "answers", "True", (error is not null || ids is not null).ToString());
                    break;
            }
        }
        golden.AssertAllSame(atLeast: 64);
    }
}
