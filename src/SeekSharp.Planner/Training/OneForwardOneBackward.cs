namespace SeekSharp.Planner;

/// <summary>
/// 1F1B (PipeDream-Flush, arXiv 2104.04473): a rank fills the pipeline, then alternates one forward and one backward chunk. With several chunks a rank (interleaving,
/// section 2.2 there) micro-batches go round the ranks that many times, and the bubble shrinks by as much.
/// </summary>
internal static class OneForwardOneBackward
{
    /// <param name="ranks">GPUs one behind the other.</param>
    /// <param name="batches">Micro-batches.</param>
    /// <param name="chunks">Pieces of the model that a rank holds; stage c·ranks + rank is its piece c.</param>
    /// <exception cref="PlannerException">Interleaving needs micro-batches in whole rounds.</exception>
    public static PipelineSchedule Create(int ranks, int batches, int chunks = 1)
    {
        if (chunks > 1 && batches % ranks != 0) throw new PlannerException($"1f1b with v{chunks}: {batches} micro-batches are no multiple of pp{ranks}");
        int slots = batches * chunks;
        var order = new IReadOnlyList<PipelineStep>[ranks];
        for (int rank = 0; rank < ranks; rank++)
        {
            int ahead = Math.Min(slots, chunks == 1 ? ranks - rank - 1 : (ranks - rank - 1) * 2 + (chunks - 1) * ranks);
            var steps = new List<PipelineStep>();
            for (int i = 0; i < ahead; i++) steps.Add(Forward(i, rank));
            for (int i = ahead; i < slots; i++)
            {
                steps.Add(Forward(i, rank));
                steps.Add(Backward(i - ahead, rank));
            }
            for (int i = slots - ahead; i < slots; i++) steps.Add(Backward(i, rank));
            order[rank] = steps;
        }
        return new PipelineSchedule("1f1b", ranks, ranks * chunks, batches, 1, order);

        // A round takes `ranks` micro-batches through a rank's first piece, then through its second, …
        PipelineStep Forward(int slot, int rank) => new(PipelineOp.Forward, Batch(slot), Piece(slot) * ranks + rank);
        PipelineStep Backward(int slot, int rank) => new(PipelineOp.Backward, Batch(slot), (chunks - 1 - Piece(slot)) * ranks + rank);
        int Piece(int slot) => chunks == 1 ? 0 : slot % (ranks * chunks) / ranks;
        int Batch(int slot) => chunks == 1 ? slot : slot / (ranks * chunks) * ranks + slot % ranks;
    }
}
