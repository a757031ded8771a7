using System.CommandLine;
using System.Diagnostics;
using System.Runtime.InteropServices;
using SeekSharp.Chat;
using SeekSharp.Checkpoints;
using SeekSharp.Cli.Terminal;
using SeekSharp.Engine;
using SeekSharp.Kernels;
using SeekSharp.Models;
using SeekSharp.Server;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp serve</c>: models behind the DeepSeek and OpenAI HTTP API.</summary>
internal static class ServeVerb
{
    private const string KeyVariable = "SEEKSHARP_API_KEY";

    internal static Command Create()
    {
        var models = new Argument<string[]>("MODEL")
        { Description = "Models to serve, as for run; NAME=MODEL serves one under that name", HelpName = "[NAME=]MODEL", Arity = ArgumentArity.OneOrMore };
        var host = new Option<string>("--host") { Description = "Address to listen at (default: 127.0.0.1; others need a key)", HelpName = "ADDRESS", DefaultValueFactory = _ => "127.0.0.1" };
        var port = new Option<int>("--port") { Description = "Port (default: 8080; 0: any free one)", HelpName = "N", DefaultValueFactory = _ => 8080 };
        var keys = new Option<string[]>("--api-key") { Description = $"Key that clients must send; may be given several times, each with a cache of its own (or in {KeyVariable}, which other users' ps does not show)", HelpName = "KEY" };
        Option<int> parallel = Range.AtLeast(new Option<int>("--parallel") { Description = "Answers that are computed at once (default: 64)", HelpName = "N", DefaultValueFactory = _ => 64 }, 1);
        Option<int> queue = Range.AtLeast(new Option<int>("--queue") { Description = "Answers that wait at most; beyond, requests get 429 (default: 1024)", HelpName = "N", DefaultValueFactory = _ => 1024 }, 1);
        Option<int> drain = Range.AtLeast(new Option<int>("--drain") { Description = "Seconds that running requests have to finish when the server is stopped (default: 30)", HelpName = "S", DefaultValueFactory = _ => 30 }, 0);
        var adapters = new Option<string[]>("--adapter") { Description = "A LoRA adapter of the (first) model, a folder as PEFT saves it; requests name it as their model; may be given several times", HelpName = "NAME=FOLDER" };
        var cacheFolder = new Option<string?>("--cache-dir") { Description = "Keep what was read on disk, too, in this folder: it survives a restart", HelpName = "FOLDER" };
        var cacheSize = new Option<string?>("--cache-size") { Description = "Bytes that --cache-dir may take, such as 20GB (default: 10GB)", HelpName = "SIZE" };
        cacheSize.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && !Amounts.TryParseBytes(result.Tokens[0].Value, out _))
                result.AddError($"--cache-size: expected a size such as 20GB or 800MB, found '{result.Tokens[0].Value}'");
        });
        var speculation = new SpeculationFlags();
        var compute = new ComputeOptions();
        var command = new Command("serve", "Serve models over HTTP, as DeepSeek's and OpenAI's API") { models, host, port, keys, parallel, queue, drain, adapters, cacheFolder, cacheSize };
        speculation.AddTo(command);
        compute.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            string[] given = parsed.GetValue(keys) ?? [];
            if (given.Length == 0 && Environment.GetEnvironmentVariable(KeyVariable) is { Length: > 0 } key) given = [key];
            var options = new ServerOptions
            {
                Host = parsed.GetValue(host)!,
                Port = parsed.GetValue(port),
                ApiKeys = given,
                Log = line => Console.Error.WriteLine("seeksharp: " + CommandLine.OneLine(line)),
            };
            if (options.Problem() is { } problem) throw CliException.Usage(problem);
            var engine = new EngineOptions { Scheduler = new SchedulerOptions { MaxRunning = parsed.GetValue(parallel), MaxWaiting = parsed.GetValue(queue) } };
            (string Name, string Path)[] named = [.. parsed.GetValue(models)!.Select(Named)];
            if (named.GroupBy(m => m.Name).FirstOrDefault(g => g.Count() > 1) is { } twice) throw CliException.Usage($"two models are named '{twice.Key}': give one of them as NAME=MODEL");
            SpeculationFlags.Choice guessing = speculation.Read(parsed, new SpeculationOptions());
            if (guessing.Draft is not null && named.Length > 1) throw CliException.Usage("--draft goes with one MODEL");
            (string Name, string Folder)[] loras = [.. (parsed.GetValue(adapters) ?? []).Select(RunVerb.AdapterOf)];
            if (named.Select(m => m.Name).Concat(loras.Select(a => a.Name)).GroupBy(n => n).FirstOrDefault(g => g.Count() > 1) is { } same)
                throw CliException.Usage($"--adapter: the name '{same.Key}' is given twice");
            string? folder = parsed.GetValue(cacheFolder), size = parsed.GetValue(cacheSize);
            if (folder is null && size is not null) throw CliException.Usage("--cache-size needs a --cache-dir");
            var request = new Request
            {
                Server = options,
                Models = named,
                Adapters = loras,
                Options = compute.Read(parsed, multiTokenPrediction: guessing.Options.MultiTokenPrediction),
                Engine = engine,
                Speculation = guessing,
                CacheFolder = folder,
                CacheBytes = size is not null && Amounts.TryParseBytes(size, out long bytes) ? bytes : 10_000_000_000,
                Drain = TimeSpan.FromSeconds(parsed.GetValue(drain)),
            };
            return await RunAsync(request, cancel).ConfigureAwait(false);
        });
        return command;
    }

    private sealed record Request
    {
        public required ServerOptions Server { get; init; }
        public required (string Name, string Path)[] Models { get; init; }
        public required (string Name, string Folder)[] Adapters { get; init; }
        public required ModelOptions Options { get; init; }
        public required EngineOptions Engine { get; init; }
        public required SpeculationFlags.Choice Speculation { get; init; }
        public required string? CacheFolder { get; init; }
        public required long CacheBytes { get; init; }
        public required TimeSpan Drain { get; init; }
    }

    private static async Task<int> RunAsync(Request request, CancellationToken cancel)
    {
        (ServerOptions options, TimeSpan drain) = (request.Server, request.Drain);
        var models = new ChatModels();
        var loaded = new List<IDisposable>(); // in the order of disposal
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
        {
            signal.Cancel = true;
            stop.Cancel();
        });
        try
        {
            var budget = new ThreadBudget(request.Options.Threads); // one for all models
            loaded.Add(budget);
            ModelOptions model = request.Options with { Budget = budget };
            DiskTier? disk = request.CacheFolder is { } cache ? OpenDisk(cache, request.CacheBytes, options.Log) : null;
            if (disk is not null) loaded.Insert(0, disk);
            foreach ((string name, string path) in request.Models)
            {
                stop.Token.ThrowIfCancellationRequested();
                long began = Stopwatch.GetTimestamp();
                ModelFolder folder = ModelArgument.Open(path);
                loaded.Insert(0, folder);
                ModelArgument.Tokenizer(folder); // a server answers in text
                var guessing = new SpeculationFlags.Loaded(request.Speculation, folder, model);
                loaded.Insert(0, guessing);
                ChatModel chat = Load(folder, model, request.Engine with { Speculation = guessing.Options, ModelName = name, Disk = disk, ModelIdentity = disk is null ? "" : ModelIdentity.Of(folder) });
                loaded.Insert(0, chat);
                SpeculationFlags.Require(request.Speculation, chat.Model, path);
                if (path == request.Models[0].Path && name == request.Models[0].Name)
                    foreach ((string adapter, string place) in request.Adapters) chat.AddAdapter(adapter, place);
                models.Add(name, chat);
                Console.Error.WriteLine($"{name}: loaded in {Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s, context {chat.Engine.ContextLength} tokens");
            }
            if (KernelTable.Notice is { } notice) Console.Error.WriteLine("seeksharp: " + notice);
            await using var server = new ApiServer(options, models);
            await server.StartAsync(stop.Token).ConfigureAwait(false);
            Console.Error.WriteLine($"listening at {server.Address}v1 (Ctrl+C ends)");
            try
            {
                await Task.Delay(Timeout.Infinite, stop.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) { }
            if (server.Running > 0) Console.Error.WriteLine($"stopping: {server.Running} requests may finish within {drain.TotalSeconds:0} s");
            await server.DrainAsync(drain).ConfigureAwait(false);
            return 0;
        }
        finally
        {
            foreach (IDisposable one in loaded) one.Dispose();
        }
    }

    private static DiskTier OpenDisk(string folder, long bytes, Action<string>? log)
    {
        string? problem = null;
        bool isOpen = false;
        var disk = new DiskTier(folder, bytes, line =>
        {
            if (isOpen) log?.Invoke(line); // later trouble costs no answer
            else problem = line;
        });
        isOpen = true;
        if (!disk.IsOff) return disk;
        disk.Dispose();
        throw new CliException($"--cache-dir {folder}: {problem ?? "it cannot be used"}");
    }

    private static ChatModel Load(ModelFolder folder, ModelOptions options, EngineOptions engine)
    {
        using var progress = new ProgressLine("loading");
        return ChatModel.Load(folder, options, progress, engine);
    }

    /// <summary>A model's name for clients: the one given, a file's without its ending, or a pulled model's.</summary>
    private static (string Name, string Path) Named(string argument)
    {
        if (argument.StartsWith('-') && !Path.Exists(argument)) throw CliException.Usage($"seeksharp serve has no option {argument}");
        int equals = argument.IndexOf('=', StringComparison.Ordinal);
        if (equals > 0 && !Path.Exists(argument)) return (argument[..equals], argument[(equals + 1)..]);
        if (!Path.Exists(argument)) return (argument, argument);
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(argument)));
        return (name.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase) ? name[..^5] : name, argument);
    }
}
