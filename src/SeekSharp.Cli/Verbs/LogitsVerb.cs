using System.CommandLine;
using SeekSharp.Checkpoints;
using SeekSharp.Cli.Terminal;
using SeekSharp.Kernels;
using SeekSharp.Models;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp logits</c>: what a model says after every token, as a file for comparisons.</summary>
internal static class LogitsVerb
{
    internal static Command Create()
    {
        Argument<string> model = ModelArgument.Create();
        var tokens = new Option<string>("--tokens") { Description = "A JSON array of token ids", Required = true, HelpName = "FILE" };
        var output = new Option<string>("--out") { Description = "Where to write: tensor logits, F32 [T, vocabulary], and mtp_logits where the model has that layer", Required = true, HelpName = "FILE.safetensors" };
        Option<int?> chunk = Range.AtLeast(new Option<int?>("--chunk") { Description = "Tokens that go through the layers at once (default 512); changes no bit", HelpName = "N" }, 1);
        var compute = new ComputeOptions();
        var command = new Command("logits", "Write a model's logits for given token ids") { model, tokens, output, chunk };
        compute.AddTo(command);
        command.SetAction(parsed =>
        {
            int[] ids = TokenFile.Read(parsed.GetRequiredValue(tokens));
            if (ids.Length == 0) throw new CliException($"{parsed.GetRequiredValue(tokens)}: expected at least one token id");
            using ModelFolder folder = ModelArgument.Open(parsed.GetRequiredValue(model));
            using LanguageModel loaded = ModelArgument.Load(folder, compute.Read(parsed, parsed.GetValue(chunk), multiTokenPrediction: true));
            Write(loaded, ids, parsed.GetRequiredValue(output));
            return 0;
        });
        return command;
    }

    private static void Write(LanguageModel model, int[] ids, string path)
    {
        if (ids.Length > model.ContextLength) throw new CliException($"the prompt has {ids.Length} tokens, the context holds {model.ContextLength}");
        int vocabulary = model.VocabularySize;
        bool mtp = model.HasMultiTokenPrediction && ids.Length > 1;
        using KvCache cache = model.CreateCache(mtp);
        var tensors = new List<(string, NumberFormat, long[])> { ("logits", NumberFormat.F32, [ids.Length, vocabulary]) };
        if (mtp) tensors.Add(("mtp_logits", NumberFormat.F32, [ids.Length - 1, vocabulary]));
        using var writer = new SafetensorsWriter(path, tensors);
        using var progress = new ProgressLine("computing");
        // As many rows at a time as a chunk has, or as 256 MiB hold.
        int rows = Math.Clamp((64 << 20) / vocabulary, 1, model.Options.ChunkSize);
        var logits = new float[(long)rows * vocabulary];
        var laterRows = new List<float[]>();
        for (int at = 0; at < ids.Length; at += rows)
        {
            int count = Math.Min(rows, ids.Length - at);
            var further = new float[mtp ? (count - (at == 0 ? 1 : 0)) * (long)vocabulary : 0];
            Span<float> part = logits.AsSpan(0, count * vocabulary);
            model.ForwardAll(cache, ids.AsSpan(at, count), part, further);
            writer.Write(part);
            laterRows.Add(further);
            progress.Report((double)(at + count) / ids.Length);
        }
        foreach (float[] further in laterRows) writer.Write(further);
        writer.Complete();
    }
}
