namespace SeekSharp.Planner;

/// <summary>One result with what it was made from.</summary>
/// <param name="Key">Name for programs, in snake case.</param>
/// <param name="Name">Name for people.</param>
/// <param name="Value">The number, in <paramref name="Unit"/>.</param>
/// <param name="Unit">Its unit; empty for counts.</param>
/// <param name="Text">The number as it is shown.</param>
/// <param name="Formula">How it comes from its inputs.</param>
/// <param name="Inputs">The inputs by name, as they are shown.</param>
internal sealed record Figure(string Key, string Name, double Value, string Unit, string Text, string Formula, IReadOnlyList<(string Name, string Value)> Inputs);

/// <summary>Collects the results of a plan in the order in which they are shown, with the warnings and the assumptions that go with them.</summary>
internal sealed class Ledger
{
    private readonly List<Figure> _figures = [];
    private readonly List<string> _warnings = [], _assumptions = [];

    public IReadOnlyList<Figure> Figures => _figures;
    public IReadOnlyList<string> Warnings => _warnings;
    public IReadOnlyList<string> Assumptions => _assumptions;

    /// <summary>Writes a result down and gives it back.</summary>
    public double Add(string key, string name, double value, string unit, string text, string formula, params (string Name, string Value)[] inputs)
    {
        if (double.IsNaN(value) || double.IsInfinity(value)) throw new PlannerException($"{name}: these inputs give no number");
        _figures.Add(new Figure(key, name, value, unit, text, formula, inputs));
        return value;
    }

    public void Warn(string warning)
    {
        if (!_warnings.Contains(warning)) _warnings.Add(warning);
    }

    public void Assume(string assumption)
    {
        if (!_assumptions.Contains(assumption)) _assumptions.Add(assumption);
    }

    /// <summary>The result with a key.</summary>
    public Figure this[string key] => _figures.FirstOrDefault(f => f.Key == key) ?? throw new KeyNotFoundException(key);
}
