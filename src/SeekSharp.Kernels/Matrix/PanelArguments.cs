using System.Runtime.Intrinsics;

namespace SeekSharp.Kernels;

/// <summary>What a panel kernel needs to know of a product.</summary>
internal unsafe struct PanelArguments
{
    /// <summary>The first panel, and bytes from a panel to the next.</summary>
    public byte* Panels;
    public long PanelBytes;
    /// <summary>The matrix: outputs, inputs.</summary>
    public int Rows, Cols;
    /// <summary>FP8: scales [ceil(Rows/128), ceil(Cols/128)]; null for ones.</summary>
    public float* BlockScales;
    /// <summary>Activations as the kernel wants them, and bytes from a row to the next.</summary>
    public byte* Input;
    public long InputBytes;
    /// <summary>Rows of the activations; null for 0, 1, ….</summary>
    public int* InputRows;
    public float* Output;
    public int OutputStride;
    /// <summary>The result is added to what is there.</summary>
    public bool Adds;
    /// <summary>[Rows]; null without.</summary>
    public float* Bias;
    /// <summary>The assembled tier's tiles for the format.</summary>
    public AssembledTiles* Tiles;

    /// <summary>The activations of row <paramref name="i"/> of the product.</summary>
    public readonly byte* Row(int i) => Input + (InputRows == null ? i : InputRows[i]) * InputBytes;

    /// <summary>Writes the sums [count][32] of a panel, or adds them to what is there.</summary>
    public readonly void Finish(int panel, int first, int count, float* sums)
    {
        int row = panel * PackedLayout.Width, width = Math.Min(PackedLayout.Width, Rows - row);
        float* bias = Bias == null ? null : Bias + row;
        for (int i = 0; i < count; i++, sums += PackedLayout.Width)
        {
            float* y = Output + (long)(first + i) * OutputStride + row;
            int j = 0;
            for (; j + 8 <= width; j += 8)
            {
                Vector256<float> sum = Vector256.Load(sums + j);
                if (bias != null) sum += Vector256.Load(bias + j);
                if (Adds) sum += Vector256.Load(y + j);
                sum.Store(y + j);
            }
            for (; j < width; j++)
            {
                float sum = bias != null ? sums[j] + bias[j] : sums[j];
                y[j] = Adds ? sum + y[j] : sum;
            }
        }
    }
}
