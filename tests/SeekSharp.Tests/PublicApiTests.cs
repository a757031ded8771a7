using System.Reflection;
using System.Text;
using Xunit;

namespace SeekSharp.Tests;

/// <summary>
/// What applications may build on is held by a baseline: a change of the public surface shows in a diff.
/// <c>SEEKSHARP_UPDATE_BASELINE=1 dotnet test --filter PublicApi</c> writes the baseline anew.
/// </summary>
public sealed class PublicApiTests
{
    internal static readonly string[] Libraries =
        ["SeekSharp.Kernels", "SeekSharp.Tokenization", "SeekSharp.Checkpoints", "SeekSharp.Models", "SeekSharp.Engine", "SeekSharp.Chat", "SeekSharp.Server", "SeekSharp.Planner"];

    [Theory]
    [MemberData(nameof(Names))]
    public void Public_surface_is_the_baseline(string library)
    {
        string actual = Describe(Assembly.Load(library));
        string path = Path.Combine(Repository.Root, "tests", "SeekSharp.Tests", "PublicApi", library + ".txt");
        if (Environment.GetEnvironmentVariable("SEEKSHARP_UPDATE_BASELINE") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, actual);
        }
        Assert.True(File.Exists(path), $"no baseline {path}; set SEEKSHARP_UPDATE_BASELINE=1 to write it");
        Assert.Equal(File.ReadAllText(path).ReplaceLineEndings("\n"), actual);
    }

    public static TheoryData<string> Names() => [.. Libraries];

    private static string Describe(Assembly assembly)
    {
        StringBuilder text = new();
        foreach (Type type in assembly.GetExportedTypes().OrderBy(t => t.FullName, StringComparer.Ordinal))
        {
            text.Append(Kind(type)).Append(' ').Append(Name(type)).Append('\n');
            const BindingFlags flags = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
            IEnumerable<string> members = type.IsEnum
                ? Enum.GetNames(type).Select(n => $"{n} = {Convert.ToInt64(Enum.Parse(type, n))}")
                : type.GetMembers(flags).Select(Member).OfType<string>().Order(StringComparer.Ordinal);
            foreach (string member in members) text.Append("    ").Append(member).Append('\n');
        }
        return text.ToString();
    }

    private static string Kind(Type t) =>
        t.IsEnum ? "enum" : t.IsInterface ? "interface" : t.IsValueType ? "struct"
        : t.IsAbstract && t.IsSealed ? "static class" : t.IsSealed ? "sealed class" : t.IsAbstract ? "abstract class" : "class";

    private static string? Member(MemberInfo member)
    {
        static bool Visible(MethodBase? m) => m is not null && (m.IsPublic || m.IsFamily || m.IsFamilyOrAssembly);
        if (member.Name.Contains('<', StringComparison.Ordinal)) return null; // the compiler's own
        switch (member)
        {
            case ConstructorInfo c when Visible(c):
                return $"new({Parameters(c)})";
            case MethodInfo m when Visible(m) && (!m.IsSpecialName || m.Name.StartsWith("op_", StringComparison.Ordinal)):
                return $"{(m.IsStatic ? "static " : "")}{Name(m.ReturnType)} {m.Name}({Parameters(m)})";
            case PropertyInfo p when Visible(p.GetMethod) || Visible(p.SetMethod):
                MethodInfo accessor = (p.GetMethod ?? p.SetMethod)!;
                bool init = p.SetMethod?.ReturnParameter.GetRequiredCustomModifiers().Any(t => t.Name == "IsExternalInit") == true;
                string set = !Visible(p.SetMethod) ? "" : init ? " init;" : " set;";
                return $"{(accessor.IsStatic ? "static " : "")}{Name(p.PropertyType)} {p.Name} {{{(Visible(p.GetMethod) ? " get;" : "")}{set} }}";
            case FieldInfo f when f.IsPublic || f.IsFamily:
                return $"{(f.IsLiteral ? "const " : f.IsStatic ? "static " : "")}{Name(f.FieldType)} {f.Name}";
            case EventInfo e when Visible(e.AddMethod):
                return $"event {Name(e.EventHandlerType!)} {e.Name}";
            default:
                return null;
        }
    }

    private static string Parameters(MethodBase method) =>
        string.Join(", ", method.GetParameters().Select(p => $"{Name(p.ParameterType)} {p.Name}{(p.HasDefaultValue ? " = " + (p.DefaultValue ?? "null") : "")}"));

    private static string Name(Type t)
    {
        if (t.IsByRef) return "ref " + Name(t.GetElementType()!);
        if (t.IsArray) return Name(t.GetElementType()!) + "[]";
        if (Nullable.GetUnderlyingType(t) is { } inner) return Name(inner) + "?";
        if (t.IsGenericParameter) return t.Name;
        if (t.IsGenericType) return $"{t.Name[..t.Name.IndexOf('`', StringComparison.Ordinal)]}<{string.Join(", ", t.GetGenericArguments().Select(Name))}>";
        return t.IsNested ? Name(t.DeclaringType!) + "." + t.Name : t.Name;
    }
}
