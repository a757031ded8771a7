using System.Runtime.InteropServices;

namespace SeekSharp.Kernels;

/// <summary>
/// The matrix unit of Intel's server cores since 2023 (Advanced Matrix Extensions, Intel SDM volume 1, chapter 18): eight tiles of 16 rows × 64 bytes; one instruction multiplies 16 × 32 by 32 × 16
/// numbers in bf16. Linux gives a process the right to the tiles' state when it asks for it.
/// </summary>
internal static unsafe partial class MatrixUnit
{
    private const int ArchPrctl = 158, RequestPermission = 0x1023, TileData = 18; // arch/x86/include/uapi/asm/prctl.h

    /// <summary>The environment variable that leaves the unit alone where it is 0.</summary>
    public const string Variable = "SEEKSHARP_AMX";

    /// <summary>Has this process the unit with bf16? Asked of processor and system once.</summary>
    public static bool IsSupported => Support.Value;

    private static readonly Lazy<bool> Support = new(() =>
    {
        if (!OperatingSystem.IsLinux() || !MachineProbe.HasMatrixUnit || Environment.GetEnvironmentVariable(Variable) == "0") return false;
        try
        {
            return syscall(ArchPrctl, RequestPermission, TileData) == 0;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return false;
        }
    });

    [LibraryImport("libc")]
    private static partial long syscall(long number, long first, long second);
}
