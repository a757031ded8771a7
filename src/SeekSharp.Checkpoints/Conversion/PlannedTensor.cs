using SeekSharp.Kernels;

namespace SeekSharp.Checkpoints;

/// <summary>A tensor of a GGUF file that is to be written.</summary>
/// <param name="Name">Its GGUF name.</param>
/// <param name="Shape">Dimensions, outermost first.</param>
/// <param name="Rows">Its values.</param>
/// <param name="Format">How it will be stored.</param>
internal sealed record PlannedTensor(string Name, long[] Shape, TensorRows Rows, NumberFormat Format);
