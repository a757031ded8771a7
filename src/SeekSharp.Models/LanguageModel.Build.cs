using System.Diagnostics.CodeAnalysis;
using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

// How a model comes to be: what memory holds is planned, then every matrix is packed, layer by layer.
public sealed unsafe partial class LanguageModel
{
    /// <summary>
    /// Reads a model's weights into memory, packed for the kernels. Embeddings are read from the mapped file, which stays open as
    /// long as the model does, even if the folder is disposed before.
    /// </summary>
    /// <param name="folder">An opened model.</param>
    /// <param name="options">How to run it; null for the defaults.</param>
    /// <param name="progress">Told the share that is done, 0 to 1.</param>
    /// <exception cref="CheckpointException">The folder holds no weights, or they do not fit the config.</exception>
    public static LanguageModel Load(ModelFolder folder, ModelOptions? options = null, IProgress<double>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ModelWeights weights = folder.LoadWeights();
        ModelConfig config = folder.Config ?? throw new CheckpointException($"{folder.Path}: holds no model, only a tokenizer");
        return new LanguageModel(config, weights, options ?? new ModelOptions(), progress, folder);
    }

    internal LanguageModel(ModelConfig config, ModelWeights weights, ModelOptions options, IProgress<double>? progress = null, ModelFolder? folder = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(options.Threads);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.ChunkSize, 1);
        if (options.ContextLength is { } length) ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        (Config, Options, _folder, _hidden, _chunk) = (config, options, folder, config.HiddenSize, options.ChunkSize);
        ContextLength = options.ContextLength ?? config.MaxPositionEmbeddings;

        bool mtp = options.MultiTokenPrediction && weights.MultiTokenPrediction.Length > 0;
        _kvLayout = KvLayout.Of(config, options.Kv ?? (options.Exact ? KvFormat.F32 : KvFormat.BF16), config.NumHiddenLayers);
        _mtpLayout = mtp ? _kvLayout.Grown(1) : null;
        _checks = new StepChecks(_kvLayout, _mtpLayout, ContextLength, config.VocabSize);
        MemoryPlan plan = MemoryPlan.Make(config, weights, options, _mtpLayout ?? _kvLayout, MachineMemory.Available());
        if (plan.Notice is { } notice) options.Notify?.Invoke(notice);
        CacheBytes = plan.CacheBytes;

        folder?.Retain();
        KernelTable kernels = KernelTable.Current;
        _turns = options.Budget is { } budget ? new ThreadBudget.Member(budget) : null;
        _pool = options.Budget?.Pool ?? new WorkerPool(options.Threads);
        _w = new Workspace(kernels, _pool, options.Exact ? Arithmetic.Exact : Arithmetic.Default);
        _pages = new SourcePages(folder?.Checkpoint?.Images ?? []);
        if (plan.SlotBytes is not null && folder is not null) _packedExperts = OpenPackedExperts(folder, weights, options.Notify);
        ExpertStore? experts = plan.SlotBytes is { } slots ? new ExpertStore(kernels, slots, plan.LargestExpert, _pages, _packedExperts) : null;
        _packer = new WeightPacker(kernels, _pool, options.Exact, ModelMatrices.FileBytes(weights, mtp, experts: experts is null), progress, _pages) { Experts = experts };
        try
        {
            _ropeLayout = weights.RopeLayout;
            Build(weights, mtp);
        }
        catch
        {
            Release();
            throw;
        }
        _x = _w.Floats("residual");
        _cos = _w.Floats("cos");
        _sin = _w.Floats("sin");
        _mtpFinal = _w.Floats("mtp final");
        _mtpHidden = _w.Floats("mtp hidden");
        _wanted = _w.Ints("wanted rows");
        _final = _output.Rows;
    }

    // Everything that hangs on the weights: at load, and again when new ones are published.
    [MemberNotNull(nameof(_embedding), nameof(_layers), nameof(_finalNorm), nameof(_output), nameof(_rotary))]
    private void Build(ModelWeights weights, bool mtp)
    {
        ModelConfig config = Config;
        if (weights.Layers.Length != config.NumHiddenLayers)
            throw new CheckpointException($"expected {config.NumHiddenLayers} layers, found {weights.Layers.Length}");
        _rotary = new RotaryEmbedding(config.Rope, weights.RopeFactors);
        _embedding = weights.Embedding;
        WeightPacker.Require(_embedding, config.VocabSize, _hidden);
        _finalNorm = WeightPacker.Vector(weights.FinalNorm, _hidden, "final norm");
        _output = new OutputHead(weights.Output, config.VocabSize, _hidden, _packer, _w);
        _layers = new DecoderLayer[weights.Layers.Length];
        for (int i = 0; i < _layers.Length; i++)
            _layers[i] = new DecoderLayer(weights.Layers[i], config, weights.RopeLayout, i, _packer, _w);
        _mtp = mtp ? new MultiTokenPrediction(weights.MultiTokenPrediction[0], weights, config, _layers.Length, _packer, _w) : null;
    }

    private static PackedExpertsFile? OpenPackedExperts(ModelFolder folder, ModelWeights weights, Action<string>? notify)
    {
        string path = PackedExpertsFile.PathFor(folder);
        if (!File.Exists(path)) return null; // the identity of a large model takes a moment
        return PackedExpertsFile.Open(path, new PackedExpertsLayout(folder.Checkpoint!.Images, [.. ModelMatrices.Experts(weights, multiTokenPrediction: true)]), notify);
    }

    private void Release()
    {
        if (_turns is null) _pool.Dispose();
        _packer.Dispose();
        _packedExperts?.Dispose();
        _w.Dispose();
        _places.Dispose();
        foreach (WeightUpdate.NewTensor tensor in _published.Values) tensor.Memory?.Dispose();
        _folder?.Release();
    }
}
