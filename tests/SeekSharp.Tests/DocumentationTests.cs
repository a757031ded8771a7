using System.Reflection;
using System.Text.RegularExpressions;
using Xunit;

namespace SeekSharp.Tests;

/// <summary>Documents that name code are held to it.</summary>
public sealed partial class DocumentationTests
{
    [GeneratedRegex("`([A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*)`")]
    private static partial Regex TypeName();

    [GeneratedRegex(@"\]\(([^)#:]+)(#[^)]*)?\)")]
    private static partial Regex RelativeLink();

    [Fact]
    public void Architecture_names_only_types_that_exist()
    {
        HashSet<string> types = [.. PublicApiTests.Libraries.Append("seeksharp")
            .SelectMany(l => Assembly.Load(l).GetTypes()).Select(t => t.Name.Split('`')[0])];
        string text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "architecture.md"));
        string[] named = [.. TypeName().Matches(text).Select(m => m.Groups[1].Value).Distinct()];
        Assert.True(named.Length > 20, "the page names hardly any type");
        Assert.All(named, name => Assert.Contains(name, types));
    }

    [Fact]
    public void Links_between_documents_lead_somewhere()
    {
        string[] pages = [Path.Combine(Repository.Root, "README.md"), Path.Combine(Repository.Root, "CHANGELOG.md"),
            .. Directory.GetFiles(Path.Combine(Repository.Root, "docs"), "*.md", SearchOption.AllDirectories)];
        foreach (string page in pages)
            foreach (Match link in RelativeLink().Matches(File.ReadAllText(page)))
            {
                string target = Path.Combine(Path.GetDirectoryName(page)!, link.Groups[1].Value);
                Assert.True(File.Exists(target) || Directory.Exists(target), $"{page}: {link.Value} leads nowhere");
            }
    }
}
