using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using SeekSharp.Chat;
using SeekSharp.Checkpoints;
using SeekSharp.Cli.Run;
using SeekSharp.Cli.Terminal;
using SeekSharp.Engine;
using SeekSharp.Kernels;
using SeekSharp.Models;
using SeekSharp.Tokenization;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp run</c>: ask a model, once or in a conversation.</summary>
internal static class RunVerb
{
    private sealed record Request
    {
        public required string Model { get; init; }
        public string? Prompt { get; init; }
        public string? TokenFile { get; init; }
        public string? System { get; init; }
        public string[] Stop { get; init; } = [];
        public int? ThinkBudget { get; init; }
        public bool? Think { get; init; }
        public ToolFormat? ToolFormat { get; init; }
        public JsonArray? Tools { get; init; }
        public string[] Mcp { get; init; } = [];
        public AnswerFormatChoice Format { get; init; }
        public DateTimeOffset? Now { get; init; }
        public bool Raw { get; init; }
        public bool Json { get; init; }
        public bool Verbose { get; init; }
        public required ModelOptions Options { get; init; }
        public required SpeculationFlags.Choice Speculation { get; init; }
        public (string Name, string Folder)? Adapter { get; init; }
        public required Func<SamplingParams, SamplingParams> Sampling { get; init; }
    }

    internal static Command Create()
    {
        Argument<string> model = ModelArgument.Create();
        var prompt = new Argument<string?>("PROMPT") { Description = "What to ask (default: standard input, or a conversation on a terminal)", Arity = ArgumentArity.ZeroOrOne };
        var system = new Option<string?>("--system") { Description = "The system message", HelpName = "TEXT" };
        var sampling = new SamplingOptions();
        var stop = new Option<string[]>("--stop") { Description = "End the answer before this text; may be given several times", HelpName = "TEXT" };
        Option<int?> budget = Range.AtLeast(new Option<int?>("--think-budget") { Description = "Close the thinking after that many tokens", HelpName = "N" }, 0);
        Option<string?> think = Range.OneOf(new Option<string?>("--think") { Description = "Let the model think, or not (default: as its template has it)", HelpName = "on|off" }, "on", "off");
        var toolFormat = new Option<string?>("--tool-format") { Description = $"How the model writes tool calls: {string.Join(", ", ToolFormats.Names)} (default: found from its template and vocabulary)", HelpName = "NAME" };
        var tools = new Option<string?>("--tools") { Description = "A JSON array of tools that the model may call; calls are shown, not run", HelpName = "FILE" };
        var mcp = new Option<string[]>("--mcp") { Description = "Start an MCP server, whose tools the model may call; calls are run; may be given several times", HelpName = "\"COMMAND ARGS\"" };
        var schema = new Option<string?>("--schema") { Description = "Answers are JSON of this JSON schema", HelpName = "FILE" };
        Option<DateTimeOffset?> now = ClockOption.Create();
        var tokens = new Option<string?>("--tokens") { Description = "A JSON array of token ids in place of a prompt", HelpName = "FILE" };
        var raw = new Option<bool>("--raw") { Description = "Continue PROMPT as it stands, without the chat template" };
        Option<bool> json = JsonOutput.Create();
        var verbose = new Option<bool>("--verbose") { Description = "Tell more about the answer at the end" };
        var compute = new ComputeOptions();
        var speculation = new SpeculationFlags();
        var adapter = new Option<string?>("--adapter") { Description = "A LoRA adapter that answers (a folder as PEFT saves it)", HelpName = "NAME=FOLDER" };
        var command = new Command("run", "Ask a model, once or in a conversation") { model, prompt, system };
        sampling.AddTo(command);
        foreach (Option option in (Option[])[stop, budget, think, toolFormat, tools, mcp, schema, now, tokens, raw, json, verbose, adapter]) command.Options.Add(option);
        speculation.AddTo(command);
        compute.AddTo(command);
        command.SetAction(parsed =>
        {
            sampling.Apply(parsed, new SamplingParams()); // a value out of range is told before anything is loaded
            SpeculationFlags.Choice guessing = speculation.Read(parsed, new SpeculationOptions());
            return Run(new Request
            {
                Model = parsed.GetRequiredValue(model),
                Prompt = parsed.GetValue(prompt),
                TokenFile = parsed.GetValue(tokens),
                System = parsed.GetValue(system),
                Stop = parsed.GetValue(stop) ?? [],
                ThinkBudget = parsed.GetValue(budget),
                Think = parsed.GetValue(think) switch { "on" => true, "off" => false, _ => null },
                ToolFormat = parsed.GetValue(toolFormat) is not { } name ? null : ToolFormats.TryParse(name, out ToolFormat format) ? format
                    : throw CliException.Usage($"--tool-format: expected {string.Join(", ", ToolFormats.Names)}, found '{name}'"),
                Tools = parsed.GetValue(tools) is { } file ? ReadTools(file) : null,
                Mcp = parsed.GetValue(mcp) ?? [],
                Format = parsed.GetValue(schema) is { } schemaFile ? ReadSchema(schemaFile) : default,
                Now = parsed.GetValue(now),
                Raw = parsed.GetValue(raw),
                Json = parsed.GetValue(json),
                Verbose = parsed.GetValue(verbose),
                Options = compute.Read(parsed, multiTokenPrediction: guessing.Options.MultiTokenPrediction),
                Speculation = guessing,
                Adapter = parsed.GetValue(adapter) is { } given ? AdapterOf(given) : null,
                Sampling = defaults => sampling.Apply(parsed, defaults),
            });
        });
        return command;
    }

    private static int Run(Request request)
    {
        if (request.TokenFile is not null && request.Prompt is not null) throw CliException.Usage("--tokens takes the place of PROMPT");
        if (request.Mcp.Length > 0 && (request.Raw || request.TokenFile is not null)) throw CliException.Usage("--mcp needs the chat template: neither --raw nor --tokens");
        int[]? ids = request.TokenFile is { } file ? TokenFile.Read(file) : null;
        bool converses = ids is null && request.Prompt is null && !Console.IsInputRedirected && !Console.IsOutputRedirected;
        if (converses && request.Json) throw CliException.Usage("--json needs a PROMPT");
        string? prompt = ids is not null || converses ? null : WholePrompt(request.Prompt);

        long began = Stopwatch.GetTimestamp();
        using ToolRounds rounds = ToolRounds.Start(request.Mcp);
        using ModelFolder folder = ModelArgument.Open(request.Model);
        using var speculation = new SpeculationFlags.Loaded(request.Speculation, folder, request.Options);
        using ChatModel model = Load(folder, request.Options, new EngineOptions { Speculation = speculation.Options, ModelName = request.Model });
        SpeculationFlags.Require(request.Speculation, model.Model, request.Model);
        if (request.Adapter is { } adapter) model.AddAdapter(adapter.Name, adapter.Folder);
        TimeSpan load = Stopwatch.GetElapsedTime(began);
        if (KernelTable.Notice is { } notice) Console.Error.WriteLine("seeksharp: " + notice);

        var session = new ChatSession(model)
        {
            System = request.System,
            Stop = request.Stop,
            ThinkBudget = request.ThinkBudget,
            Think = request.Think,
            ToolFormat = request.ToolFormat,
            Tools = rounds.Tools is { } served ? [.. served.Concat(request.Tools ?? []).Select(t => t?.DeepClone())] : request.Tools,
            Format = request.Format,
            Adapter = request.Adapter is { } chosen ? model.Adapters[chosen.Name] : null,
            Now = request.Now,
            Sampling = request.Sampling(model.Defaults),
        };
        if (converses) return new InteractiveChat(session, model, rounds, request.Verbose, load).Run();

        began = Stopwatch.GetTimestamp();
        Generation generation = ids is not null ? session.Begin(new ChatPrompt(model.Tokenizer?.Decode(ids) ?? "", ids), began)
            : request.Raw ? session.Begin(model.Plain(prompt!), began)
            : session.Ask(prompt!);
        Answer answer = AnswerLoop.Run(generation, request.Json ? null : new AnswerPrinter());
        if (request.Mcp.Length > 0) answer = rounds.Finish(session, answer, request.Json ? null : () => new AnswerPrinter());
        if (request.Json)
        {
            JsonObject report = AnswerReport.Json(answer, load, session.Sampling.Seed);
            if (request.Mcp.Length > 0) report["messages"] = session.Messages.DeepClone();
            JsonOutput.Write(report);
        }
        else
        {
            if (model.Tokenizer is null) Console.Out.WriteLine(string.Join(' ', answer.Ids));
            Tell(AnswerReport.Line(answer));
            if (request.Verbose)
                foreach (string line in AnswerReport.Details(answer, load, session.Sampling, model.Engine)) Tell(line);
        }
        return answer.FinishReason == "cancelled" ? 130 : 0;
    }

    internal static void Tell(string line) => Console.Error.WriteLine(Style.Dim(Style.OnError) + line + Style.End(Style.OnError));

    internal static (string Name, string Folder) AdapterOf(string given) => given.Split('=', 2) is [{ Length: > 0 } name, { Length: > 0 } folder] ? (name, folder)
        : throw CliException.Usage($"--adapter: expected NAME=FOLDER, found '{given}'");

    private static ChatModel Load(ModelFolder folder, ModelOptions options, EngineOptions engine)
    {
        using var progress = new ProgressLine("loading");
        return ChatModel.Load(folder, options, progress, engine);
    }

    /// <summary>PROMPT, what is piped in, or both, one after the other.</summary>
    private static string WholePrompt(string? prompt)
    {
        string piped = Console.IsInputRedirected ? StandardInput.ReadText().TrimEnd('\r', '\n') : "";
        if (piped.Length == 0) return prompt ?? throw CliException.Usage("standard input is empty: give a PROMPT");
        return prompt is null ? piped : $"{prompt}\n\n{piped}";
    }

    private static JsonArray ReadTools(string file)
    {
        try
        {
            return JsonNode.Parse(File.ReadAllBytes(file)) as JsonArray ?? throw new CliException($"{file}: expected a JSON array of tools");
        }
        catch (JsonException e)
        {
            throw new CliException($"{file}: expected a JSON array of tools: {e.Message}");
        }
    }

    private static AnswerFormatChoice ReadSchema(string file)
    {
        string text = File.ReadAllText(file);
        try
        {
            _ = Grammar.JsonSchema(text); // told before anything is loaded
        }
        catch (GrammarException e)
        {
            throw new CliException($"{file}: {e.Message}");
        }
        return new AnswerFormatChoice(AnswerFormat.Schema, text);
    }
}
