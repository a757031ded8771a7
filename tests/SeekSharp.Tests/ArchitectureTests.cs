using System.Xml.Linq;
using Xunit;

namespace SeekSharp.Tests;

/// <summary>The project graph: data flows one way, and no edge is added without a decision.</summary>
public sealed class ArchitectureTests
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Kernels"] = [],
        ["Tokenization"] = [],
        ["Checkpoints"] = ["Kernels", "Tokenization"],
        ["Models"] = ["Kernels", "Checkpoints"],
        ["Engine"] = ["Models"],
        ["Chat"] = ["Engine", "Tokenization"],
        ["Server"] = ["Chat"],
        ["Training"] = ["Kernels", "Checkpoints", "Tokenization"],
        ["Planner"] = ["Checkpoints"],
    };

    [Fact]
    public void Projects_reference_only_what_the_design_allows()
    {
        string src = Path.Combine(Repository.Root, "src");
        string[] projects = Directory.GetFiles(src, "*.csproj", SearchOption.AllDirectories);
        Assert.NotEmpty(projects);
        foreach (string project in projects)
        {
            string name = Path.GetFileNameWithoutExtension(project)["SeekSharp.".Length..];
            if (name == "Cli") continue; // the one place that wires everything
            Assert.True(Allowed.TryGetValue(name, out string[]? allowed), $"project {name} is not in the design");
            var references = XDocument.Load(project).Descendants("ProjectReference")
                .Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value.Replace('\\', '/'))["SeekSharp.".Length..]);
            foreach (string reference in references)
                Assert.True(allowed.Contains(reference), $"{name} must not reference {reference}");
        }
    }
}
