using SeekSharp.Kernels;

namespace SeekSharp.Checkpoints;

/// <summary>Kinds of metadata values, numbered as in the file (ggml's <c>gguf_type</c>).</summary>
internal enum GgufValueType : uint
{
    UInt8, Int8, UInt16, Int16, UInt32, Int32, Float32, Bool, String, Array, UInt64, Int64, Float64,
}

/// <summary>Tensor types as numbered in the file (ggml's <c>ggml_type</c>).</summary>
internal static class GgufTypes
{
    private static readonly (uint Id, NumberFormat Format)[] Known =
    [
        (0, NumberFormat.F32), (1, NumberFormat.F16), (30, NumberFormat.BF16), (28, NumberFormat.F64),
        (2, NumberFormat.Q4_0), (3, NumberFormat.Q4_1), (6, NumberFormat.Q5_0), (7, NumberFormat.Q5_1), (8, NumberFormat.Q8_0),
        (10, NumberFormat.Q2_K), (11, NumberFormat.Q3_K), (12, NumberFormat.Q4_K), (13, NumberFormat.Q5_K), (14, NumberFormat.Q6_K),
        (19, NumberFormat.IQ1_S), (29, NumberFormat.IQ1_M), (16, NumberFormat.IQ2_XXS), (17, NumberFormat.IQ2_XS), (22, NumberFormat.IQ2_S),
        (18, NumberFormat.IQ3_XXS), (21, NumberFormat.IQ3_S), (20, NumberFormat.IQ4_NL), (23, NumberFormat.IQ4_XS), (39, NumberFormat.MXFP4),
        (24, NumberFormat.I8), (25, NumberFormat.I16), (26, NumberFormat.I32), (27, NumberFormat.I64),
    ];

    // Types that exist and are not read, so that the message can name them.
    private static readonly Dictionary<uint, string> Foreign = new (uint Id, string Name)[]
    {
        (4, "Q4_2"), (5, "Q4_3"), (9, "Q8_1"), (15, "Q8_K"), (31, "Q4_0_4_4"), (32, "Q4_0_4_8"), (33, "Q4_0_8_8"),
        (34, "TQ1_0"), (35, "TQ2_0"), (36, "IQ4_NL_4_4"), (37, "IQ4_NL_4_8"), (38, "IQ4_NL_8_8"), (40, "NVFP4"),
    }.ToDictionary(f => f.Id, f => f.Name);

    private static readonly Dictionary<uint, NumberFormat> ById = Known.ToDictionary(k => k.Id, k => k.Format);

    /// <summary>The supported types, for messages.</summary>
    public static string Supported { get; } = string.Join(", ", Known.Select(k => k.Format.ToString()));

    /// <summary>The format of a type id; false for a type that is not read.</summary>
    public static bool TryGetFormat(uint id, out NumberFormat format) => ById.TryGetValue(id, out format);

    /// <summary>ggml's name of a type that is not read, or its number.</summary>
    public static string NameOf(uint id) => Foreign.TryGetValue(id, out string? name) ? name : $"number {id}";

    /// <summary>The number of a format in a file; null where ggml has none (8-bit floats).</summary>
    public static uint? IdOf(NumberFormat format)
    {
        foreach ((uint id, NumberFormat known) in Known)
            if (known == format) return id;
        return null;
    }
}
