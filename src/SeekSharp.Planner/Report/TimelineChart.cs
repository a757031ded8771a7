using System.Text;

namespace SeekSharp.Planner;

/// <summary>A pipeline's schedule as it ran: a row for each rank, a box for each chunk.</summary>
internal static class TimelineChart
{
    private const double Width = 1120, Left = 62, Row = 19;

    /// <param name="run">A run; of a long one only the beginning and the end are legible, so the caller simulates few micro-batches.</param>
    /// <param name="ranks">Ranks.</param>
    public static string Draw(PipelineRun run, int ranks)
    {
        double height = ranks * Row + 34, scale = (Width - Left - 8) / run.Makespan;
        var svg = new StringBuilder(Svg.Open(Width, height, "Pipeline schedule"));
        for (int rank = 0; rank < ranks; rank++)
        {
            svg.Append(Svg.Text(Left - 8, rank * Row + 14, $"rank {rank}", "end"));
            svg.Append(Svg.Box(Left, rank * Row + 1, run.Makespan * scale, Row - 3, "idle"));
        }
        foreach (TimedStep t in run.Steps)
        {
            double x = Left + t.Start * scale, y = t.Rank * Row + 1, width = (t.End - t.Start) * scale - 0.6;
            string tip = $"rank {t.Rank}: {Words(t.Step)}, {Quantity.Time(t.Start)} to {Quantity.Time(t.End)}";
            if (t.Step.Op == PipelineOp.ForwardBackward)
            {
                svg.Append(Svg.Box(x, y, width, (Row - 3) / 2, "f", tip)).Append(Svg.Box(x, y + (Row - 3) / 2, width, (Row - 3) / 2, "b", tip));
                continue;
            }
            svg.Append(Svg.Box(x, y, width, Row - 3, t.Step.Op switch { PipelineOp.Forward => "f", PipelineOp.Backward => "b", PipelineOp.BackwardInput => "i", _ => "w" }, tip));
        }
        double bottom = ranks * Row + 24, at = Left;
        foreach ((string kind, string text) in ((string, string)[])[("f", "forward"), ("b", "backward"), ("i", "backward, inputs"), ("w", "backward, weights"), ("idle", "waiting")])
        {
            svg.Append(Svg.Box(at, bottom - 10, 12, 12, kind)).Append(Svg.Text(at + 18, bottom, text, "start"));
            at += 40 + text.Length * 7;
        }
        svg.Append(Svg.Text(Width - 8, bottom, Quantity.Time(run.Makespan), "end"));
        return svg.Append("</svg>").ToString();
    }

    private static string Words(PipelineStep s) => s.Op switch
    {
        PipelineOp.Forward => $"forward of {s.Batch} in stage {s.Stage}",
        PipelineOp.Backward => $"backward of {s.Batch} in stage {s.Stage}",
        PipelineOp.BackwardInput => $"backward of {s.Batch} in stage {s.Stage}, inputs",
        PipelineOp.BackwardWeights => $"backward of {s.Batch} in stage {s.Stage}, weights",
        _ => $"forward of {s.Batch} in stage {s.Stage} beside backward of {s.OtherBatch} in stage {s.OtherStage}",
    };
}
