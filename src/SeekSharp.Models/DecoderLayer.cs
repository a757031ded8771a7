using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>
/// One layer: x += attention(norm(x)); x += feedForward(norm(x)). Attention is grouped-query or latent, the feed-forward
/// part dense or a mixture of experts. T tokens, H hidden.
/// </summary>
internal sealed unsafe class DecoderLayer
{
    private readonly int _hidden;
    private readonly float _epsilon;
    private readonly WeightVector _attentionNorm, _feedForwardNorm; // [H]
    private readonly GroupedQueryAttention? _groupedQuery;
    private readonly MultiHeadLatentAttention? _latent;
    private readonly SwiGlu? _dense;
    private readonly MixtureOfExperts? _experts;
    private readonly ActivationBuffer _normed;    // [T, H]
    private readonly Workspace _w;

    public DecoderLayer(LayerWeights weights, ModelConfig config, RopeLayout layout, int layer, WeightPacker packer, Workspace workspace)
    {
        (_hidden, _epsilon, _w) = (config.HiddenSize, config.RmsNormEps, workspace);
        _attentionNorm = WeightPacker.Vector(weights.AttentionNorm, _hidden, $"layer {layer}: attention norm");
        _feedForwardNorm = WeightPacker.Vector(weights.FeedForwardNorm, _hidden, $"layer {layer}: feed-forward norm");
        if (weights.Latent is not null) _latent = new MultiHeadLatentAttention(weights.Latent, config, layout, layer, packer, workspace);
        else if (weights.GroupedQuery is not null) _groupedQuery = new GroupedQueryAttention(weights.GroupedQuery, config, layout, layer, packer, workspace);
        else throw new CheckpointException($"layer {layer}: no attention");
        if (weights.Experts is not null) _experts = new MixtureOfExperts(weights.Experts, config, layer, packer, workspace);
        else if (weights.Dense is not null) _dense = new SwiGlu(weights.Dense, _hidden, config.IntermediateSize, layer, packer, workspace);
        else throw new CheckpointException($"layer {layer}: no feed-forward part");
        _normed = workspace.Activations("normed", _hidden);
    }

    /// <summary>Changes x[T, H], the residual stream.</summary>
    public void Run(in Step step, float* x)
    {
        int tokens = step.Tokens;
        float* normed = _normed.Begin(tokens);
        RowOperations.RmsNorm(x, _hidden, _attentionNorm, _epsilon, normed, _normed.Stride, tokens, _w);
        if (_latent is not null) _latent.Run(step, _normed, x, _hidden);
        else _groupedQuery!.Run(step, _normed, x, _hidden);

        normed = _normed.Begin(tokens);
        RowOperations.RmsNorm(x, _hidden, _feedForwardNorm, _epsilon, normed, _normed.Stride, tokens, _w);
        if (_experts is not null) _experts.Run(step, _normed, x, _hidden);
        else _dense!.Run(step, _normed, x, _hidden);
    }
}
