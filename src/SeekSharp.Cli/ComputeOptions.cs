using System.CommandLine;
using SeekSharp.Kernels;
using SeekSharp.Models;

namespace SeekSharp.Cli;

/// <summary>The options of every verb that computes.</summary>
internal sealed class ComputeOptions
{
    private readonly Option<int> _threads = new("--threads")
    { Description = "Threads to compute with (default: every core)", HelpName = "N" };
    private readonly Option<int> _context = new("--ctx")
    { Description = "Longest context in tokens (default: what the model allows and memory holds; it grows as needed)", HelpName = "TOKENS" };
    private readonly Option<string?> _kv = new("--kv")
    { Description = "Numbers of the key/value cache (default: bf16; f32 with --exact)", HelpName = "f32|bf16|q8_0" };
    private readonly Option<bool> _exact = new("--exact")
    { Description = "Reference arithmetic: 32-bit floats and plain order everywhere; slow" };

    private readonly Option<string?> _memory = new("--memory")
    { Description = "The most memory to take, such as 20GB (default: what is free); experts that do not fit are read from the file", HelpName = "SIZE" };

    public ComputeOptions()
    {
        _memory.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && !Amounts.TryParseBytes(result.Tokens[0].Value, out _))
                result.AddError($"--memory: expected a size such as 20GB or 800MB, found '{result.Tokens[0].Value}'");
        });
        Range.OneOf(_kv, "f32", "bf16", "q8_0");
        Range.AtLeast(_threads, 1);
        Range.AtLeast(_context, 1);
    }

    public void AddTo(Command command)
    {
        command.Options.Add(_threads);
        command.Options.Add(_context);
        command.Options.Add(_kv);
        command.Options.Add(_memory);
        command.Options.Add(_exact);
    }

    public ModelOptions Read(ParseResult parsed, int? chunk = null, bool multiTokenPrediction = false) => new()
    {
        Threads = parsed.GetValue(_threads),
        ContextLength = parsed.GetResult(_context) is null ? null : parsed.GetValue(_context),
        MemoryLimit = parsed.GetValue(_memory) is { } size && Amounts.TryParseBytes(size, out long bytes) ? bytes : null,
        Notify = line => Console.Error.WriteLine("seeksharp: " + CommandLine.OneLine(line)),
        Exact = parsed.GetValue(_exact),
        Kv = parsed.GetValue(_kv) switch
        {
            "f32" => KvFormat.F32,
            "bf16" => KvFormat.BF16,
            "q8_0" => KvFormat.Q8_0,
            _ => null,
        },
        ChunkSize = chunk ?? new ModelOptions().ChunkSize,
        MultiTokenPrediction = multiTokenPrediction,
    };
}
