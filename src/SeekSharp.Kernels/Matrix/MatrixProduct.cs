namespace SeekSharp.Kernels;

/// <summary>One product of a parallel region: y[i, r] = Σ_k x[rows[i], k] · w[r, k] + bias[r], for i &lt; m.</summary>
internal unsafe struct ProductJob
{
    /// <summary>Weights [Rows, Cols].</summary>
    public PackedMatrix Weights;
    /// <summary>Activations; their Cols are the weights'.</summary>
    public ActivationBuffer Input;
    /// <summary>Which rows of the activations, m of them; null for 0 … m − 1.</summary>
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

/// <summary>Products of activations and packed weights. A row's result depends on that row and the weights alone.</summary>
internal static unsafe class MatrixProduct
{
    /// <summary>y[M, Rows] = x[M, Cols] · Wᵀ (+ bias).</summary>
    public static void Run(PackedMatrix w, ActivationBuffer x, int m, float* y, int yStride, float* bias, Arithmetic arithmetic, KernelTable kernels, WorkerPool pool)
    {
        var job = new ProductJob { Weights = w, Input = x, Count = m, Output = y, OutputStride = yStride, Bias = bias };
        Run(new ReadOnlySpan<ProductJob>(in job), arithmetic, kernels, pool);
    }

    /// <summary>Independent products in one parallel region.</summary>
    public static void Run(ReadOnlySpan<ProductJob> jobs, Arithmetic arithmetic, KernelTable kernels, WorkerPool pool)
    {
        foreach (ProductJob job in jobs)
        {
            var work = new PlainWork { Job = job };
            pool.Run(job.Weights.Rows, ref work);
        }
    }

    private struct PlainWork : IParallelWork
    {
        public ProductJob Job;

        public void Run(int item, int worker)
        {
            int cols = Job.Weights.Cols;
            float[] w = new float[cols];
            Job.Weights.DecodeRow(item, w);
            for (int i = 0; i < Job.Count; i++)
            {
                float* x = Job.Input.Row(Job.InputRows == null ? i : Job.InputRows[i]);
                float sum = 0;
                for (int k = 0; k < cols; k++) sum = MathF.FusedMultiplyAdd(x[k], w[k], sum);
                Job.Output[(long)i * Job.OutputStride + item] = sum + (Job.Bias == null ? 0 : Job.Bias[item]);
            }
        }
    }
}
