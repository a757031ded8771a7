using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace SeekSharp.Cli;

/// <summary>The option <c>--json</c> and how JSON is written to standard output: one document, text as it is.</summary>
internal static class JsonOutput
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonSerializerOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Option<bool> Create() => new("--json") { Description = "Print one JSON document for programs" };

    public static void Write(JsonNode document) => Console.Out.WriteLine(Text(document));

    public static string Text(JsonNode document) => document.ToJsonString(Indented);

    /// <summary>One document on one line, for JSON Lines.</summary>
    public static string Line(JsonNode document) => document.ToJsonString(Compact);
}
