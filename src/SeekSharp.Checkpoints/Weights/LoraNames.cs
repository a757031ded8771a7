using System.Text.RegularExpressions;

namespace SeekSharp.Checkpoints;

/// <summary>Where a tensor of an adapter belongs.</summary>
internal readonly record struct LoraPlace(int Layer, LoraTarget Target, bool IsA);

/// <summary>
/// PEFT's tensor names → places in a model: <c>base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight</c>, older files with the adapter's name
/// (<c>lora_A.default.weight</c>). Not among them are what no adapter may change here: routers, routed experts, embeddings, the output matrix, and <c>kv_b_proj</c>, which does not exist as a matrix when
/// latent attention runs absorbed.
/// </summary>
internal static partial class LoraNames
{
    public static bool TryParse(string name, ModelConfig config, out LoraPlace place)
    {
        place = default;
        Match match = Pattern().Match(name);
        if (!match.Success || !int.TryParse(match.Groups["layer"].ValueSpan, out int layer) || layer >= config.NumHiddenLayers) return false;
        bool experts = config.IsMoeLayer.Count > layer && config.IsMoeLayer[layer];
        LoraTarget? target = match.Groups["module"].Value switch
        {
            "self_attn.q_proj" => !config.IsLatentAttention ? LoraTarget.Q : config.QLoraRank is null ? LoraTarget.QB : null,
            "self_attn.k_proj" => config.IsLatentAttention ? null : LoraTarget.K,
            "self_attn.v_proj" => config.IsLatentAttention ? null : LoraTarget.V,
            "self_attn.o_proj" => LoraTarget.O,
            "self_attn.q_a_proj" => config.QLoraRank is null ? null : LoraTarget.QA,
            "self_attn.q_b_proj" => config.QLoraRank is null ? null : LoraTarget.QB,
            "self_attn.kv_a_proj_with_mqa" => config.IsLatentAttention ? LoraTarget.KvA : null,
            "mlp.gate_proj" => experts ? null : LoraTarget.Gate,
            "mlp.up_proj" => experts ? null : LoraTarget.Up,
            "mlp.down_proj" => experts ? null : LoraTarget.Down,
            "mlp.shared_experts.gate_proj" => experts && config.NSharedExperts > 0 ? LoraTarget.SharedGate : null,
            "mlp.shared_experts.up_proj" => experts && config.NSharedExperts > 0 ? LoraTarget.SharedUp : null,
            "mlp.shared_experts.down_proj" => experts && config.NSharedExperts > 0 ? LoraTarget.SharedDown : null,
            _ => null,
        };
        if (target is not { } found) return false;
        place = new(layer, found, match.Groups["side"].ValueSpan is "A");
        return true;
    }

    [GeneratedRegex(@"^base_model\.model\.(?:model\.)?layers\.(?<layer>[0-9]{1,6})\.(?<module>[a-z_.]+)\.lora_(?<side>[AB])(?:\.[A-Za-z0-9_-]+)?\.weight$", RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
