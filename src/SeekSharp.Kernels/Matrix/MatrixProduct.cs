using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>One product of a parallel region: y[i, r] = Σ_k x[rows[i], k] · w[r, k] + bias[r], for i &lt; Count.</summary>
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
}

/// <summary>
/// Products of activations and packed weights. Work is cut by panels of 32 outputs and by rows of activations, never along a sum: a row's result depends on
/// that row and the weights alone, whatever else is computed beside it and by however many threads.
/// </summary>
internal static unsafe class MatrixProduct
{
    // Rows that share a panel's expanded chunks: sums of 16 KB.
    private const int RowsPerItem = 128;
    private const int JobsPerRegion = 256;
    private const long ScratchBytes = 96 << 10;

    // With few rows an item is several panels: memory is read in long runs.
    private const int FewRows = 16, ItemsPerThread = 16, MostPanels = 16;

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
        long fewRowsPanels = 0;
        foreach (ref readonly ProductJob job in jobs)
            if (job.Count <= FewRows) fewRowsPanels += job.Weights.Panels;
        int group = (int)Math.Clamp(fewRowsPanels / (ItemsPerThread * pool.Threads), 1, MostPanels);
        foreach (ref readonly ProductJob job in jobs)
        {
            PackedMatrix w = job.Weights;
            if (job.Input.Cols != w.Cols) throw new ArgumentException($"activations of {job.Input.Cols} numbers for a matrix of {w.Cols} inputs");
            if (job.InputRows == null && job.Count > job.Input.Count) throw new ArgumentException($"{job.Count} rows of {job.Input.Count}");
            if (job.Count <= 0) continue;
            PanelArguments a = w.Arguments();
            a.Input = job.Input.Form(w.InputForm(arithmetic, kernels), out a.InputBytes, kernels, pool);
            a.InputRows = job.InputRows;
            a.Output = job.Output;
            a.OutputStride = job.OutputStride;
            a.Bias = job.Bias;
            a.Tiles = kernels.Tiles(w.Stored);
            int pieces = (job.Count - 1) / RowsPerItem + 1;
            ref Prepared p = ref prepared[count++];
            p.Arguments = a;
            p.Pieces = pieces;
            p.Panels = w.Panels;
            p.Group = job.Count <= FewRows ? group : 1;
            p.Rows = job.Count;
            p.Product = kernels.Product(w.Stored);
            p.Floats = kernels.Floats(w.Stored);
            items = checked(items + ((w.Panels - 1) / p.Group + 1) * pieces);
            p.End = items;
        }
        var work = new Work { Jobs = prepared, Pool = pool, Exact = arithmetic == Arithmetic.Exact ? kernels.ExactProduct : null };
        pool.Run(items, ref work);
    }

    private struct Prepared
    {
        public PanelArguments Arguments;
        public int Pieces, Panels, Group, Rows, End;
        public delegate*<PanelArguments*, int, int, int, byte*, void> Product;
        public delegate*<PanelArguments*, int, int, int, float*, byte*, void> Floats;
    }

    private struct Work : IParallelWork
    {
        public Prepared* Jobs;
        public WorkerPool Pool;
        public delegate*<PanelArguments*, int, int, int, byte*, delegate*<PanelArguments*, int, int, int, float*, byte*, void>, void> Exact;

        [SkipLocalsInit]
        public readonly void Run(int item, int worker)
        {
            Prepared* job = Jobs;
            int start = 0;
            for (; item >= job->End; job++) start = job->End;
            item -= start;
            int panel = item / job->Pieces * job->Group, end = Math.Min(panel + job->Group, job->Panels);
            int first = item % job->Pieces * RowsPerItem, count = Math.Min(RowsPerItem, job->Rows - first);
            byte* scratch = Pool.Scratch(worker, ScratchBytes);
            for (; panel < end; panel++)
            {
                if (Exact != null) Exact(&job->Arguments, panel, first, count, scratch, job->Floats);
                else job->Product(&job->Arguments, panel, first, count, scratch);
            }
        }
    }
}
