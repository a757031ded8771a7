using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using SeekSharp.Models;
using SeekSharp.Tokenization;

namespace SeekSharp.Tests.Fuzz;

/// <summary>What every mutant of a model goes through after it was opened.</summary>
internal static class ModelRun
{
    /// <summary>Finds the weights, loads them and computes the logits of two or three tokens.</summary>
    public static Reached Forward(Checkpoint checkpoint, ModelConfig config, FuzzRandom r, FuzzTarget.Progress progress)
    {
        progress.Reached = Reached.Opened;
        ModelWeights weights = ModelFolder.LoadWeights(checkpoint, config, "mutant");
        using var model = new LanguageModel(config, weights, new ModelOptions { Threads = 1, ChunkSize = 2, Exact = r.Once(8) });
        using KvCache cache = model.CreateCache(model.HasMultiTokenPrediction);
        int count = Math.Min(2 + r.Next(2), model.ContextLength);
        int[] ids = [.. Enumerable.Range(0, count).Select(_ => r.Next(config.VocabSize))];
        model.Forward(cache, ids, new float[config.VocabSize]);
        progress.Reached = Reached.Forward;
        return Reached.Forward;
    }

    /// <summary>Decodes the beginning of every tensor.</summary>
    public static unsafe void Decode(Checkpoint checkpoint)
    {
        Span<float> values = stackalloc float[256];
        foreach (CheckpointTensor t in checkpoint.Tensors.Values)
        {
            int block = NumberFormats.BlockSize(t.Format);
            int count = (int)Math.Min(256, t.Count) / block * block;
            BlockDecoder.Decode(t.Format, new ReadOnlySpan<byte>((byte*)t.Address, (int)NumberFormats.ByteCount(t.Format, count)), values[..count]);
        }
    }
}

/// <summary>A safetensors file: weights of a golden model, or any other golden.</summary>
internal sealed class SafetensorsTarget : FuzzTarget
{
    private readonly MutableImage _image;
    private readonly JsonMutator _header;
    private readonly ModelConfig? _config;
    private readonly string _path;

    public SafetensorsTarget(string path, string? configPath)
    {
        _path = path;
        byte[] file = File.ReadAllBytes(path);
        int header = 8 + (int)BitConverter.ToInt64(file);
        _image = new MutableImage(path, header, file);
        _header = new JsonMutator(file[8..header]);
        _config = configPath is null ? null : HuggingFaceConfig.Read(configPath);
        FileBytes = file.Length;
    }

    public override Reached Run(FuzzRandom r, Progress progress)
    {
        byte[] header = _image.Header;
        long cut = 0;
        int kind = r.Next(20);
        if (kind < 8 && _config is not null || kind < 3)
        {
            for (int i = 1 + r.Next(4); i > 0; i--) _image.PokeRandomly(r);
        }
        else if (kind < 16)
        {
            byte[] json = _header.Mutate(r);
            header = [.. BitConverter.GetBytes((long)json.Length), .. json];
        }
        else if (kind < 18)
        {
            header = (byte[])header.Clone();
            BitConverter.TryWriteBytes(header, r.Number((ulong)header.Length - 8));
        }
        else if (kind == 18) header = JsonMutator.MutateBytes(header, r);
        else cut = r.Once(2) ? r.Next(FileBytes) : -r.Next(4096);

        try
        {
            using SafetensorsCheckpoint checkpoint = SafetensorsCheckpoint.Open(_image.With(header, cut));
            progress.Reached = Reached.Opened;
            ModelRun.Decode(checkpoint);
            return _config is null ? Reached.Opened : ModelRun.Forward(checkpoint, _config, r, progress);
        }
        finally
        {
            _image.Heal();
        }
    }

    public override string ToString() => _path;

    public override void Dispose() => _image.Dispose();
}

/// <summary>A GGUF file (one or all parts of a model): header and data; with it config, generation config, template and vocabulary.</summary>
internal sealed class GgufTarget : FuzzTarget
{
    private const string Sample = "The quick brown fox, 世界 🌍 12345 <|eos|>\n\tan end";

    private readonly MutableImage[] _images;
    private readonly GgufHeader[] _headers;

    public GgufTarget(params string[] paths)
    {
        byte[][] files = [.. paths.Select(File.ReadAllBytes)];
        _headers = [.. files.Select(f => new GgufHeader(f))];
        _images = [.. files.Select((f, i) => new MutableImage(paths[i], _headers[i].Length, f))];
        FileBytes = files.Sum(f => (long)f.Length);
    }

    public override Reached Run(FuzzRandom r, Progress progress)
    {
        int which = r.Next(_images.Length), kind = r.Next(20);
        byte[][] headers = [.. _images.Select(i => i.Header)];
        long cut = 0;
        if (kind < 7)
            for (int i = 1 + r.Next(4); i > 0; i--) _images[which].PokeRandomly(r);
        else if (kind < 18) headers[which] = _headers[which].Mutate(r);
        else if (kind == 18) headers[which] = JsonMutator.MutateBytes(headers[which], r);
        else cut = r.Once(2) ? r.Next(FileBytes) : -r.Next(4096);

        try
        {
            if (_images.Length == 1 && r.Once(100)) return AsFile(_images[0].With(headers[0], cut), r, progress);
            using GgufCheckpoint checkpoint = GgufCheckpoint.Open([.. _images.Select((image, i) => image.With(headers[i], i == which ? cut : 0))]);
            progress.Reached = Reached.Opened;
            ModelRun.Decode(checkpoint);
            Reached reached = ModelRun.Forward(checkpoint, GgufConfig.Read(checkpoint), r, progress);
            if (r.Once(4)) Rest(checkpoint.Metadata);
            return reached;
        }
        finally
        {
            foreach (MutableImage image in _images) image.Heal();
        }
    }

    // As people do: by its path, with everything a folder gives.
    private static Reached AsFile(FileImage image, FuzzRandom r, Progress progress)
    {
        using var temporary = new TemporaryFolder();
        File.WriteAllBytes(temporary["model.gguf"], image.Span(0, (int)image.Length));
        using ModelFolder folder = ModelFolder.Open(r.Once(2) ? temporary.Path : temporary["model.gguf"]);
        progress.Reached = Reached.Opened;
        _ = (folder.Generation, folder.BosToken, folder.EosToken, folder.ChatTemplateSource, folder.ToolTemplateSource);
        return ModelRun.Forward(folder.Checkpoint!, folder.Config!, r, progress);
    }

    // The parts that need no weights.
    private static void Rest(GgufMetadata metadata)
    {
        _ = GenerationConfigReader.ReadGguf(metadata);
        _ = metadata.GetString("tokenizer.chat_template");
        if (GgufVocabularyReader.Read(metadata) is not { } vocabulary) return;
        try
        {
            Tokenizer tokenizer = Tokenizer.FromVocabulary(vocabulary);
            tokenizer.Decode(tokenizer.Encode(Sample));
        }
        catch (TokenizerException)
        {
            // the tokenizer's own boundary
        }
    }

    public override void Dispose()
    {
        foreach (MutableImage image in _images) image.Dispose();
    }
}

/// <summary>A <c>config.json</c> over the golden weights that belong to it.</summary>
internal sealed unsafe class ConfigTarget : FuzzTarget
{
    private readonly JsonMutator _json;
    private readonly Checkpoint _weights;

    public ConfigTarget(string configPath, string weightsPath)
    {
        byte[] text = File.ReadAllBytes(configPath);
        _json = new JsonMutator(text);
        _weights = SafetensorsCheckpoint.Open(weightsPath);
        FileBytes = text.Length + _weights.FileBytes;
    }

    public override Reached Run(FuzzRandom r, Progress progress)
    {
        byte[] text = _json.Mutate(r);
        fixed (byte* p = text)
        {
            ModelConfig config = HuggingFaceConfig.Read(FileImage.OfMemory("config.json", (nint)p, text.Length));
            return ModelRun.Forward(_weights, config, r, progress);
        }
    }

    public override void Dispose() => _weights.Dispose();
}

/// <summary>A shard index, as a file beside its shards.</summary>
internal sealed class IndexTarget : FuzzTarget
{
    private readonly JsonMutator _json;
    private readonly ModelConfig _config;
    private readonly TemporaryFolder _folder = new();

    public IndexTarget(string modelFolder)
    {
        byte[] text = File.ReadAllBytes(Path.Combine(modelFolder, "model.safetensors.index.json"));
        _json = new JsonMutator(text);
        _config = HuggingFaceConfig.Read(Path.Combine(modelFolder, "config.json"));
        foreach (string shard in Directory.GetFiles(modelFolder, "model-*.safetensors")) File.Copy(shard, _folder[Path.GetFileName(shard)]);
        FileBytes = text.Length + Directory.GetFiles(_folder.Path).Sum(f => new FileInfo(f).Length);
    }

    public override Reached Run(FuzzRandom r, Progress progress)
    {
        string path = _folder["model.safetensors.index.json"];
        File.WriteAllBytes(path, _json.Mutate(r));
        using SafetensorsCheckpoint checkpoint = SafetensorsCheckpoint.Open(path);
        return ModelRun.Forward(checkpoint, _config, r, progress);
    }

    public override void Dispose() => _folder.Dispose();
}
