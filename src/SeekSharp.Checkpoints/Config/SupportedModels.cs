namespace SeekSharp.Checkpoints;

/// <summary>Which models run.</summary>
internal static class SupportedModels
{
    private static readonly string[] Runnable = ["deepseek_v2", "deepseek_v3", "qwen2", "qwen3", "qwen3_moe", "llama"];

    /// <summary>Model types that run, for messages.</summary>
    public static string Names { get; } = string.Join(", ", Runnable);

    /// <summary>GGUF architectures that run, for messages.</summary>
    public const string Architectures = "llama, qwen2, qwen3, qwen3moe, deepseek2";

    /// <summary>Refuses a model whose config is understood but which cannot be run.</summary>
    /// <exception cref="CheckpointException">It cannot be run; the message says what can.</exception>
    public static void RequireRunnable(ModelConfig config, string place)
    {
        if (!Runnable.Contains(config.ModelType, StringComparer.Ordinal))
            throw new CheckpointException($"{place}: model_type {config.ModelType} cannot be run ({Names} can)");
        if (config.QuantizationMethod is not (null or "fp8"))
            throw new CheckpointException($"{place}: quantization_config: quant_method {Checkpoint.Show(config.QuantizationMethod)} is not supported (fp8 is)");
        if (config.WeightBlockSize is { } block && !block.SequenceEqual([128, 128]))
            throw new CheckpointException($"{place}: quantization_config: weight_block_size is [{string.Join(", ", block.Take(4))}], expected [128, 128]");
    }
}
