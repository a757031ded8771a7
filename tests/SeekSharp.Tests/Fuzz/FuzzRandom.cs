namespace SeekSharp.Tests.Fuzz;

/// <summary>Draws of one mutant: determined by seed and index alone, so that any mutant can be made again.</summary>
internal sealed class FuzzRandom(ulong seed, long index)
{
    private static readonly ulong[] Interesting =
    [
        0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 33, 63, 64, 127, 128, 255, 256, 257, 1000, 4095, 4096, 65535, 65536, 1 << 20, 1 << 24, 1 << 30, int.MaxValue, 1UL << 31,
        uint.MaxValue, 1UL << 32, (1UL << 32) + 1, 1UL << 40, 1UL << 53, 1UL << 60, 1UL << 62, long.MaxValue, 1UL << 63, ulong.MaxValue, ulong.MaxValue - 1, ulong.MaxValue - 31,
    ];

    private ulong _state = Mix(seed ^ Mix((ulong)index + 0x9E3779B97F4A7C15));

    /// <summary>64 random bits (SplitMix64).</summary>
    public ulong Bits()
    {
        _state += 0x9E3779B97F4A7C15;
        return Mix(_state);
    }

    /// <summary>0 … below.</summary>
    public int Next(int below) => below <= 1 ? 0 : (int)(Bits() % (ulong)below);

    public long Next(long below) => below <= 1 ? 0 : (long)(Bits() % (ulong)below);

    /// <summary>True once in <paramref name="times"/>.</summary>
    public bool Once(int times) => Next(times) == 0;

    public T Pick<T>(IReadOnlyList<T> from) => from[Next(from.Count)];

    /// <summary>A number that hurts, near the given one or at a limit.</summary>
    public ulong Number(ulong near) => Next(6) switch
    {
        0 => near + 1,
        1 => near - 1,
        2 => near * 2,
        3 => near / 2,
        4 => Bits() >> Next(64),
        _ => Pick(Interesting),
    };

    /// <summary>Bits of a float that hurts: NaN, infinities, subnormals, huge, or any.</summary>
    public uint FloatBits() => Next(7) switch
    {
        0 => 0x7FC00000,
        1 => 0x7F800000,
        2 => 0xFF800000,
        3 => 0x00000001,
        4 => 0x7F7FFFFF,
        5 => 0x80000000,
        _ => (uint)Bits(),
    };

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
