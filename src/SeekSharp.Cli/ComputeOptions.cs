using System.CommandLine;

namespace SeekSharp.Cli;

/// <summary>The options of every verb that computes.</summary>
internal sealed class ComputeOptions
{
    private readonly Option<int> _threads = new("--threads")
    { Description = "Threads to compute with (default: every core)", HelpName = "N" };
    private readonly Option<int> _context = new("--ctx")
    { Description = "Longest context in tokens (default: what the model allows and memory holds; it grows as needed)", HelpName = "TOKENS" };
    private readonly Option<string> _kv = new("--kv")
    { Description = "Numbers of the key/value cache (default: bf16; f32 with --exact)", HelpName = "f32|bf16|q8_0" };
    private readonly Option<bool> _exact = new("--exact")
    { Description = "Reference arithmetic: 32-bit floats and plain order everywhere; slow" };

    public ComputeOptions()
    {
        _kv.AcceptOnlyFromAmong("f32", "bf16", "q8_0");
        Range.AtLeast(_threads, 1);
        Range.AtLeast(_context, 1);
    }

    public void AddTo(Command command)
    {
        command.Options.Add(_threads);
        command.Options.Add(_context);
        command.Options.Add(_kv);
        command.Options.Add(_exact);
    }

    public int Threads(ParseResult parsed) => parsed.GetValue(_threads);
    public int? Context(ParseResult parsed) => parsed.GetResult(_context) is null ? null : parsed.GetValue(_context);
    public string? Kv(ParseResult parsed) => parsed.GetValue(_kv);
    public bool Exact(ParseResult parsed) => parsed.GetValue(_exact);
}
