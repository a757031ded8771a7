using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>
/// The two matrices that take each head's query into the latent space and its result out of it: W_UKᵀ [L, D] and W_UV [V, L]. Newer GGUF
/// files hold them split and ready (<c>attn_k_b</c> is transposed already: a file of quantized numbers has its blocks along D, the axis that
/// absorption sums over). Elsewhere they lie as <c>kv_b</c> [N·(D+V), L], W_UK above W_UV in each head, and W_UK is transposed here. N heads,
/// D part of a head without position, V value head size, L rank of the latent.
/// </summary>
internal sealed unsafe class LatentProjections
{
    public LatentProjections(LatentAttentionWeights weights, int n, int d, int v, int l, WeightPacker packer)
    {
        K = new Linear[n];
        V = new Linear[n];
        if (weights.KB is not null && weights.VB is not null)
        {
            if (weights.KB.Length != n || weights.VB.Length != n)
                throw new CheckpointException($"attn_k_b, attn_v_b: expected {n} heads, found {weights.KB.Length} and {weights.VB.Length}");
            for (int h = 0; h < n; h++)
            {
                K[h] = packer.Pack(weights.KB[h], l, d);
                V[h] = packer.Pack(weights.VB[h], v, l);
            }
            return;
        }
        MatrixSource source = weights.KvB ?? throw new CheckpointException("kv_b_proj: missing");
        WeightPacker.Require(source, (long)n * (d + v), l);
        for (int h = 0; h < n; h++) Split(source, h, d, v, l, packer);
        packer.Advance(source.ByteLength);
    }

    /// <summary>N × [L, D]</summary>
    public Linear[] K { get; }

    /// <summary>N × [V, L]</summary>
    public Linear[] V { get; }

    // Numbers that stand alone keep their format. Blocks cannot be transposed, and FP8's squares of 128 need not fit the heads: those become bf16 (fp32 when exact).
    private void Split(MatrixSource source, int h, int d, int v, int l, WeightPacker packer)
    {
        bool plain = source.Format is NumberFormat.F32 or NumberFormat.F16 or NumberFormat.BF16 && source.Scales is null;
        NumberFormat format = plain ? source.Format : packer.Exact ? NumberFormat.F32 : NumberFormat.BF16;
        long first = (long)h * (d + v);
        var rows = new float[checked((d + v) * l)]; // [D+V, L]
        DecodedRows.Decode(source, first, d + v, rows);
        var transposed = new float[checked(l * d)]; // [L, D]
        for (int i = 0; i < d; i++)
            for (int j = 0; j < l; j++) transposed[j * d + i] = rows[i * l + j];
        K[h] = packer.PackFloats(source.Name, transposed, l, d, format);
        V[h] = packer.PackFloats(source.Name, rows.AsSpan(d * l), v, l, format);
    }
}
