using System.Text.Json;

namespace SeekSharp.Checkpoints;

/// <summary>
/// What <c>adapter_config.json</c> of PEFT says of an adapter: LoRA (arXiv 2106.09685), with rank stabilization (arXiv 2312.03732) where it asks for it. A key that changes the
/// result and is not supported is refused by name.
/// </summary>
internal sealed record LoraConfig
{
    private const long LargestFile = 1 << 20;
    private const int LargestRank = 8192;

    public required double Alpha { get; init; }
    public required bool RankStabilized { get; init; }

    /// <summary>The factor of B·A·x: α / r, or α / √r.</summary>
    public float ScaleOf(long rank) => (float)(RankStabilized ? Alpha / Math.Sqrt(rank) : Alpha / rank);

    /// <exception cref="CheckpointException">The file is missing, broken, or asks for what is not supported.</exception>
    public static LoraConfig Read(string path)
    {
        var json = new ConfigObject(path, JsonFile.ReadObject(path, LargestFile));
        if (json.Text("peft_type") is var type && type != "LORA") throw new CheckpointException($"{path}: peft_type: expected \"LORA\", found {(type is null ? "none" : Checkpoint.Show(type))}");
        foreach (string flag in (string[])["use_dora", "fan_in_fan_out", "lora_bias", "use_qalora"])
            if (json.Flag(flag)) throw new CheckpointException($"{path}: {flag} is not supported");
        if (json.Text("bias") is not (null or "none")) throw new CheckpointException($"{path}: bias: expected \"none\": trained biases are not supported");
        foreach (string key in (string[])["modules_to_save", "alpha_pattern", "layer_replication", "trainable_token_indices", "target_parameters"])
            if (json.Get(key) is { } value && !IsEmpty(value)) throw new CheckpointException($"{path}: {key} is not supported");
        json.RequiredWhole("r", 1, LargestRank);
        return new LoraConfig { Alpha = json.RequiredNumber("lora_alpha", -1e6, 1e6), RankStabilized = json.Flag("use_rslora") };
    }

    private static bool IsEmpty(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        _ => false,
    };
}
