using SeekSharp.Chat;
using SeekSharp.Cli.Terminal;

namespace SeekSharp.Cli.Run;

/// <summary>Runs an answer to its end, or to Ctrl+C.</summary>
internal static class AnswerLoop
{
    /// <param name="generation">The answer.</param>
    /// <param name="printer">Who shows it; null for nobody.</param>
    public static Answer Run(Generation generation, AnswerPrinter? printer)
    {
        using Interrupts.Scope interrupt = Interrupts.Begin();
        using var progress = new ProgressLine("reading the prompt");
        try
        {
            for (bool more = true; more;)
            {
                more = generation.Step();
                if (generation.PromptDone < generation.PromptLength) progress.Report((double)generation.PromptDone / generation.PromptLength);
                else progress.Dispose();
                printer?.Print(generation, generation.Pieces);
                if (!more || !interrupt.Token.IsCancellationRequested) continue;
                generation.Cancel();
                printer?.Print(generation, generation.Pieces);
                break;
            }
        }
        finally
        {
            progress.Dispose();
            printer?.End();
        }
        return generation.Result();
    }
}
