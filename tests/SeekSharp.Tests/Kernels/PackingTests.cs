using System.Runtime.InteropServices;
using SeekSharp.Kernels;
using Xunit;

namespace SeekSharp.Tests.Kernels;

/// <summary>The vectorized packers against their plain twin, byte for byte, into memory that is not zero.</summary>
public sealed unsafe class PackingTests
{
    public static TheoryData<NumberFormat> Formats() => [.. TestMatrix.Formats];

    // Lengths on both sides of a chunk of 256 inputs, of a cache line, and odd ones.
    private static int[] Columns(NumberFormat format) => NumberFormats.BlockSize(format) switch
    {
        1 => [1, 2, 7, 16, 31, 32, 64, 65, 130, 577],
        32 => [32, 224, 256, 288, 576, 1408],
        _ => [256, 512, 768],
    };

    [Theory]
    [MemberData(nameof(Formats))]
    public void Every_format_is_packed_as_its_plain_twin_does(NumberFormat format)
    {
        foreach (int cols in Columns(format))
            foreach (int rows in new[] { 32, 33, 95 })
            {
                using var matrix = new TestMatrix(format, rows, cols, rows + cols);
                AssertPacked(matrix, format, $"{format}, {rows} × {cols}");
            }
    }

    [Theory]
    [InlineData(NumberFormat.F16)]
    [InlineData(NumberFormat.F8E4M3)]
    public void A_number_that_is_not_finite_makes_the_matrix_wide(NumberFormat format)
    {
        using var matrix = new TestMatrix(format, 96, 64, 1);
        byte* last = matrix.Row(95) + matrix.RowBytes;
        if (format == NumberFormat.F16) ((ushort*)last)[-1] = 0x7C00;
        else last[-1] = 0x7F;
        using var pool = new WorkerPool(2);
        using PackedMatrix packed = matrix.Pack(KernelTable.Current, pool);
        Assert.Equal(NumberFormat.F32, packed.Stored);
        var row = new float[64];
        packed.DecodeRow(95, row);
        Assert.False(float.IsFinite(row[63]));
        packed.DecodeRow(94, row);
        Assert.All(row, v => Assert.True(float.IsFinite(v)));
        AssertPacked(matrix, NumberFormat.F32, "as F32");
    }

    [Fact]
    public void Slices_cover_the_source_once_and_the_memory_may_come_from_an_arena()
    {
        using var matrix = new TestMatrix(NumberFormat.F32, 700, 8192, 3); // 23 MB: two slices
        using var pool = new WorkerPool(2);
        using var arena = new NativeArena();
        long done = 0;
        int slices = 0;
        using PackedMatrix packed = PackedMatrix.Pack(matrix.Format, matrix.Rows, matrix.Cols, (nint)matrix.Row(0), null, KernelTable.Current, pool, arena, (address, bytes) =>
        {
            Assert.Equal((nint)matrix.Row(0) + (nint)done, address);
            done += bytes;
            slices++;
        });
        Assert.Equal(matrix.Rows * matrix.RowBytes, done);
        Assert.Equal(2, slices);
        using PackedMatrix own = matrix.Pack(KernelTable.Current, pool);
        float[] a = new float[matrix.Cols], b = new float[matrix.Cols];
        foreach (int row in new[] { 0, 511, 512, 699 })
        {
            packed.DecodeRow(row, a);
            own.DecodeRow(row, b);
            Assert.Equal(b, a);
        }
    }

    [Fact]
    public void An_arena_gives_zeroed_pieces_that_do_not_touch()
    {
        using var arena = new NativeArena();
        nint end = 0;
        foreach (long bytes in new long[] { 1, 64, 100, 5 << 20, 300 << 20, 1 })
        {
            byte* piece = arena.Take(bytes);
            Assert.Equal(0, (nint)piece % 64);
            Assert.True((nint)piece >= end || (nint)piece + (nint)bytes <= end);
            Assert.Equal(0, piece[0] | piece[bytes - 1]);
            piece[0] = piece[bytes - 1] = 1;
            end = (nint)piece + (nint)bytes;
        }
    }

    private static void AssertPacked(TestMatrix matrix, NumberFormat stored, string what)
    {
        long panelBytes = PackedLayout.PanelBytes(stored, matrix.Cols);
        int panels = (matrix.Rows + 31) / 32;
        byte* packed = (byte*)NativeMemory.AlignedAlloc((nuint)(panels * panelBytes), 64), twin = (byte*)NativeMemory.AlignedAlloc((nuint)panelBytes, 64);
        try
        {
            new Span<byte>(packed, checked((int)(panels * panelBytes))).Fill(0xA5);
            fixed (float* scales = matrix.Scales)
            {
                var packer = new PanelPacker
                {
                    Format = matrix.Format,
                    Stored = stored,
                    Rows = matrix.Rows,
                    Cols = matrix.Cols,
                    Source = matrix.Row(0),
                    Result = packed,
                    PanelBytes = panelBytes,
                    Scales = scales,
                };
                for (int p = 0; p < panels; p++)
                {
                    packer.Run(p, 0);
                    PlainPacker.Pack(matrix.Format, stored, matrix.Cols, matrix.Row(32 * p), Math.Min(32, matrix.Rows - 32 * p), twin, panelBytes,
                        scales == null ? null : scales + 32 * p / 128 * ((matrix.Cols + 127) / 128));
                    ReadOnlySpan<byte> expected = new(twin, (int)panelBytes), found = new(packed + p * panelBytes, (int)panelBytes);
                    int same = expected.CommonPrefixLength(found);
                    Assert.True(same == panelBytes, $"{what}: panel {p} differs from byte {same} of {panelBytes}");
                }
            }
        }
        finally
        {
            NativeMemory.AlignedFree(packed);
            NativeMemory.AlignedFree(twin);
        }
    }
}
