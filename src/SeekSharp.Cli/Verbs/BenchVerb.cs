using System.CommandLine;
using SeekSharp.Cli.Bench;
using SeekSharp.Engine;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp bench</c>: how fast a model reads and writes, through the engine that <c>run</c> uses. Its options say which of the measurements it is.</summary>
internal static class BenchVerb
{
    internal static Command Create()
    {
        Argument<string> model = ModelArgument.Create();
        var prefill = new Option<int>("--prefill") { Description = "Tokens to read", DefaultValueFactory = _ => 512, HelpName = "N" };
        var decode = new Option<int>("--decode") { Description = "Tokens to write", DefaultValueFactory = _ => 64, HelpName = "N" };
        var depth = new Option<int>("--depth") { Description = "Tokens that are in the cache before", DefaultValueFactory = _ => 0, HelpName = "N" };
        Range.AtLeast(prefill, 0);
        Range.AtLeast(decode, 0);
        Range.AtLeast(depth, 0);
        var sequences = new Option<int>("--sequences") { Description = "Write the answers of N prompts of 128 tokens (or --depth) together", DefaultValueFactory = _ => 1, HelpName = "N" };
        Range.AtLeast(sequences, 1);
        var join = new Option<int>("--join") { Description = "With --sequences: while they write, a prompt of N tokens joins; tells how long it makes them wait", DefaultValueFactory = _ => 0, HelpName = "N" };
        Range.AtLeast(join, 0);
        var prefix = new Option<int>("--prefix") { Description = "Time to the first token after N tokens that the context cache knows, in memory and on disk, beside the time without", DefaultValueFactory = _ => 0, HelpName = "N" };
        Range.AtLeast(prefix, 0);
        var suffix = new Option<int>("--suffix") { Description = "With --prefix: tokens that it does not know", DefaultValueFactory = _ => 16, HelpName = "N" };
        Range.AtLeast(suffix, 1);
        var copy = new Option<int>("--copy") { Description = "Write a prompt of N tokens again, plainly and with --lookup: what lookup gives where every guess holds", DefaultValueFactory = _ => 0, HelpName = "N" };
        Range.AtLeast(copy, 0);
        var repeats = new Option<int>("--repeats") { Description = "With --prefix or --copy: measure N times, with texts of their own, and give medians", DefaultValueFactory = _ => 3, HelpName = "N" };
        Range.AtLeast(repeats, 1);
        Option<bool> json = JsonOutput.Create();
        var compute = new ComputeOptions();
        var speculation = new SpeculationFlags();
        var command = new Command("bench", "Measure how fast a model reads a prompt and writes an answer") { model, prefill, decode, depth, sequences, join, prefix, suffix, copy, repeats, json };
        speculation.AddTo(command);
        compute.AddTo(command);
        command.SetAction(parsed =>
        {
            SpeculationFlags.Choice guessing = speculation.Read(parsed, SpeculationOptions.None); // a figure for decoding is one for plain decoding unless asked otherwise
            bool many = parsed.GetValue(sequences) > 1, known = parsed.GetValue(prefix) > 0, again = parsed.GetValue(copy) > 0;
            if ((many ? 1 : 0) + (known ? 1 : 0) + (again ? 1 : 0) > 1) throw CliException.Usage("of --sequences, --prefix and --copy only one can be measured at once");
            if ((known || again) && (guessing.Options != SpeculationOptions.None || guessing.Draft is not null)) throw CliException.Usage("--prefix and --copy go with none of --lookup, --mtp and --draft");
            if (!known && !again && parsed.GetResult(repeats) is { Implicit: false }) throw CliException.Usage("--repeats goes with --prefix or --copy");
            if (known) return PrefixBench.Run(parsed.GetRequiredValue(model), parsed.GetValue(prefix), parsed.GetValue(suffix), parsed.GetValue(repeats), compute.Read(parsed), parsed.GetValue(json));
            if (again) return CopyBench.Run(parsed.GetRequiredValue(model), parsed.GetValue(copy), parsed.GetValue(decode), parsed.GetValue(repeats), compute.Read(parsed), parsed.GetValue(json));
            if (parsed.GetValue(sequences) is > 1 and int n)
            {
                if (guessing.Options != SpeculationOptions.None || guessing.Draft is not null) throw CliException.Usage("--sequences measures plain decoding: it goes with none of --lookup, --mtp and --draft");
                return SequencesBench.Run(parsed.GetRequiredValue(model), n, parsed.GetValue(depth) is > 0 and int d ? d : 128, parsed.GetValue(decode), parsed.GetValue(join), compute.Read(parsed), parsed.GetValue(json));
            }
            return PlainBench.Run(parsed.GetRequiredValue(model), parsed.GetValue(prefill), parsed.GetValue(decode), parsed.GetValue(depth),
                compute.Read(parsed, multiTokenPrediction: guessing.Options.MultiTokenPrediction), guessing, parsed.GetValue(json));
        });
        return command;
    }
}
