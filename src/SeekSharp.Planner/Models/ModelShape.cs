using SeekSharp.Checkpoints;

namespace SeekSharp.Planner;

/// <summary>Kinds of parameters.</summary>
internal enum Part
{
    Embedding,
    Attention,
    Indexer,
    DenseFeedForward,
    Router,
    SharedExperts,
    RoutedExperts,
    Norms,
    Output,
    MultiTokenPrediction,
}

/// <summary>One weight matrix, or several of one shape.</summary>
/// <param name="Name">As in the papers.</param>
/// <param name="Part">What it belongs to.</param>
/// <param name="Outputs">Rows, N.</param>
/// <param name="Inputs">Columns, K.</param>
/// <param name="Copies">How many there are (experts).</param>
/// <param name="Active">How many of them one token is multiplied by.</param>
/// <param name="Bias">Whether each output has a bias.</param>
internal readonly record struct WeightMatrix(string Name, Part Part, int Outputs, int Inputs, int Copies = 1, int Active = 1, bool Bias = false)
{
    /// <summary>Parameters of all copies.</summary>
    public long Parameters => ((long)Outputs * Inputs + (Bias ? Outputs : 0)) * Copies;

    /// <summary>Parameters that one token is multiplied by.</summary>
    public long ActiveParameters => ((long)Outputs * Inputs + (Bias ? Outputs : 0)) * Active;

    /// <summary>Multiplications and additions for one token: 2·N·K of each active copy.</summary>
    public double Flops => 2.0 * Outputs * Inputs * Active;
}

/// <summary>One decoder layer: its matrices, and its other parameters.</summary>
/// <param name="IsMoe">It has experts.</param>
/// <param name="Matrices">All weight matrices.</param>
/// <param name="Vectors">Parameters of norms and router biases.</param>
internal sealed record LayerShape(bool IsMoe, IReadOnlyList<WeightMatrix> Matrices, long Vectors)
{
    public long Parameters => Matrices.Sum(m => m.Parameters) + Vectors;
    public long ActiveParameters => Matrices.Sum(m => m.ActiveParameters) + Vectors;
    public double Flops => Matrices.Sum(m => m.Flops);
    public long ExpertParameters => Matrices.Where(m => m.Part == Part.RoutedExperts).Sum(m => m.Parameters);
}

/// <summary>
/// A model as a list of matrices, from its config alone. Parameters, FLOPs, memory and kernel times all come from this one list, so they cannot disagree.
/// </summary>
internal sealed record ModelShape
{
    public required string Name { get; init; }
    public required ModelConfig Config { get; init; }
    public required IReadOnlyList<LayerShape> Layers { get; init; }

    /// <summary>Parameters of the embedding.</summary>
    public required long Embedding { get; init; }

    /// <summary>The output matrix; it is the embedding where <see cref="Tied"/>.</summary>
    public required WeightMatrix Output { get; init; }
    public required bool Tied { get; init; }

    /// <summary>A multi-token-prediction module: its layer, its projection of two hidden states to one, three norms. Embedding and output are the model's.</summary>
    public LayerShape? Mtp { get; init; }

    /// <summary>Size of a head's query and key, of its value.</summary>
    public required int QkDim { get; init; }
    public required int VDim { get; init; }

    /// <summary>Numbers that the cache keeps for a token and layer.</summary>
    public required int KvValues { get; init; }

    public int Heads => Config.NumAttentionHeads;
    public int Hidden => Config.HiddenSize;

    /// <summary>Everything but MTP modules, as models are named by.</summary>
    public long Parameters => Layers.Sum(l => l.Parameters) + Embedding + (Tied ? 0 : Output.Parameters) + Hidden;

    /// <summary>What one token is multiplied by: one row of the embedding, the experts it goes to, the output matrix.</summary>
    public long ActiveParameters => Layers.Sum(l => l.ActiveParameters) + Hidden + Output.Parameters + Hidden;

    /// <summary>Parameters by kind; the kinds add up to <see cref="Parameters"/> and the MTP modules.</summary>
    public IReadOnlyDictionary<Part, long> ByKind
    {
        get
        {
            var kinds = new SortedDictionary<Part, long> { [Part.Embedding] = Embedding, [Part.Output] = Tied ? 0 : Output.Parameters, [Part.Norms] = Hidden + Layers.Sum(l => l.Vectors) };
            foreach (WeightMatrix m in Layers.SelectMany(l => l.Matrices)) kinds[m.Part] = kinds.GetValueOrDefault(m.Part) + m.Parameters;
            if (Mtp is not null) kinds[Part.MultiTokenPrediction] = Mtp.Parameters * Config.NumNextnPredictLayers;
            return kinds;
        }
    }

    /// <summary>The largest layer of the model, which most layers are.</summary>
    public LayerShape TypicalLayer => Layers[^1];
}
