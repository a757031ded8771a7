using System.Globalization;
using SeekSharp.Kernels;

namespace SeekSharp.Checkpoints;

/// <summary>
/// Which format each tensor of a quantized file gets: the choices of llama.cpp's <c>llama-quantize</c> without an
/// importance matrix (its <c>llama-quant.cpp</c>), so that a file is of the size and quality that its name promises.
/// </summary>
internal sealed class QuantizationMix
{
    private readonly FileType type;
    private readonly bool tied;
    private readonly int layers, experts, valueTensors;
    private readonly bool is70B;
    private int values, downs; // tensors of these kinds so far, in layer order

    private QuantizationMix(FileType type, GgufShape shape, IReadOnlyList<PlannedTensor> tensors)
    {
        this.type = type;
        layers = shape.Layers;
        experts = shape.Experts;
        tied = tensors.All(t => t.Name != "output.weight");
        valueTensors = tensors.Count(t => IsValue(t.Name));
        // Eight query heads share a value head there: its values are few and matter much.
        is70B = shape.Layers == 80 && (shape.Architecture == "qwen2" || (shape.Architecture == "llama" && shape.Heads != shape.KeyValueHeads));
    }

    /// <summary>What the rules need to know of a model.</summary>
    /// <param name="Architecture"><c>general.architecture</c>.</param>
    /// <param name="Layers">Blocks.</param>
    /// <param name="Experts">Routed experts of a layer; 0 for none.</param>
    /// <param name="Heads">Query heads.</param>
    /// <param name="KeyValueHeads">Key and value heads.</param>
    public sealed record GgufShape(string Architecture, int Layers, int Experts, int Heads, int KeyValueHeads);

    /// <summary>Gives every tensor its format.</summary>
    /// <param name="type">The kind of file.</param>
    /// <param name="shape">The model.</param>
    /// <param name="tensors">All tensors; what may not be quantized keeps the format that it has.</param>
    public static List<PlannedTensor> Apply(FileType type, GgufShape shape, IReadOnlyList<PlannedTensor> tensors)
    {
        QuantizationMix mix = new(type, shape, tensors);
        NumberFormat[] formats = new NumberFormat[tensors.Count];
        foreach (int i in Enumerable.Range(0, tensors.Count).OrderBy(i => Layer(tensors[i].Name))) formats[i] = mix.Choose(tensors[i]);
        return [.. tensors.Select((t, i) => t with { Format = formats[i] })];
    }

    /// <summary>Matrices are quantized; vectors, norms and routers are not.</summary>
    public static bool MayQuantize(PlannedTensor t) => Rank(t.Shape) >= 2 && t.Name.EndsWith("weight", StringComparison.Ordinal)
        && !t.Name.Contains("_norm.weight", StringComparison.Ordinal) && !t.Name.Contains("ffn_gate_inp.weight", StringComparison.Ordinal);

    /// <summary>A format that a row of <paramref name="cols"/> values can have: the wanted one, or the next finer one of blocks of 32, or F16.</summary>
    public static NumberFormat Fallback(NumberFormat wanted, long cols)
    {
        if (cols % NumberFormats.BlockSize(wanted) == 0) return wanted;
        NumberFormat finer = wanted switch
        {
            NumberFormat.Q2_K or NumberFormat.Q3_K => NumberFormat.Q4_0,
            NumberFormat.Q4_K => NumberFormat.Q5_0,
            NumberFormat.Q5_K => NumberFormat.Q5_1,
            NumberFormat.Q6_K => NumberFormat.Q8_0,
            _ => NumberFormat.F16,
        };
        return cols % NumberFormats.BlockSize(finer) == 0 ? finer : NumberFormat.F16;
    }

    private NumberFormat Choose(PlannedTensor t)
    {
        if (!MayQuantize(t)) return t.Format;
        if (!NumberFormats.IsInteger(type.Format)) return type.Format;
        return Fallback(type.Pure ? type.Format : Favour(t), t.Shape[^1]);
    }

    private NumberFormat Favour(PlannedTensor t)
    {
        NumberFormat format = type.Format;
        string name = t.Name;
        if (name == "output.weight" || (tied && name == "token_embd.weight"))
            return t.Shape[^1] % NumberFormats.BlockSize(format) != 0 || format == NumberFormat.Q8_0 ? NumberFormat.Q8_0 : NumberFormat.Q6_K;
        if (IsValue(name))
        {
            if (type.Mix && MoreBits(values, valueTensors)) format = NumberFormat.Q6_K;
            if (is70B && format == NumberFormat.Q4_K) format = NumberFormat.Q5_K;
            if (experts == 8) format = NumberFormat.Q8_0;
            values++;
        }
        else if (name.Contains("attn_k.weight", StringComparison.Ordinal))
        {
            if (experts == 8) format = NumberFormat.Q8_0;
        }
        else if (name.Contains("ffn_down", StringComparison.Ordinal))
        {
            if (type.Mix && MoreBits(experts > 1 ? Layer(name) : downs, layers)) format = NumberFormat.Q6_K;
            downs++;
        }
        else if (name.Contains("attn_output.weight", StringComparison.Ordinal))
        {
            if (experts == 8 && type.Mix && format == NumberFormat.Q4_K) format = NumberFormat.Q5_K;
        }
        return format;
    }

    /// <summary>The first and last eighth of the layers, and every third between.</summary>
    private static bool MoreBits(int layer, int layers) => layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;

    private static bool IsValue(string name) => name.Contains("attn_v.weight", StringComparison.Ordinal)
        || name.Contains("attn_qkv.weight", StringComparison.Ordinal) || name.Contains("attn_kv_b.weight", StringComparison.Ordinal);

    /// <summary>The number in <c>blk.N.</c>; −1 for what belongs to no layer.</summary>
    private static int Layer(string name) => name.StartsWith("blk.", StringComparison.Ordinal) && name.IndexOf('.', 4) is > 4 and int end
        && int.TryParse(name.AsSpan(4, end - 4), NumberStyles.None, CultureInfo.InvariantCulture, out int layer) ? layer : -1;

    /// <summary>Dimensions as ggml counts them: outer ones of size 1 do not count.</summary>
    private static int Rank(long[] shape)
    {
        int outer = 0;
        while (outer < shape.Length - 1 && shape[outer] == 1) outer++;
        return shape.Length - outer;
    }
}
