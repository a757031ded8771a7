using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>
/// Chooses each token's experts from the router matrix's outputs, in the three published ways, and gives their weights:
/// <list type="bullet">
/// <item>greedy (V2-Lite, Qwen3-MoE): softmax, the best k;</item>
/// <item>group-limited greedy (DeepSeek-V2, arXiv 2405.04434, section 2.2.2): softmax; only the groups with the best <i>best</i>
/// expert may be chosen from, then the best k;</item>
/// <item>without auxiliary loss (DeepSeek-V3, arXiv 2412.19437, section 2.1.2): sigmoid; score + bias chooses, groups by the sum of
/// their two best; the weights come from the scores <i>without</i> the bias.</item>
/// </list>
/// Departs from no reference; where llama.cpp and Transformers disagree (V2's groups), this is the paper and Transformers.
/// E experts, K chosen, G groups. All in fp32; ties go to the lowest index; NaN counts as −∞, so that any input has a choice.
/// </summary>
internal sealed class Router
{
    private const int MostGroups = 4096; // their choice is on the stack
    private readonly int _experts, _chosen, _groups, _chosenGroups;
    private readonly ScoringFunc _scoring;
    private readonly TopkMethod _method;
    private readonly bool _normalize;
    private readonly float _scale;
    private readonly float[]? _bias; // [E]

    public Router(ModelConfig config, float[]? bias)
    {
        _experts = config.NRoutedExperts;
        _chosen = config.NumExpertsPerTok;
        _method = config.TopkMethod;
        _groups = _method == TopkMethod.Greedy ? 1 : Math.Max(1, config.NGroup);
        _chosenGroups = Math.Min(config.TopkGroup, _groups);
        _scoring = config.ScoringFunc;
        _normalize = config.NormTopkProb;
        _scale = config.RoutedScalingFactor;
        _bias = _method == TopkMethod.NoAuxTc ? bias : null;
        if (_experts < 1 || _chosen < 1 || _chosen > _experts || _experts % _groups != 0 || _groups > MostGroups || _chosenGroups < 1 || (bias is not null && bias.Length != _experts))
            throw new CheckpointException($"router: {_chosen} of {_experts} experts in {_chosenGroups} of {_groups} groups cannot be");
    }

    /// <summary>Experts a token goes to.</summary>
    public int ExpertsPerToken => _chosen;

    /// <summary>Floats of scratch that <see cref="Route"/> needs.</summary>
    public int ScratchLength => 2 * _experts + _groups;

    /// <summary>One token's choice.</summary>
    /// <param name="logits">[E] outputs of the router matrix.</param>
    /// <param name="experts">[K] chosen experts, ascending.</param>
    /// <param name="weights">[K] their weights, normalized and scaled.</param>
    /// <param name="scratch">At least <see cref="ScratchLength"/>.</param>
    /// <param name="kernels">The tier.</param>
    public unsafe void Route(ReadOnlySpan<float> logits, Span<int> experts, Span<float> weights, Span<float> scratch, KernelTable kernels)
    {
        Span<float> scores = scratch[.._experts];                        // [E] what weighs
        Span<float> choice = scratch.Slice(_experts, _experts);          // [E] what chooses
        Span<float> groups = scratch.Slice(2 * _experts, _groups);       // [G]

        fixed (float* x = logits, y = scores)
            if (_scoring == ScoringFunc.Sigmoid) Elementwise.Sigmoid(x, y, _experts, kernels);
            else Elementwise.Softmax(x, y, _experts, kernels);

        for (int e = 0; e < _experts; e++)
        {
            float s = _bias is null ? scores[e] : scores[e] + _bias[e];
            choice[e] = float.IsNaN(s) ? float.NegativeInfinity : s;
        }
        if (_groups > 1) MaskGroups(choice, groups);

        experts = experts[.._chosen];
        Choice.TopK(choice, experts);
        experts.Sort();

        float sum = 0;
        for (int i = 0; i < _chosen; i++) sum += weights[i] = scores[experts[i]];
        float divisor = _normalize ? sum + 1e-20f : 1; // 1e-20 as Transformers has it: all scores may underflow to 0
        for (int i = 0; i < _chosen; i++) weights[i] = weights[i] / divisor * _scale;
    }

    // Experts outside the best groups get −∞, not 0: a biased score may be negative, and 0 would then win.
    private void MaskGroups(Span<float> choice, Span<float> groups)
    {
        int size = _experts / _groups;
        for (int g = 0; g < _groups; g++)
        {
            float best = float.NegativeInfinity, second = float.NegativeInfinity;
            foreach (float s in choice.Slice(g * size, size))
            {
                if (s > best) (best, second) = (s, best);
                else if (s > second) second = s;
            }
            groups[g] = _method == TopkMethod.NoAuxTc && size > 1 ? best + second : best;
        }
        Span<int> allowed = stackalloc int[_chosenGroups];
        Choice.TopK(groups, allowed);
        for (int g = 0; g < _groups; g++)
            if (!allowed.Contains(g)) choice.Slice(g * size, size).Fill(float.NegativeInfinity);
    }
}
