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
        if (packer.Keeps(source))
        {
            for (int h = 0; h < n; h++) (K[h], V[h]) = (packer.Keep(), packer.Keep());
            return;
        }
        Split(source, n, d, v, l, packer);
        packer.Forget(source);
        packer.Advance(source.ByteLength);
    }

    /// <summary>N × [L, D]</summary>
    public Linear[] K { get; }

    /// <summary>N × [V, L]</summary>
    public Linear[] V { get; }

    // Numbers that stand alone keep their format. Blocks cannot be transposed, and FP8's squares of 128 need not fit the heads: those become bf16 (fp32 when exact).
    private void Split(MatrixSource source, int n, int d, int v, int l, WeightPacker packer)
    {
        bool plain = source.Format is NumberFormat.F32 or NumberFormat.F16 or NumberFormat.BF16 && source.Scales is null;
        NumberFormat format = plain ? source.Format : packer.Exact ? NumberFormat.F32 : NumberFormat.BF16;
        int together = packer.Pool.Threads; // heads that are decoded at once
        byte[] keys = new byte[together * NumberFormats.ByteCount(format, (long)l * d)], values = new byte[together * NumberFormats.ByteCount(format, (long)v * l)];
        int keyBytes = keys.Length / together, valueBytes = values.Length / together;
        for (int first = 0; first < n; first += together)
        {
            int count = Math.Min(together, n - first);
            packer.Pool.Run(count, (i, _) =>
            {
                var rows = new float[checked((d + v) * l)]; // [D+V, L]
                DecodedRows.Decode(source, (first + i) * (long)(d + v), d + v, rows);
                var turned = new float[l * d];              // [L, D]
                Transpose(rows, d, l, turned);
                BlockEncoder.Encode(format, turned, keys.AsSpan(i * keyBytes, keyBytes));
                BlockEncoder.Encode(format, rows.AsSpan(d * l), values.AsSpan(i * valueBytes, valueBytes));
            });
            for (int i = 0; i < count; i++)
            {
                K[first + i] = packer.PackEncoded(source.Name, keys.AsSpan(i * keyBytes, keyBytes), l, d, format);
                V[first + i] = packer.PackEncoded(source.Name, values.AsSpan(i * valueBytes, valueBytes), v, l, format);
            }
        }
    }

    // In squares, so that the lines being written stay in cache.
    private static void Transpose(float[] rows, int d, int l, float[] result)
    {
        const int Side = 16;
        for (int i0 = 0; i0 < d; i0 += Side)
            for (int j0 = 0; j0 < l; j0 += Side)
                for (int i = i0; i < Math.Min(d, i0 + Side); i++)
                    for (int j = j0; j < Math.Min(l, j0 + Side); j++) result[j * d + i] = rows[i * l + j];
    }
}
