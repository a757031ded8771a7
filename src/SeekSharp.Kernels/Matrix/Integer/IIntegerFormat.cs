namespace SeekSharp.Kernels;

/// <summary>How the vectors of a packed integer format come out of a record (<see cref="PackedLayout"/>). All of it is inlined.</summary>
internal unsafe interface IIntegerFormat<F, I>
    where F : struct
    where I : struct
{
    static abstract NumberFormat Format { get; }

    /// <summary>Blocks of 32 inputs in a record.</summary>
    static abstract int Blocks { get; }
    static abstract int Header { get; }
    /// <summary>Bytes of a block's codes.</summary>
    static abstract int CodeBytes { get; }

    /// <summary>
    /// Signed codes are widened to 16 bits for products. Unsigned ones are multiplied as bytes and summed in 16 bits; what the zero point takes off
    /// is where those sums start, so that they stay within 16 bits for <see cref="Runs"/> runs a block.
    /// </summary>
    static abstract bool Signed { get; }
    /// <summary>1: one 16-bit sum for 32 inputs; 2: one for 16.</summary>
    static abstract int Runs { get; }
    static abstract int Zero { get; }
    static abstract bool HasSub { get; }
    /// <summary>The two halves of a block have scales of their own.</summary>
    static abstract bool Halves { get; }
    static abstract bool HasMin { get; }
    /// <summary>The two halves of a block have minima of their own.</summary>
    static abstract bool TwoMins { get; }

    static abstract void Codes(byte* codes, int quad, int pair, out I low, out I high);
    /// <summary>Scales of outputs <paramref name="row"/> …</summary>
    static abstract F Scale(byte* record, int row);
    /// <summary>Small scales of a part, 16 inputs: part = 2 · block + half.</summary>
    static abstract I Sub(byte* record, int part, int row);
    /// <summary>What is added to a part's values.</summary>
    static abstract F Min(byte* record, int part, int row);
}
