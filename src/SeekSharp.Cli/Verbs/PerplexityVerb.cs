using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using SeekSharp.Chat;
using SeekSharp.Checkpoints;
using SeekSharp.Cli.Terminal;
using SeekSharp.Models;
using SeekSharp.Tokenization;

namespace SeekSharp.Cli.Verbs;

/// <summary>
/// <c>seeksharp perplexity</c>: how surprised a model is by a text. The text is tokenized whole, special tokens as plain text, no BOS; windows do not
/// overlap, each begins with an empty cache, and its tokens from the second on are predicted from those before. The mean is taken in float64.
/// With <c>--second-half</c> as llama.cpp's tool: whole windows only, tokens behind the middle one count, and a tokenizer's BOS begins the text and takes the
/// place of each window's first token.
/// </summary>
internal static class PerplexityVerb
{
    /// <summary>Rows of logits that are held at a time.</summary>
    private const int Rows = 64;

    internal static Command Create()
    {
        Argument<string> model = ModelArgument.Create();
        var file = new Argument<string>("FILE") { Description = "A text, UTF-8" };
        var window = new Option<int>("--window") { Description = "Tokens in a window", DefaultValueFactory = _ => 512, HelpName = "N" };
        Range.AtLeast(window, 2);
        var secondHalf = new Option<bool>("--second-half") { Description = "Count only the second half of whole windows, as llama.cpp's tool does" };
        Option<bool> json = JsonOutput.Create();
        var compute = new ComputeOptions();
        var command = new Command("perplexity", "Measure a model on a text") { model, file, window, secondHalf, json };
        compute.AddTo(command);
        command.SetAction(parsed => Run(parsed.GetRequiredValue(model), parsed.GetRequiredValue(file), parsed.GetValue(window), parsed.GetValue(secondHalf), parsed.GetValue(json), compute.Read(parsed)));
        return command;
    }

    private static int Run(string modelName, string file, int window, bool secondHalf, bool json, ModelOptions options)
    {
        string text = File.ReadAllText(file, new UTF8Encoding(false));
        using ModelFolder folder = ModelArgument.Open(modelName);
        Tokenizer tokenizer = ModelArgument.Tokenizer(folder);
        int[] beginning = secondHalf ? ChatModel.Beginning(tokenizer) : [];
        int[] ids = [.. beginning, .. tokenizer.Encode(text, addSpecialTokens: false, parseSpecial: false)];
        if (secondHalf && window < 4) throw new CliException($"--window {window}: the second half of a window needs at least 4 tokens");
        int least = secondHalf ? window : 2;
        if (ids.Length < least) throw new CliException($"{file}: {ids.Length} tokens, expected at least {least}");
        using LanguageModel model = ModelArgument.Load(folder, options);
        if (window > model.ContextLength) throw new CliException($"a window of {window} tokens is longer than the context of {model.ContextLength}");

        using Interrupts.Scope interrupt = Interrupts.Begin();
        using var progress = new ProgressLine("computing");
        using KvCache cache = model.CreateCache();
        var logits = new float[Rows * (long)model.VocabularySize];
        double sum = 0;
        int predictions = 0, windows = 0;
        for (int start = 0; start + least <= ids.Length; start += window)
        {
            int length = Math.Min(window, ids.Length - start);
            int first = secondHalf ? window / 2 + 1 : 1; // the first token that counts
            if (beginning.Length == 1) ids[start] = beginning[0];
            cache.Truncate(0);
            for (int at = 0; at < length; at += Rows)
            {
                interrupt.Token.ThrowIfCancellationRequested();
                int count = Math.Min(Rows, length - at);
                Span<float> rows = logits.AsSpan(0, count * model.VocabularySize);
                model.ForwardAll(cache, ids.AsSpan(start + at, count), rows);
                for (int row = Math.Max(0, first - 1 - at); row < count && at + row + 1 < length; row++)
                {
                    sum -= LogProbability(rows.Slice(row * model.VocabularySize, model.VocabularySize), ids[start + at + row + 1]);
                    predictions++;
                }
                progress.Report((double)(start + at) / ids.Length);
            }
            windows++;
        }
        progress.Dispose();
        double perplexity = Math.Exp(sum / predictions);
        if (json)
            JsonOutput.Write(new JsonObject
            {
                ["perplexity"] = perplexity,
                ["tokens"] = ids.Length,
                ["predictions"] = predictions,
                ["windows"] = windows,
                ["window"] = window,
                ["second_half"] = secondHalf,
                ["mean_negative_log_likelihood"] = sum / predictions,
            });
        else
            Console.Out.WriteLine($"perplexity {perplexity:0.000000}   ({predictions} predictions in {windows} windows of {window}; {ids.Length} tokens)");
        return 0;
    }

    /// <summary>ln p of one id, in float64 over the whole vocabulary.</summary>
    private static double LogProbability(ReadOnlySpan<float> logits, int id)
    {
        float max = float.NegativeInfinity;
        foreach (float logit in logits) max = Math.Max(max, logit);
        double sum = 0;
        foreach (float logit in logits) sum += Math.Exp((double)logit - max);
        return (double)logits[id] - max - Math.Log(sum);
    }
}
