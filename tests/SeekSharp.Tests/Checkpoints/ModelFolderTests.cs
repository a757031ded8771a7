using SeekSharp.Checkpoints;
using SeekSharp.Tokenization;
using Xunit;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>What <see cref="ModelFolder.Open"/> takes, and where it finds the parts that are not weights.</summary>
public sealed class ModelFolderTests
{
    private const string Template = "{{ messages[0].content }}";

    [Fact]
    public void Gguf_has_a_tokenizer()
    {
        using ModelFolder folder = ModelFolder.Open(Repository.Shared("models/SmolLM2-135M-Instruct.Q4_1.gguf"));
        Tokenizer tokenizer = folder.Tokenizer!;
        Assert.Same(tokenizer, folder.Tokenizer);
        Assert.Equal(49152, tokenizer.VocabularySize);
        Assert.Equal("Hello, world!", tokenizer.Decode(tokenizer.Encode("Hello, world!")));
        Assert.Equal([2, 0], folder.Generation.EosTokenIds); // <|im_end|> by its key, <|endoftext|> by its text
    }

    [Theory, InlineData("deepseek_v3", 1), InlineData("qwen2_5", 151645), InlineData("llama3_1", 128009)]
    public void Folder_with_only_tokenizer_files(string name, int end)
    {
        using ModelFolder folder = ModelFolder.Open(Repository.Shared($"goldens/tokenizers/{name}"));
        Assert.Null(folder.Config);
        Assert.Null(folder.Checkpoint);
        Assert.NotNull(folder.Tokenizer);
        Assert.NotNull(folder.EosToken);
        Assert.Equal([end], folder.Generation.EosTokenIds);
        Assert.Contains("no weights", Assert.Throws<CheckpointException>(folder.LoadWeights).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Special_tokens_may_be_text_or_objects()
    {
        using ModelFolder deepseek = ModelFolder.Open(Repository.Shared("goldens/tokenizers/deepseek_v3"));
        Assert.Equal("<｜begin▁of▁sentence｜>", deepseek.BosToken); // an AddedToken
        Assert.Equal("<｜end▁of▁sentence｜>", deepseek.EosToken);
        using ModelFolder qwen = ModelFolder.Open(Repository.Shared("goldens/tokenizers/qwen2_5"));
        Assert.Null(qwen.BosToken);
        Assert.Equal("<|im_end|>", qwen.EosToken);
    }

    [Fact]
    public void Tokenizer_file_alone()
    {
        using ModelFolder folder = ModelFolder.Open(Repository.Shared("goldens/tokenizers/synthetic/pre_none.json"));
        Assert.NotNull(folder.Tokenizer);
        Assert.Null(folder.Config);
        using ModelFolder packed = ModelFolder.Open(Repository.Shared("goldens/tokenizers/qwen2_5/tokenizer.json.gz"));
        Assert.Equal("<|im_end|>", packed.EosToken); // from the tokenizer_config.json beside it
    }

    [Fact]
    public void Folder_with_one_gguf()
    {
        using var temporary = new TemporaryFolder();
        File.Copy(Repository.Shared("goldens/gguf/llama.gguf"), temporary["some.gguf"]);
        using (ModelFolder folder = ModelFolder.Open(temporary.Path)) Assert.Equal("llama", folder.Config!.ModelType);
        File.Copy(Repository.Shared("goldens/gguf/qwen2.gguf"), temporary["other.gguf"]);
        Assert.Contains("several .gguf files", Assert.Throws<CheckpointException>(() => ModelFolder.Open(temporary.Path)).Message, StringComparison.Ordinal);
        ModelFolder.Open(temporary["other.gguf"]).Dispose();
    }

    [Fact]
    public void Folder_with_one_split_gguf()
    {
        using var temporary = new TemporaryFolder();
        foreach (string part in (string[])["1", "2"])
            File.Copy(Repository.Shared($"goldens/gguf/llama_split-0000{part}-of-00002.gguf"), temporary[$"llama_split-0000{part}-of-00002.gguf"]);
        using ModelFolder folder = ModelFolder.Open(temporary.Path);
        Assert.Equal(2, folder.LoadWeights().Layers.Length);
        Assert.Equal(2, folder.Checkpoint!.Images.Count);
    }

    [Fact]
    public void Template_file_wins_over_the_tokenizers_config()
    {
        using var temporary = new TemporaryFolder();
        File.WriteAllText(temporary["tokenizer.json"], "{}");
        File.WriteAllText(temporary["tokenizer_config.json"], """{"chat_template": "old"}""");
        using (ModelFolder folder = ModelFolder.Open(temporary.Path)) Assert.Equal("old", folder.ChatTemplateSource);
        File.WriteAllText(temporary["chat_template.jinja"], Template);
        using (ModelFolder folder = ModelFolder.Open(temporary.Path)) Assert.Equal(Template, folder.ChatTemplateSource);
    }

    [Fact]
    public void Named_templates()
    {
        using var temporary = new TemporaryFolder();
        File.WriteAllText(temporary["tokenizer.json"], "{}");
        File.WriteAllText(temporary["tokenizer_config.json"], """{"chat_template": [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]}""");
        using ModelFolder folder = ModelFolder.Open(temporary.Path);
        Assert.Equal("D", folder.ChatTemplateSource);
        Assert.Equal("T", folder.ToolTemplateSource);
    }

    [Fact]
    public void Generation_config_collects_every_end_and_the_sampling()
    {
        using var temporary = new TemporaryFolder();
        File.WriteAllText(temporary["tokenizer.json"], "{}");
        File.WriteAllText(temporary["generation_config.json"], """{"eos_token_id": [7, 9], "do_sample": true, "temperature": 0.6, "top_p": 0.95, "top_k": 20, "repetition_penalty": 1.05, "min_p": null}""");
        File.WriteAllText(temporary["config.json"], File.ReadAllText(Path.Combine(Repository.Shared("goldens/models/qwen2"), "config.json")));
        File.WriteAllText(temporary["tokenizer_config.json"], """{"eos_token": {"content": "<end>"}, "added_tokens_decoder": {"11": {"content": "<end>"}}}""");
        using ModelFolder folder = ModelFolder.Open(temporary.Path);
        GenerationConfig g = folder.Generation;
        Assert.Equal([7, 9, 1, 11], g.EosTokenIds);
        Assert.Equal((true, 0.6f, 0.95f, 20, null, 1.05f), (g.DoSample, g.Temperature, g.TopP, g.TopK, g.MinP, g.RepetitionPenalty));
    }

    [Fact]
    public void Nothing_usable_is_said_in_one_line()
    {
        using var temporary = new TemporaryFolder();
        Assert.Contains("no model here", OneLine(temporary.Path), StringComparison.Ordinal);
        Assert.Contains("no such file or folder", OneLine(temporary["absent"]), StringComparison.Ordinal);
        File.WriteAllText(temporary["notes.txt"], "hello");
        Assert.Contains("expected a folder, a .gguf file or a tokenizer.json", OneLine(temporary["notes.txt"]), StringComparison.Ordinal);

        static string OneLine(string path)
        {
            string message = Assert.Throws<CheckpointException>(() => ModelFolder.Open(path)).Message;
            Assert.DoesNotContain('\n', message);
            return message;
        }
    }
}
