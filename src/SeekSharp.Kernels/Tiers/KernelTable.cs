using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SeekSharp.Kernels;

/// <summary>
/// The kernels of one tier. Chosen once; what runs afterwards are calls through its pointers, never a question per call.
/// </summary>
internal sealed unsafe partial class KernelTable
{
    /// <summary>The environment variable that overrides the choice.</summary>
    public const string Variable = "SEEKSHARP_KERNELS";

    private static readonly KernelTable?[] Tables = new KernelTable?[4];
    private static KernelTable? s_current;

    // Assembling a function and running it settles whether the system lets us.
    private static readonly Lazy<bool> AssembledSupport = new(() => IsSupported(KernelTier.Vector512) && !OperatingSystem.IsWindows() && MachineProbe.HasVnniAndBF16 && AssembledCode.Works());

    private KernelTable(KernelTier tier)
    {
        Tier = tier;
        Fill();
    }

    /// <summary>The tier that runs.</summary>
    public KernelTier Tier { get; }

    /// <summary>The tier as a user writes it.</summary>
    public string Name => Tier.ToString().ToLowerInvariant();

    /// <summary>A line for the log where the tier asked for is not the one that runs; null otherwise.</summary>
    public static string? Notice { get; private set; }

    /// <summary>The table of this process: as <c>SEEKSHARP_KERNELS</c> says, else the best that the machine has.</summary>
    /// <exception cref="KernelException">The variable names no tier, or one that the machine lacks.</exception>
    public static KernelTable Current => s_current ??= Choose(Environment.GetEnvironmentVariable(Variable));

    /// <summary>The table of a tier; the assembled tier is served by the best tier below it where it cannot run.</summary>
    /// <exception cref="KernelException">The machine lacks the tier.</exception>
    public static KernelTable For(KernelTier tier)
    {
        if (tier == KernelTier.Assembled && !IsSupported(tier)) tier = Best;
        if (!IsSupported(tier)) throw new KernelException($"{Variable}: this machine lacks the tier {tier.ToString().ToLowerInvariant()}; its best is {Best.ToString().ToLowerInvariant()}");
        return Volatile.Read(ref Tables[(int)tier]) ?? Interlocked.CompareExchange(ref Tables[(int)tier], new KernelTable(tier), null) ?? Tables[(int)tier]!;
    }

    /// <summary>Can this machine run the tier as such?</summary>
    public static bool IsSupported(KernelTier tier) => tier switch
    {
        KernelTier.Portable => true,
        KernelTier.Avx2 => Avx2.IsSupported && Fma.IsSupported,
        KernelTier.Vector512 => Vector512.IsHardwareAccelerated && Avx512F.IsSupported && Avx512BW.IsSupported && Avx512DQ.IsSupported && Avx512F.VL.IsSupported,
        KernelTier.Assembled => AssembledSupport.Value,
        _ => false,
    };

    /// <summary>The best tier of this machine.</summary>
    public static KernelTier Best => IsSupported(KernelTier.Assembled) ? KernelTier.Assembled
        : IsSupported(KernelTier.Vector512) ? KernelTier.Vector512
        : IsSupported(KernelTier.Avx2) ? KernelTier.Avx2 : KernelTier.Portable;

    internal static KernelTable Choose(string? name)
    {
        if (string.IsNullOrWhiteSpace(name)) return For(Best);
        foreach (KernelTier tier in Enum.GetValues<KernelTier>())
        {
            if (!string.Equals(name.Trim(), tier.ToString(), StringComparison.OrdinalIgnoreCase)) continue;
            KernelTable table = For(tier);
            if (table.Tier != tier) Notice = $"{Variable}={name.Trim()}: not available here, {table.Name} serves";
            return table;
        }
        throw new KernelException($"{Variable}: expected portable, avx2, vector512 or assembled, found \"{name}\"");
    }
}
