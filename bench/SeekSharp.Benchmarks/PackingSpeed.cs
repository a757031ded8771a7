using SeekSharp.Kernels;

namespace SeekSharp.Benchmarks;

/// <summary>
/// How fast one thread packs panels: <c>dotnet run -c Release --project bench/SeekSharp.Benchmarks -- pack [formats]</c>. GB of the file's bytes a second of the thread's CPU time, best of
/// several rounds, from memory and into memory that has been touched before.
/// </summary>
internal static unsafe class PackingSpeed
{
    private const int Rows = 4096, Cols = 2048;

    public static void Run(string[] names)
    {
        NumberFormat[] formats = names.Length > 0 ? [.. names[0].Split(',').Select(name => Enum.Parse<NumberFormat>(name, true))] : [.. Enum.GetValues<NumberFormat>().Where(PackedLayout.HasProduct)];
        foreach (NumberFormat format in formats)
        {
            long bytes = Rows * NumberFormats.ByteCount(format, Cols), panelBytes = PackedLayout.PanelBytes(format, Cols);
            using var source = new NativeBuffer(bytes);
            using var result = new NativeBuffer(Rows / 32 * panelBytes);
            new Span<byte>(source.Address, (int)bytes).Fill(0x3B);
            var packer = new PanelPacker { Format = format, Stored = format, Rows = Rows, Cols = Cols, Source = source.Address, Result = result.Address, PanelBytes = panelBytes };
            double best = double.MaxValue;
            for (int round = 0; round < 8; round++)
            {
                double start = Program.ThreadSeconds();
                for (int p = 0; p < Rows / 32; p++) packer.Run(p, 0);
                best = Math.Min(best, Program.ThreadSeconds() - start);
            }
            Console.WriteLine($"{format,-8} {bytes / best / 1e9,6:F1} GB/s");
        }
    }
}
