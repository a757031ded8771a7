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
        var compute = new ComputeOptions();
        var command = new Command("serve", "Serve models over HTTP, as DeepSeek's and OpenAI's API") { models, host, port, keys, parallel, queue, drain };
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
            return await RunAsync(options, named, compute.Read(parsed), engine, TimeSpan.FromSeconds(parsed.GetValue(drain)), cancel).ConfigureAwait(false);
        });
        return command;
    }

    private static async Task<int> RunAsync(ServerOptions options, (string Name, string Path)[] named, ModelOptions model, EngineOptions engine, TimeSpan drain, CancellationToken cancel)
    {
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
            foreach ((string name, string path) in named)
            {
                stop.Token.ThrowIfCancellationRequested();
                long began = Stopwatch.GetTimestamp();
                ModelFolder folder = ModelArgument.Open(path);
                loaded.Insert(0, folder);
                ModelArgument.Tokenizer(folder); // a server answers in text
                ChatModel chat = Load(folder, model, engine);
                loaded.Insert(0, chat);
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
