using System.CommandLine;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp plan</c>: what a training run and a serving fleet cost.</summary>
internal static class PlanVerb
{
    internal static Command Create()
    {
        var command = new Command("plan", "Plan what training or serving a model costs: memory, time, GPUs, money");
        command.Subcommands.Add(PlanTrainVerb.Create());
        command.Subcommands.Add(PlanServeVerb.Create());
        command.Subcommands.Add(PlanCompareVerb.Create());
        return command;
    }
}
