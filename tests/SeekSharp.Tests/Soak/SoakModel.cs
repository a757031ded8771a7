using System.Text.Json;
using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Models;
using SeekSharp.Tests.Models;

namespace SeekSharp.Tests.Soak;

/// <summary>A tiny model with two adapters, and an engine for one text at a time: no company, no speculation, no disk.</summary>
internal sealed class SoakModel : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly LlmEngine _engine;

    public SoakModel(string name, int threads)
    {
        using ModelFolder folder = ModelFolder.Open(Golden.File(name));
        Model = LanguageModel.Load(folder, new ModelOptions { Threads = threads, ContextLength = 512 });
        Adapters = [null, Adapter(name, 1), Adapter(name, 2)];
        _engine = new LlmEngine(Model, options: new EngineOptions { KvBytes = 1, Speculation = SpeculationOptions.None });
    }

    public LanguageModel Model { get; }

    /// <summary>None, and two.</summary>
    public LoraAdapter?[] Adapters { get; }

    /// <summary>What a sequence becomes alone.</summary>
    /// <param name="sequence">Runs here to its end.</param>
    /// <param name="most">Tokens to generate at most.</param>
    /// <param name="onToken">As <see cref="EngineLoop.Submit"/>'s.</param>
    public void RunAlone(Sequence sequence, int most, Action<int> onToken)
    {
        lock (_engine)
        {
            _engine.Clear();
            sequence.Observer = new Listener(id =>
            {
                onToken(id);
                if (sequence.Generated.Length >= most) sequence.End(FinishReason.Cancelled);
            });
            _engine.Add(sequence);
            while (!sequence.IsFinished) _engine.Step();
        }
    }

    private sealed class Listener(Action<int> onToken) : SequenceObserver
    {
        public override void Advanced(int id)
        {
            if (id >= 0) onToken(id);
        }

        public override void Ended() { }
    }

    // Changes keys and values too: a block that an adapter made is another's.
    private LoraAdapter Adapter(string name, int seed)
    {
        const int Rank = 2;
        var random = new Random(seed);
        string at = Directory.CreateDirectory(_folder[$"adapter{seed}"]).FullName;
        var file = GoldenFile.Open(Path.Combine(Golden.File(name), "model.safetensors"));
        List<(string, long[], float[])> tensors = [];
        foreach (string tensor in file.Names)
        {
            if (!(tensor.EndsWith(".k_proj.weight") || tensor.EndsWith(".kv_a_proj_with_mqa.weight") || tensor.EndsWith(".o_proj.weight"))) continue;
            if (int.Parse(tensor.Split('.')[2]) >= Model.Config.NumHiddenLayers) continue; // the prediction module's
            int[] shape = file.Shape(tensor);
            string module = "base_model.model." + tensor[..^".weight".Length];
            tensors.Add(($"{module}.lora_A.weight", [Rank, shape[1]], Values(Rank * shape[1])));
            tensors.Add(($"{module}.lora_B.weight", [shape[0], Rank], Values(shape[0] * Rank)));
        }
        SafetensorsWriter.Save(Path.Combine(at, "adapter_model.safetensors"), tensors);
        File.WriteAllText(Path.Combine(at, "adapter_config.json"), JsonSerializer.Serialize(new { peft_type = "LORA", r = Rank, lora_alpha = 4, bias = "none" }));
        return Model.LoadAdapter(at);

        float[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() - 0.5f) / 2)];
    }

    public void Dispose()
    {
        _engine.Dispose();
        Model.Dispose();
        _folder.Dispose();
    }
}
