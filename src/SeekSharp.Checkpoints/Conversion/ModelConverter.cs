using SeekSharp.Kernels;
using SeekSharp.Tokenization;

namespace SeekSharp.Checkpoints;

/// <summary>
/// Writes a model as one GGUF file in another number format:
/// 1. plan: every tensor's name, shape and where its values come from, and the metadata;
/// 2. formats: each tensor's, by the kind of file (<see cref="QuantizationMix"/>);
/// 3. write: tensor by tensor, slab by slab, in constant memory.
/// </summary>
internal static class ModelConverter
{
    /// <summary>What was written.</summary>
    /// <param name="Bytes">Size of the file.</param>
    /// <param name="Formats">Number of tensors in each format.</param>
    /// <param name="Notes">What the user should know, a line each.</param>
    public sealed record Result(long Bytes, IReadOnlyDictionary<NumberFormat, int> Formats, IReadOnlyList<string> Notes);

    /// <summary>Converts a Hugging Face folder, or quantizes it or a GGUF model.</summary>
    /// <param name="source">Folder or file.</param>
    /// <param name="target">The GGUF file to write; it appears when it is whole.</param>
    /// <param name="type">The kind of file.</param>
    /// <param name="threads">0 for all cores.</param>
    /// <param name="progress">Share of the values written, 0 to 1.</param>
    /// <param name="cancellation">Ends the work; nothing is left behind.</param>
    /// <exception cref="CheckpointException">The source cannot be read, GGUF cannot express it, or the target cannot be written.</exception>
    public static Result Run(string source, string target, FileType type, int threads = 0, IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        using ModelFolder folder = ModelFolder.Open(source);
        List<string> notes = [];
        (GgufMetadataBuilder metadata, List<PlannedTensor> tensors, QuantizationMix.GgufShape shape) = Plan(folder, source, type, notes); // 1
        tensors = QuantizationMix.Apply(type, shape, tensors); // 2
        metadata.Set("general.file_type", type.Id);
        if (NumberFormats.IsInteger(type.Format)) metadata.Set("general.quantization_version", 2u);
        Write(target, metadata, tensors, threads, progress, cancellation); // 3
        return new Result(new FileInfo(target).Length, tensors.CountBy(t => t.Format).ToDictionary(), notes);
    }

    private static (GgufMetadataBuilder, List<PlannedTensor>, QuantizationMix.GgufShape) Plan(ModelFolder folder, string source, FileType type, List<string> notes)
    {
        try
        {
            return folder.Checkpoint is GgufCheckpoint gguf ? PlanGguf(gguf, type, notes) : PlanFolder(folder, source, notes);
        }
        catch (TokenizerException e)
        {
            throw new CheckpointException(e.Message, e);
        }
    }

    private static (GgufMetadataBuilder, List<PlannedTensor>, QuantizationMix.GgufShape) PlanFolder(ModelFolder folder, string source, List<string> notes)
    {
        ModelFiles files = ModelFiles.Find(source);
        if (files.Config is null || folder.Config is not ModelConfig config) throw new CheckpointException($"{source}: no model to convert (expected config.json with .safetensors)");
        ModelWeights weights = folder.LoadWeights();
        string architecture = GgufModelMetadata.Architecture(config);
        GgufMetadataBuilder metadata = new();
        metadata.Set("general.architecture", architecture);
        metadata.Set("general.type", "model");
        metadata.Set("general.name", Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(source))));
        GenerationConfig g = folder.Generation;
        if (g.DoSample != false)
        {
            if (g.Temperature is float temperature) metadata.Set("general.sampling.temp", temperature);
            if (g.TopP is float topP) metadata.Set("general.sampling.top_p", topP);
            if (g.TopK is int topK) metadata.Set("general.sampling.top_k", topK);
            if (g.MinP is float minP) metadata.Set("general.sampling.min_p", minP);
            if (g.RepetitionPenalty is float penalty) metadata.Set("general.sampling.penalty_repeat", penalty);
        }
        GgufModelMetadata.Add(metadata, config, new ConfigObject(files.Config, JsonFile.ReadObject(files.Config, 4 << 20)));
        GgufVocabularyBuilder.Add(metadata, files, folder, config, notes);
        if (weights.MultiTokenPrediction.Length > 0)
            notes.Add($"the multi-token-prediction module{(weights.MultiTokenPrediction.Length > 1 ? "s are" : " is")} left out, as llama.cpp's converter leaves it out");
        if (config.IsLatentAttention && config.QLoraRank is null && config.NumHiddenLayers is not (26 or 27))
            notes.Add($"llama.cpp takes models without q_lora_rank for \"Lite\" only if they have 26 or 27 layers, not {config.NumHiddenLayers}: it will not load this file");
        if (config.TopkMethod == TopkMethod.GroupLimitedGreedy && config.NGroup > 1)
            notes.Add("llama.cpp scores V2's expert groups by V3's rule: its logits differ from those of Transformers and of this program");
        return (metadata, GgufTensorPlan.Create(weights, config), new(architecture, config.NumHiddenLayers, config.NRoutedExperts, config.NumAttentionHeads,
            config.IsLatentAttention ? 1 : config.NumKeyValueHeads));
    }

    private static (GgufMetadataBuilder, List<PlannedTensor>, QuantizationMix.GgufShape) PlanGguf(GgufCheckpoint source, FileType type, List<string> notes)
    {
        GgufMetadataBuilder metadata = GgufMetadataBuilder.CopyOf(source.Metadata);
        foreach (string key in (string[])["split.no", "split.count", "split.tensors.count"]) metadata.Remove(key);
        string architecture = source.Metadata.GetString("general.architecture") ?? "";
        List<PlannedTensor> tensors = [.. source.Tensors.Values.Select(Planned)];
        if (NumberFormats.IsInteger(type.Format) && tensors.Any(t => QuantizationMix.MayQuantize(t) && NumberFormats.IsInteger(t.Format) && t.Format != type.Format))
            notes.Add("the source is quantized already: quantizing from F16 or F32 loses less");
        return (metadata, tensors, new(architecture, Size("block_count"), Size("expert_count"), Size("attention.head_count"), Size("attention.head_count_kv")));

        int Size(string key) => source.Metadata.Values.TryGetValue($"{architecture}.{key}", out GgufValue v) && v.Type != GgufValueType.Array
            ? (int)Math.Clamp(source.Metadata.GetInteger($"{architecture}.{key}") ?? 0, 0, int.MaxValue) : 0;

        static PlannedTensor Planned(CheckpointTensor t)
        {
            long cols = t.Shape.Length == 0 ? 1 : t.Shape[^1], rows = cols == 0 ? 0 : t.Count / cols;
            return new PlannedTensor(t.Name, t.Shape, new MatrixRows(new MatrixSource(t.Name, t.Format, rows, cols, t.Address)), t.Format);
        }
    }

    private static unsafe void Write(string target, GgufMetadataBuilder metadata, List<PlannedTensor> tensors, int threads, IProgress<double>? progress, CancellationToken cancellation)
    {
        using GgufWriter writer = new(target, metadata, [.. tensors.Select(t => (t.Name, t.Format, t.Shape))]);
        using TensorEncoder encoder = new(threads);
        double all = tensors.Sum(t => (double)NumberFormats.ByteCount(t.Format, t.Rows.Rows * t.Rows.Cols)), done = 0;
        foreach (PlannedTensor tensor in tensors)
            encoder.Encode(tensor, (address, length) =>
            {
                writer.Write(new ReadOnlySpan<byte>((void*)address, length));
                progress?.Report((done += length) / all);
            }, cancellation);
        writer.Complete();
    }
}
