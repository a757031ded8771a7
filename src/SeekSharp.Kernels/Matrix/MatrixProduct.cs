using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>
/// One product of a parallel region: y[i, r] = Σ_k x[rows[i], k] · w[r, k] + bias[r], for i &lt; Count; or, with <see cref="Up"/>, silu of that times the same of the other
/// matrix, which is how a SwiGLU begins, in the form in which the product that follows wants it.
/// </summary>
internal unsafe struct ProductJob
{
    /// <summary>Weights [Rows, Cols].</summary>
    public PackedMatrix Weights;
    /// <summary>Activations; their Cols are the weights'.</summary>
    public ActivationBuffer Input;
    /// <summary>Which rows of the activations, <see cref="Count"/> of them; null for 0, 1, ….</summary>
    public int* InputRows;
    /// <summary>Rows of the result.</summary>
    public int Count;
    /// <summary>The result.</summary>
    public float* Output;
    /// <summary>From a row of the result to the next, in floats.</summary>
    public int OutputStride;
    /// <summary>[Rows]; null without.</summary>
    public float* Bias;
    /// <summary>The result is added to what is there.</summary>
    public bool Adds;

    /// <summary>The second matrix of a SwiGLU, of the first one's shape; null without. Its result's rows are <see cref="Gated"/>'s from <see cref="GatedRow"/> on, in place of <see cref="Output"/>.</summary>
    public PackedMatrix? Up;
    /// <summary>[Rows]; null without.</summary>
    public float* UpBias;
    public ActivationBuffer Gated;
    public int GatedRow;
    /// <summary>What the product after wants of <see cref="Gated"/>, the only form that its rows then have.</summary>
    public ActivationForm GatedForm;
}

/// <summary>What products took: from their regions' beginning to their end, without the preparing of activations.</summary>
/// <param name="Operations">Multiplications and additions.</param>
/// <param name="Ticks">Of <see cref="Stopwatch"/>.</param>
internal readonly record struct ProductTally(double Operations, long Ticks)
{
    /// <summary>10⁹ a second since an earlier reading.</summary>
    public double GopsSince(ProductTally before) => Ticks == before.Ticks ? 0 : (Operations - before.Operations) / ((Ticks - before.Ticks) / (double)Stopwatch.Frequency) / 1e9;
}

/// <summary>
/// Products of activations and packed weights. Work is cut by panels of 32 outputs and by rows of activations, never along a sum: a row's result depends on
/// that row and the weights alone, whatever else is computed beside it and by however many threads.
/// </summary>
internal static unsafe class MatrixProduct
{
    // Rows that share a panel's expanded chunks, at most: sums of 17 KB. A multiple of what tiles take (4, 6, 12), and a job's rows are cut evenly, so that few tiles are not full.
    private const int RowsPerItem = 132, TileRows = 12;
    private const int JobsPerRegion = 256;
    private const int PieceBytes = RowsPerItem * PackedLayout.Width * sizeof(float);
    private const long ScratchBytes = (96 << 10) + 2 * PieceBytes;

    /// <summary>y[M, Rows] = x[M, Cols] · Wᵀ (+ bias).</summary>
    /// <param name="w">Weights.</param>
    /// <param name="x">Activations, at least <paramref name="m"/> rows.</param>
    /// <param name="m">M.</param>
    /// <param name="y">The result; it does not overlap the activations.</param>
    /// <param name="yStride">From a row of the result to the next, in floats.</param>
    /// <param name="bias">[Rows], or null.</param>
    /// <param name="arithmetic">What to compute with.</param>
    /// <param name="kernels">The tier.</param>
    /// <param name="pool">The threads.</param>
    public static void Run(PackedMatrix w, ActivationBuffer x, int m, float* y, int yStride, float* bias, Arithmetic arithmetic, KernelTable kernels, WorkerPool pool)
    {
        var job = new ProductJob { Weights = w, Input = x, Count = m, Output = y, OutputStride = yStride, Bias = bias };
        Run(new ReadOnlySpan<ProductJob>(in job), arithmetic, kernels, pool);
    }

    /// <summary>Independent products in one parallel region (q, k and v; gate and up; all experts of a step).</summary>
    /// <exception cref="ArgumentException">Activations and weights do not fit each other.</exception>
    public static void Run(ReadOnlySpan<ProductJob> jobs, Arithmetic arithmetic, KernelTable kernels, WorkerPool pool)
    {
        for (; jobs.Length > JobsPerRegion; jobs = jobs[JobsPerRegion..]) Region(jobs[..JobsPerRegion], arithmetic, kernels, pool);
        Region(jobs, arithmetic, kernels, pool);
    }

    private static void Region(ReadOnlySpan<ProductJob> jobs, Arithmetic arithmetic, KernelTable kernels, WorkerPool pool)
    {
        Prepared* prepared = stackalloc Prepared[jobs.Length];
        int items = 0, count = 0;
        double operations = 0;
        foreach (ref readonly ProductJob job in jobs)
        {
            PackedMatrix w = job.Weights;
            if (job.Input.Cols != w.Cols) throw new ArgumentException($"activations of {job.Input.Cols} numbers for a matrix of {w.Cols} inputs");
            if (job.InputRows == null && job.Count > job.Input.Count) throw new ArgumentException($"{job.Count} rows of {job.Input.Count}");
            if (job.Count <= 0) continue;
            ref Prepared p = ref prepared[count++];
            p.First = Prepare(w, job, job.Bias, arithmetic, kernels, pool);
            if (job.Up is { } up)
            {
                if (up.Rows != w.Rows || up.Cols != w.Cols) throw new ArgumentException($"gate of {w.Rows} × {w.Cols}, up of {up.Rows} × {up.Cols}");
                p.Second = Prepare(up, job, job.UpBias, arithmetic, kernels, pool);
                p.HasSecond = true;
                p.Form = job.GatedForm;
                p.FormRows = job.Gated.Room(job.GatedForm, out p.FormRowBytes) + job.GatedRow * p.FormRowBytes;
                p.First.Arguments.Output = job.Gated.Row(job.GatedRow);
                p.First.Arguments.OutputStride = job.Gated.Stride;
            }
            operations += (job.Up is null ? 2.0 : 4.0) * job.Count * w.Rows * w.Cols;
            int pieces = (job.Count - 1) / RowsPerItem + 1;
            p.PieceRows = ((job.Count - 1) / pieces / TileRows + 1) * TileRows;
            p.Rows = job.Count;
            p.Panels = w.Panels;
            items = checked(items + w.Panels * ((job.Count - 1) / p.PieceRows + 1));
            p.End = items;
        }
        var work = new Work { Jobs = prepared, Pool = pool, Kernels = kernels, Exact = arithmetic == Arithmetic.Exact ? kernels.ExactProduct : null };
        long start = Stopwatch.GetTimestamp();
        pool.Run(items, ref work);
        pool.Products = new ProductTally(pool.Products.Operations + operations, pool.Products.Ticks + Stopwatch.GetTimestamp() - start);
        foreach (ref readonly ProductJob job in jobs)
            if (job.Up is not null && job.Count > 0) job.Gated.MadeOnly(job.GatedForm);
    }

    private static Panels Prepare(PackedMatrix w, in ProductJob job, float* bias, Arithmetic arithmetic, KernelTable kernels, WorkerPool pool)
    {
        PanelArguments a = w.Arguments();
        a.Input = job.Input.Form(w.InputForm(arithmetic, kernels), out a.InputBytes, kernels, pool);
        a.InputRows = job.InputRows;
        a.Output = job.Output;
        a.OutputStride = job.OutputStride;
        a.Adds = job.Adds;
        a.Bias = bias;
        a.Tiles = kernels.Tiles(w.Stored);
        return new Panels { Arguments = a, Product = kernels.Product(w.Stored), Floats = kernels.Floats(w.Stored) };
    }

    private struct Panels
    {
        public PanelArguments Arguments;
        public delegate*<PanelArguments*, int, int, int, byte*, void> Product;
        public delegate*<PanelArguments*, int, int, int, float*, byte*, void> Floats;
    }

    private struct Prepared
    {
        public Panels First, Second; // Second: of a SwiGLU
        public bool HasSecond;
        public int Panels, PieceRows, Rows, End;
        public ActivationForm Form;
        public byte* FormRows;
        public long FormRowBytes;
    }

    private struct Work : IParallelWork
    {
        public Prepared* Jobs;
        public WorkerPool Pool;
        public KernelTable Kernels;
        public delegate*<PanelArguments*, int, int, int, byte*, delegate*<PanelArguments*, int, int, int, float*, byte*, void>, void> Exact;

        [SkipLocalsInit]
        public readonly void Run(int item, int worker)
        {
            Prepared* job = Jobs;
            int start = 0;
            for (; item >= job->End; job++) start = job->End;
            item -= start;
            // A piece's rows meet all panels one after the other: they stay in the second-level cache, and to read the weights again for the next piece costs little beside the work on 132 rows.
            int panel = item % job->Panels;
            int first = item / job->Panels * job->PieceRows, count = Math.Min(job->PieceRows, job->Rows - first);
            byte* scratch = Pool.Scratch(worker, ScratchBytes);
            if (job->HasSecond) Gated(job, panel, first, count, scratch);
            else Panel(&job->First, panel, first, count, scratch);
        }

        private readonly void Panel(Panels* p, int panel, int first, int count, byte* scratch)
        {
            if (Exact != null) Exact(&p->Arguments, panel, first, count, scratch, p->Floats);
            else p->Product(&p->Arguments, panel, first, count, scratch);
        }

        // Both products of a panel side by side [count][32], SwiGLU, and each row's 32 numbers to their place in the form that is wanted: as floats they would be written and never read.
        [SkipLocalsInit]
        private readonly void Gated(Prepared* job, int panel, int first, int count, byte* scratch)
        {
            const int Width = PackedLayout.Width;
            float* gate = (float*)scratch, up = gate + RowsPerItem * Width;
            Panels p = job->First;
            Aside(ref p.Arguments, gate);
            Panel(&p, panel, first, count, scratch + 2 * PieceBytes);
            p = job->Second;
            Aside(ref p.Arguments, up);
            Panel(&p, panel, first, count, scratch + 2 * PieceBytes);
            Kernels.SwiGlu(gate, up, gate, count * Width);

            int column = panel * Width, width = Math.Min(Width, job->First.Arguments.Rows - column);
            long offset = ActivationBuffer.Offset(job->Form, column);
            bool floats = job->Form == ActivationForm.Floats;
            for (int i = 0; i < count; i++, gate += Width)
            {
                if (floats) new ReadOnlySpan<float>(gate, width).CopyTo(new Span<float>(job->First.Arguments.Output + (long)(first + i) * job->First.Arguments.OutputStride + column, width));
                else ActivationBuffer.Make(job->Form, gate, width, job->FormRows + (first + i) * job->FormRowBytes + offset, Kernels.Quantize);
            }

            void Aside(ref PanelArguments a, float* place)
            {
                a.Output = place - (first + panel) * (long)Width;
                a.OutputStride = Width;
            }
        }
    }
}
