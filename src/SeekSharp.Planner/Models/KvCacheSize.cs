namespace SeekSharp.Planner;

/// <summary>What the key/value cache keeps.</summary>
internal static class KvCacheSize
{
    /// <summary>Bytes for a token: layers · numbers a layer · bits / 8. MLA: kv_lora_rank + qk_rope_head_dim numbers; grouped-query: 2 · key heads · head size.</summary>
    public static double BytesPerToken(ModelShape m, double bits = 16) => m.Layers.Count * (double)m.KvValues * bits / 8;

    /// <summary>V3.2 also keeps one key of the indexer for each token and layer, in FP8 with a scale.</summary>
    public static double IndexerBytesPerToken(ModelShape m) => m.Config.IndexHeadDim is int dim ? m.Layers.Count * (dim + 4.0) : 0;
}
