namespace SeekSharp.Kernels;

/// <summary>Work cut into items that any thread may do in any order: an item's result depends on its index alone.</summary>
internal interface IParallelWork
{
    /// <summary>Does one item.</summary>
    /// <param name="item">0 … items − 1.</param>
    /// <param name="worker">0 … threads − 1, of the thread that does it: for scratch memory.</param>
    void Run(int item, int worker);
}
