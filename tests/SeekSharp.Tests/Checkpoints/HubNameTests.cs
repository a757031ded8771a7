using SeekSharp.Checkpoints;
using Xunit;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>Names, which files they mean, and the folder of pulled models.</summary>
public sealed class HubNameTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("seeksharp-home").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [InlineData("unsloth/DeepSeek-R1-Distill-Qwen-1.5B-GGUF:Q4_K_M", "unsloth", "DeepSeek-R1-Distill-Qwen-1.5B-GGUF", "Q4_K_M", null)]
    [InlineData("a/b", "a", "b", null, null)]
    [InlineData("a/b@main", "a", "b", null, null)]
    [InlineData("a/b:Q8_0@refs/pr/2", "a", "b", "Q8_0", "refs/pr/2")]
    [InlineData("a/b@v1.0:Q8_0", "a", "b", "Q8_0", "v1.0")]
    [InlineData("hf.co/a/b:Q8_0", "a", "b", "Q8_0", null)]
    [InlineData("https://huggingface.co/a/b/", "a", "b", null, null)]
    public void Names_are_read(string text, string org, string repo, string? quant, string? revision) =>
        Assert.Equal(new ModelName(org, repo, quant, revision), ModelName.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("model")]
    [InlineData("a/b/c")]
    [InlineData("../b")]
    [InlineData("a/..")]
    [InlineData("/etc/passwd")]
    [InlineData("a/b:")]
    [InlineData("a/b@")]
    [InlineData("a/b@../x")]
    [InlineData("a/b@x//y")]
    [InlineData("a/b@/x")]
    [InlineData("a/b:x/y")]
    [InlineData("a\\b/c")]
    [InlineData("a/b c")]
    [InlineData("a/.b")]
    [InlineData("nul/b")]
    [InlineData("a/b?x=1")]
    [InlineData("a/%2e%2e")]
    public void What_is_no_name_is_refused(string text) => Assert.StartsWith(text + ": ", Assert.Throws<HubException>(() => ModelName.Parse(text)).Message);

    private static string Chosen(string name, params string[] paths) =>
        string.Join(' ', FileSelection.Select(ModelName.Parse(name), [.. paths.Select(p => new HubFile(p, 1, null))], []).Select(f => f.Path));

    private static readonly string[] Quants = ["m-Q2_K.gguf", "m-Q4_K_S.gguf", "m-Q4_K_M.gguf", "m-IQ4_XS.gguf", "m-Q4_0.gguf", "m-Q4_0_4_4.gguf", "m-UD-Q4_K_XL.gguf", "m-f16.gguf", "mmproj-m-f16.gguf", "m.imatrix-Q8_0.gguf"];

    [Theory]
    [InlineData("a/b", "m-Q4_K_M.gguf")]
    [InlineData("a/b:Q4_K_S", "m-Q4_K_S.gguf")]
    [InlineData("a/b:q4_0", "m-Q4_0.gguf")]
    [InlineData("a/b:IQ4_XS", "m-IQ4_XS.gguf")]
    [InlineData("a/b:Q4_K_XL", "m-UD-Q4_K_XL.gguf")]
    [InlineData("a/b:UD-Q4_K_XL", "m-UD-Q4_K_XL.gguf")]
    [InlineData("a/b:F16", "m-f16.gguf")]
    public void A_quantization_is_a_word_in_the_name(string name, string want) => Assert.Equal(want, Chosen(name, Quants));

    [Theory]
    [InlineData("a/b:Q4_K")]
    [InlineData("a/b:Q4_XS")]
    [InlineData("a/b:Q8_0")]
    public void A_quantization_that_is_not_there_is_refused_with_those_that_are(string name) =>
        Assert.EndsWith("there are IQ4_XS, Q2_K, Q4_0, Q4_0_4_4, Q4_K_M, Q4_K_S, UD-Q4_K_XL, f16", Assert.Throws<HubException>(() => Chosen(name, Quants)).Message);

    [Fact]
    public void Split_files_come_as_a_whole_from_folders_too()
    {
        string[] parts = ["Q4_K_M/m-Q4_K_M-00001-of-00003.gguf", "Q4_K_M/m-Q4_K_M-00002-of-00003.gguf", "Q4_K_M/m-Q4_K_M-00003-of-00003.gguf"];
        string[] all = [.. parts, "Q8_0/m-00001-of-00002.gguf", "Q8_0/m-00002-of-00002.gguf", "BF16/m-BF16-00001-of-00002.gguf"];
        Assert.Equal(string.Join(' ', parts), Chosen("a/b", all));
        Assert.Equal("Q8_0/m-00001-of-00002.gguf Q8_0/m-00002-of-00002.gguf", Chosen("a/b:q8_0", all));
        Assert.Contains("should have 2 parts, found 1", Assert.Throws<HubException>(() => Chosen("a/b:BF16", all)).Message);
    }

    [Fact]
    public void Of_two_that_hold_the_word_the_exact_one_is_meant()
    {
        Assert.Equal("m-Q4_K_M.gguf", Chosen("a/b:Q4_K_M", "m-UD-Q4_K_M.gguf", "m-Q4_K_M.gguf"));
        Assert.Contains("more than one file", Assert.Throws<HubException>(() => Chosen("a/b:Q4_K_M", "m-Q4_K_M.gguf", "n-Q4_K_M.gguf")).Message);
        Assert.Equal("only.gguf", Chosen("a/b", "only.gguf", "README.md"));
        Assert.Equal("a/b: which quantization? a/b:QUANT with one of Q2_K, Q8_0", Assert.Throws<HubException>(() => Chosen("a/b", "m-Q2_K.gguf", "m-Q8_0.gguf")).Message);
    }

    [Theory]
    [InlineData("model.safetensors config.json", "config.json model.safetensors model.fp16.safetensors pytorch_model.bin x.gguf")]
    [InlineData("consolidated.safetensors", "consolidated.safetensors")]
    [InlineData("a.safetensors", "a.safetensors consolidated.safetensors")]
    [InlineData("tokenizer.json config.json", "config.json tokenizer.json pytorch_model.bin")]
    public void Weights_come_once(string want, string paths) =>
        Assert.Equal(want.Split(' ').Order(), Chosen("a/b", paths.Split(' ')).Split(' ').Order());

    [Theory]
    [InlineData("*.json", "a/b.json", true)]
    [InlineData("*", "", true)]
    [InlineData("a*c?e", "abbbcde", true)]
    [InlineData("a*c?e", "abbbcd", false)]
    [InlineData("sub/", "sub/x", true)]
    [InlineData("x.json", "ax.json", false)]
    [InlineData("*a*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false)]
    public void Patterns_match(string pattern, string path, bool matches) => Assert.Equal(matches, Glob.Matches(pattern, path));

    private void Put(string path, int size = 10)
    {
        string full = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllBytes(full, new byte[size]);
    }

    [Fact]
    public void Models_are_listed_found_and_removed()
    {
        Put("a/b/m-Q4_K_M.gguf", 100);
        Put("a/b/m-Q8_0.gguf", 200);
        Put("a/c/config.json");
        Put("a/c/model.safetensors", 1000);
        Put("d/e@v1/x-00001-of-00002.gguf");
        List<PulledModel> models = ModelHome.List(_root);
        Assert.Equal(["a/b:Q4_K_M 100 True", "a/b:Q8_0 200 True", "a/c 1010 True", "d/e:x@v1 10 False"], models.Select(m => $"{m.Name} {m.Bytes} {m.IsComplete}"));
        foreach (PulledModel model in models.Where(m => m.IsComplete)) Assert.Equal(model.Path, ModelHome.Resolve(model.Name, _root));
        Assert.Null(ModelHome.Resolve("d/e@v1", _root));
        Assert.Equal(Path.Combine(_root, "a/b/m-Q4_K_M.gguf"), ModelHome.Resolve("a/b", _root));

        Assert.Equal(200, ModelHome.Remove(ModelName.Parse("a/b:Q8_0"), _root));
        Assert.Equal(["a/b:Q4_K_M", "a/c", "d/e:x@v1"], ModelHome.List(_root).Select(m => m.Name));
        Assert.Equal(100, ModelHome.Remove(ModelName.Parse("a/b:q4_k_m"), _root));
        Assert.False(Directory.Exists(Path.Combine(_root, "a/b")));
        Assert.Equal(1010, ModelHome.Remove(ModelName.Parse("a/c"), _root));
        Assert.False(Directory.Exists(Path.Combine(_root, "a")));
        Assert.Contains("no such model", Assert.Throws<HubException>(() => ModelHome.Remove(ModelName.Parse("a/c"), _root)).Message);
        Assert.Empty(ModelHome.List(Path.Combine(_root, "nowhere")));
    }

    [Fact]
    public void Several_quantizations_must_be_told_apart()
    {
        Put("a/b/m-Q2_K.gguf");
        Put("a/b/m-Q8_0.gguf");
        Assert.Contains("Q2_K, Q8_0", Assert.Throws<HubException>(() => ModelHome.Resolve("a/b", _root)).Message);
    }

    [Fact]
    public void Links_are_not_followed_when_removing()
    {
        Put("outside/precious.gguf");
        Directory.CreateDirectory(Path.Combine(_root, "home", "a"));
        string home = Path.Combine(_root, "home"), outside = Path.Combine(_root, "outside");
        Directory.CreateSymbolicLink(Path.Combine(home, "a", "b"), outside);
        Directory.CreateSymbolicLink(Path.Combine(home, "x"), _root);
        Assert.Contains("is a link", Assert.Throws<HubException>(() => ModelHome.Remove(ModelName.Parse("a/b"), home)).Message);
        Assert.Contains("is a link", Assert.Throws<HubException>(() => ModelHome.Remove(ModelName.Parse("x/outside"), home)).Message);
        Directory.CreateDirectory(Path.Combine(home, "a", "c"));
        Directory.CreateSymbolicLink(Path.Combine(home, "a", "c", "sub"), outside);
        ModelHome.Remove(ModelName.Parse("a/c"), home);
        Assert.True(File.Exists(Path.Combine(outside, "precious.gguf")));
    }

    [Fact]
    public void A_model_that_is_being_pulled_is_not_removed()
    {
        Put("a/b/m-Q2_K.gguf");
        using ModelLock held = ModelLock.TryTake(Path.Combine(_root, "a", "b"))!;
        Assert.Contains("is being pulled", Assert.Throws<HubException>(() => ModelHome.Remove(ModelName.Parse("a/b"), _root)).Message);
    }

    [Fact]
    public void A_broken_manifest_is_no_manifest()
    {
        Put("a/b/m-Q2_K.gguf");
        Directory.CreateDirectory(Path.Combine(_root, "a/b/.seeksharp"));
        foreach (string text in (string[])["", "{", "[]", "{\"repository\":1}", "{\"repository\":\"\",\"revision\":\"\",\"files\":[{\"path\":\"../x\",\"size\":1,\"done\":true}]}"])
        {
            File.WriteAllText(Path.Combine(_root, "a/b/.seeksharp/model.json"), text);
            Assert.Equal("a/b:Q2_K", Assert.Single(ModelHome.List(_root)).Name);
        }
    }

    [Fact]
    public void An_existing_path_wins()
    {
        Assert.Equal(_root, ModelHome.Resolve(_root, _root));
        Assert.Null(ModelHome.Resolve("no such thing", _root));
    }

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(999, "999 B")]
    [InlineData(1000, "1.00 kB")]
    [InlineData(1_117_320_736, "1.12 GB")]
    [InlineData(404_430_186_592, "404 GB")]
    public void Sizes_are_shown(long bytes, string text) => Assert.Equal(text, ByteCount.Text(bytes));
}
