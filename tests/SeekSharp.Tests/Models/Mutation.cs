using System.Runtime.InteropServices;
using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using SeekSharp.Models;

namespace SeekSharp.Tests.Models;

/// <summary>A golden model with something changed: how a test shows that falling into a trap would be noticed.</summary>
internal sealed unsafe class Mutation(string name) : IDisposable
{
    private readonly List<nint> _memory = [];

    public ModelFolder Folder { get; } = ModelFolder.Open(Golden.File(name));

    /// <summary>Exact logits [T, V] with a changed config or changed weights.</summary>
    public float[] Logits(int[] ids, Func<ModelConfig, ModelConfig>? config = null, Func<ModelWeights, ModelWeights>? weights = null)
    {
        using LanguageModel model = Load(config, weights);
        return Golden.Logits(model, ids);
    }

    public LanguageModel Load(Func<ModelConfig, ModelConfig>? config = null, Func<ModelWeights, ModelWeights>? weights = null, ModelOptions? options = null)
    {
        ModelWeights w = Folder.LoadWeights();
        ModelConfig c = Folder.Config!;
        return new LanguageModel(config?.Invoke(c) ?? c, weights?.Invoke(w) ?? w, options ?? Golden.Exact, null, Folder);
    }

    /// <summary>The same layers, each changed.</summary>
    public static ModelWeights Layers(ModelWeights weights, Func<LayerWeights, LayerWeights> change) => weights with { Layers = [.. weights.Layers.Select(change)] };

    /// <summary>The same attention, in each layer changed.</summary>
    public static ModelWeights Latent(ModelWeights weights, Func<LatentAttentionWeights, LatentAttentionWeights> change)
        => Layers(weights, l => l with { Latent = change(l.Latent!) });

    /// <summary>The same router biases, each changed.</summary>
    public static ModelWeights RouterBias(ModelWeights weights, Func<float[]?, float[]?> change)
        => Layers(weights, l => l.Experts is null ? l : l with { Experts = l.Experts with { RouterBias = change(l.Experts.RouterBias) } });

    /// <summary>The values of a matrix, row-major.</summary>
    public static float[] Values(MatrixSource source)
    {
        var values = new float[source.Rows * source.Cols];
        DecodedRows.Decode(source, 0, (int)source.Rows, values);
        return values;
    }

    /// <summary>A matrix of other values, in memory of the test's.</summary>
    public MatrixSource Matrix(string name, int rows, int cols, float[] values)
    {
        if (values.Length != rows * cols) throw new ArgumentException("shape");
        var p = (float*)NativeMemory.Alloc((nuint)values.Length, sizeof(float));
        _memory.Add((nint)p);
        values.CopyTo(new Span<float>(p, values.Length));
        return new MatrixSource(name, NumberFormat.F32, rows, cols, (nint)p);
    }

    /// <summary>A matrix with its elements moved: element (row, column) comes from the index given, of the source's row-major values.</summary>
    public MatrixSource Moved(MatrixSource source, Func<int, int, int> from)
    {
        float[] values = Values(source);
        int rows = (int)source.Rows, cols = (int)source.Cols;
        return Matrix(source.Name, rows, cols, [.. Enumerable.Range(0, rows * cols).Select(i => values[from(i / cols, i % cols)])]);
    }

    public void Dispose()
    {
        Folder.Dispose();
        foreach (nint p in _memory) NativeMemory.Free((void*)p);
    }
}
