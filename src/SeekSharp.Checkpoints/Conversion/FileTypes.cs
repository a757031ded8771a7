using SeekSharp.Kernels;

namespace SeekSharp.Checkpoints;

/// <summary>A kind of file that quantization makes: one format throughout, or a mix of several.</summary>
/// <param name="Name">As the user writes it.</param>
/// <param name="Id"><c>general.file_type</c>, llama.cpp's <c>LLAMA_FTYPE</c>.</param>
/// <param name="Format">The format of most matrices.</param>
/// <param name="Pure">Every matrix has that format; otherwise the output matrix and what a mix favours have a finer one.</param>
/// <param name="Mix">Also favours the tensors that suffer most (<c>_M</c>).</param>
internal sealed record FileType(string Name, uint Id, NumberFormat Format, bool Pure, bool Mix)
{
    /// <summary>What <c>quantize</c> writes.</summary>
    public static IReadOnlyList<FileType> All { get; } =
    [
        new("F32", 0, NumberFormat.F32, true, false),
        new("F16", 1, NumberFormat.F16, true, false),
        new("BF16", 32, NumberFormat.BF16, true, false),
        new("Q8_0", 7, NumberFormat.Q8_0, false, false),
        new("Q4_0", 2, NumberFormat.Q4_0, false, false),
        new("Q4_1", 3, NumberFormat.Q4_1, false, false),
        new("Q5_0", 8, NumberFormat.Q5_0, false, false),
        new("Q5_1", 9, NumberFormat.Q5_1, false, false),
        new("Q4_K", 14, NumberFormat.Q4_K, true, false),
        new("Q5_K", 16, NumberFormat.Q5_K, true, false),
        new("Q6_K", 18, NumberFormat.Q6_K, false, false),
        new("Q4_K_M", 15, NumberFormat.Q4_K, false, true),
        new("Q5_K_M", 17, NumberFormat.Q5_K, false, true),
    ];

    /// <summary>Finds a type by its name, whatever the case; null where there is none.</summary>
    public static FileType? Find(string name) => All.FirstOrDefault(t => t.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    /// <summary>All names, for help and messages.</summary>
    public static string Names { get; } = string.Join(", ", All.Select(t => t.Name));
}
