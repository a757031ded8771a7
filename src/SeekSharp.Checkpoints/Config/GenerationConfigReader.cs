using System.Text.Json;

namespace SeekSharp.Checkpoints;

/// <summary>
/// Collects how a model wants to be sampled, and every id that ends its answers: end of turn, end of message, end of
/// text. An id too many is harmless in practice, one too few lets a model talk to itself.
/// </summary>
internal static class GenerationConfigReader
{
    /// <summary>Largest <c>generation_config.json</c> that is read.</summary>
    private const long Largest = 4 << 20;

    // Tokens that end an answer whatever the metadata says, by their text (llama.cpp's llama-vocab.cpp does the same).
    private static readonly string[] EndTokens =
    [
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>",
        "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "<｜end▁of▁sentence｜>", "<|END_OF_TURN_TOKEN|>", "<end_of_utterance>", "<eos>",
    ];

    /// <summary>Of a Hugging Face folder; either file may be missing.</summary>
    /// <param name="file">Path of <c>generation_config.json</c>.</param>
    /// <param name="config">The model's config.</param>
    /// <param name="further">Ids from other files (the tokenizer's end of text).</param>
    /// <exception cref="CheckpointException">The file is broken or holds absurd values.</exception>
    public static GenerationConfig ReadFolder(string? file, ModelConfig? config, IEnumerable<int> further)
    {
        GenerationConfig read = file is null ? new GenerationConfig() : Read(file, JsonFile.ReadObject(file, Largest));
        return read with { EosTokenIds = [.. read.EosTokenIds.Concat(config?.EosTokenIds ?? []).Concat(further).Distinct()] };
    }

    /// <summary>A <c>generation_config.json</c> that lies in memory.</summary>
    public static GenerationConfig Read(FileImage image) => Read(image.Path, JsonFile.ReadObject(image, Largest));

    private static GenerationConfig Read(string place, JsonElement json)
    {
        var c = new ConfigObject(place, json);
        return new GenerationConfig
        {
            EosTokenIds = c.WholeList("eos_token_id", 0, int.MaxValue),
            DoSample = c.Get("do_sample") is null ? null : c.Flag("do_sample"),
            Temperature = (float?)c.Number("temperature", 0, 1000),
            TopP = (float?)c.Number("top_p", 0, 1),
            TopK = c.Whole("top_k", 0, int.MaxValue),
            MinP = (float?)c.Number("min_p", 0, 1),
            RepetitionPenalty = (float?)c.Number("repetition_penalty", 1e-3, 1000),
        };
    }

    /// <summary>Of GGUF metadata: the ids it names, the ids of the well-known end tokens in its vocabulary, and its sampling keys.</summary>
    public static GenerationConfig ReadGguf(GgufMetadata metadata)
    {
        var ids = new List<int>();
        foreach (string key in (string[])["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"])
            if (GgufConfig.TokenId(metadata, key) is int id) ids.Add(id);
        if (metadata.ArrayLength("tokenizer.ggml.tokens") is not null)
            ids.AddRange(metadata.IndexesOf("tokenizer.ggml.tokens", EndTokens));
        return new GenerationConfig
        {
            EosTokenIds = [.. ids.Distinct()],
            Temperature = Number(metadata, "general.sampling.temp", 0, 1000),
            TopP = Number(metadata, "general.sampling.top_p", 0, 1),
            TopK = (int?)Number(metadata, "general.sampling.top_k", 0, 1 << 24),
            MinP = Number(metadata, "general.sampling.min_p", 0, 1),
            RepetitionPenalty = Number(metadata, "general.sampling.penalty_repeat", 1e-3, 1000),
        };
    }

    private static float? Number(GgufMetadata metadata, string key, double least, double most)
    {
        double? n = metadata.GetNumber(key);
        if (n is null || (n >= least && n <= most)) return (float?)n;
        throw new CheckpointException(FormattableString.Invariant($"{metadata.File}: {key}: expected a number from {least} to {most}, found {n}"));
    }
}
