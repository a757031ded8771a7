using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>
/// The multi-token-prediction module (DeepSeek-V3, arXiv 2412.19437, section 2.2): from the main model's hidden state at position
/// i and the embedding of token i + 1 it predicts token i + 2. h' = W·[norm(embedding); norm(hidden)], a decoder layer of its own, a norm, the
/// output matrix.
/// <para>
/// Where the paper is silent this follows vLLM and the goldens: the hidden state is taken after the main model's final norm, and the embedding at
/// position 0 is zero (there is no earlier token for which the module could have seen it).
/// </para>
/// T tokens, H hidden, V vocabulary.
/// </summary>
internal sealed unsafe class MultiTokenPrediction
{
    private readonly WeightVector _embeddingNorm, _hiddenNorm, _finalNorm; // [H]
    private readonly Linear _projection;                                   // [H, 2H]
    private readonly DecoderLayer _layer;
    private readonly OutputHead _output;                                   // [V, H]
    private MatrixSource _embedding;                                       // [V, H]
    private readonly int _hidden;
    private readonly float _epsilon;
    private readonly ActivationBuffer _joined;                             // [T, 2H]
    private readonly NativeArray<float> _x;                                // [T, H]
    private readonly Workspace _w;

    public MultiTokenPrediction(MultiTokenPredictionWeights weights, ModelWeights main, ModelConfig config, int layer, WeightPacker packer, Workspace workspace)
    {
        (_hidden, _epsilon, _w) = (config.HiddenSize, config.RmsNormEps, workspace);
        _embeddingNorm = WeightPacker.Vector(weights.EmbeddingNorm, _hidden, "enorm");
        _hiddenNorm = WeightPacker.Vector(weights.HiddenNorm, _hidden, "hnorm");
        _finalNorm = WeightPacker.Vector(weights.FinalNorm, _hidden, "shared_head.norm");
        _projection = packer.Pack(weights.Projection, _hidden, 2L * _hidden);
        _embedding = weights.Embedding ?? main.Embedding;
        WeightPacker.Require(_embedding, config.VocabSize, _hidden);
        _output = new OutputHead(weights.Output ?? main.Output, config.VocabSize, _hidden, packer, workspace);
        _layer = new DecoderLayer(weights.Layer, config, main.RopeLayout, layer, packer, workspace);
        _joined = workspace.Activations("mtp input", 2 * _hidden);
        _x = workspace.Floats("mtp residual");
    }

    /// <summary>The embedding's values lie somewhere else now.</summary>
    public void MoveEmbedding(nint from, nint to)
    {
        if (_embedding.Address == from) _embedding = _embedding with { Address = to };
    }

    /// <summary>Logits [T, V] for the step's tokens; appends them to the module's own layer of the sequence's cache.</summary>
    /// <param name="step">T positions i.</param>
    /// <param name="hidden">[T, H] the main model's hidden states i, after its final norm.</param>
    /// <param name="next">[T] token ids i + 1.</param>
    /// <param name="logits">[T, V]; null where only the cache is wanted.</param>
    public void Run(in Step step, float* hidden, ReadOnlySpan<int> next, float* logits)
    {
        int tokens = step.Tokens;
        float* x = _x.Get((long)tokens * _hidden);
        for (int t = 0; t < tokens; t++)
        {
            if (step.Rows[t].Position == 0) new Span<float>(x, _hidden).Clear();
            else DecodedRows.Decode(_embedding, next[t], 1, x + (long)t * _hidden);
        }
        float* joined = _joined.Begin(tokens); // [embedding; hidden], in this order
        RowOperations.RmsNorm(x, _hidden, _embeddingNorm, _epsilon, joined, _joined.Stride, tokens, _w);
        RowOperations.RmsNorm(hidden, _hidden, _hiddenNorm, _epsilon, joined + _hidden, _joined.Stride, tokens, _w);
        _projection.Run(_joined, tokens, x, _hidden, _w);
        _layer.Run(step, x);
        if (logits == null) return;
        float* final = _output.Rows.Begin(tokens);
        RowOperations.RmsNorm(x, _hidden, _finalNorm, _epsilon, final, _output.Rows.Stride, tokens, _w);
        _output.Run(tokens, logits);
    }
}
