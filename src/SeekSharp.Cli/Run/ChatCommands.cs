using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using SeekSharp.Chat;
using SeekSharp.Engine;

namespace SeekSharp.Cli.Run;

/// <summary>The commands of a conversation.</summary>
internal sealed class ChatCommands(ChatSession session, TextWriter output)
{
    private const string Help = """
        /set PARAM VALUE   change a setting; /set alone shows them all
        /system TEXT       set the system message and begin anew; /system alone shows it
        /think on|off      let the model think, or not; /think auto: as its template has it
        /clear             forget the conversation
        /save FILE         write the conversation as JSON
        /load FILE         take up a saved conversation
        /help              show this
        /bye               leave (or Ctrl+D)
        A message of several lines: paste it, or put it between lines of three quotation marks.
        Ctrl+C ends an answer; what there is of it stays in the conversation.
        """;

    /// <summary>A slash, letters, then nothing or a space: /etc/passwd is a question.</summary>
    public static bool IsCommand(string text)
    {
        if (text.Length < 2 || text[0] != '/') return false;
        string name = text.Split([' ', '\n'], 2)[0][1..];
        return name.All(char.IsAsciiLetter) || name == "?";
    }

    /// <summary>Does what a command says. False: leave.</summary>
    public bool Obey(string line)
    {
        string[] parts = line.Trim().Split(' ', 2, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        string argument = parts.Length > 1 ? parts[1] : "";
        try
        {
            switch (parts[0])
            {
                case "/bye" or "/exit" or "/quit": return false;
                case "/help" or "/?": output.WriteLine(Help); break;
                case "/set": Set(argument); break;
                case "/system": SetSystem(argument); break;
                case "/think": Think(argument); break;
                case "/clear":
                    session.Clear();
                    output.WriteLine("The conversation is forgotten.");
                    break;
                case "/save": Save(argument); break;
                case "/load": Load(argument); break;
                default: output.WriteLine($"There is no command {parts[0]}; /help shows them all."); break;
            }
        }
        catch (Exception e) when (e is EngineException or FormatException or OverflowException or IOException or UnauthorizedAccessException or JsonException or ArgumentException)
        {
            output.WriteLine(CommandLine.OneLine(e.Message));
        }
        return true;
    }

    private void Set(string argument)
    {
        if (argument.Length == 0)
        {
            SamplingParams p = session.Sampling;
            output.WriteLine($"temperature {p.Temperature}, top-p {p.TopP}, top-k {p.TopK}, min-p {p.MinP}, repeat-penalty {p.RepeatPenalty}, seed {p.Seed}, " +
                $"max-tokens {p.MaxTokens?.ToString() ?? "none"}, think-budget {session.ThinkBudget?.ToString() ?? "none"}, stop {(session.Stop.Count == 0 ? "none" : string.Join(" ", session.Stop.Select(s => JsonSerializer.Serialize(s))))}");
            return;
        }
        string[] parts = argument.Split(' ', 2, StringSplitOptions.TrimEntries);
        string name = parts[0].TrimStart('-');
        if (parts.Length < 2) throw new FormatException($"/set {name} needs a value");
        string value = parts[1];
        SamplingParams old = session.Sampling;
        switch (name)
        {
            case "temperature": session.Sampling = (old with { Temperature = Number(value) }).Validate(); break;
            case "top-p": session.Sampling = (old with { TopP = Number(value) }).Validate(); break;
            case "top-k": session.Sampling = (old with { TopK = Whole(value) }).Validate(); break;
            case "min-p": session.Sampling = (old with { MinP = Number(value) }).Validate(); break;
            case "repeat-penalty": session.Sampling = (old with { RepeatPenalty = Number(value) }).Validate(); break;
            case "seed": session.Sampling = old with { Seed = unchecked((ulong)long.Parse(value, CultureInfo.InvariantCulture)) }; break;
            case "max-tokens": session.Sampling = (old with { MaxTokens = value == "none" ? null : Whole(value) }).Validate(); break;
            case "think-budget": session.ThinkBudget = value == "none" ? null : Whole(value) is var n and >= 0 ? n : throw new FormatException($"think-budget must be at least 0, not {value}"); break;
            case "stop": session.Stop = value == "none" ? [] : [value]; break;
            default: throw new FormatException($"there is no setting {name}; they are temperature, top-p, top-k, min-p, repeat-penalty, seed, max-tokens, think-budget, stop");
        }
        output.WriteLine($"{name} is now {value}.");

        static float Number(string text) => float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out float number) ? number : throw new FormatException($"expected a number, found '{text}'");
        static int Whole(string text) => int.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out int number) ? number : throw new FormatException($"expected a whole number, found '{text}'");
    }

    private void SetSystem(string text)
    {
        if (text.Length == 0)
        {
            output.WriteLine(session.System ?? "There is no system message; the template may have one of its own.");
            return;
        }
        session.System = text;
        session.Clear();
        output.WriteLine("The system message is set; the conversation begins anew.");
    }

    private void Think(string argument)
    {
        session.Think = argument switch
        {
            "on" => true,
            "off" => false,
            "auto" => null,
            _ => throw new FormatException("expected /think on, /think off or /think auto"),
        };
        output.WriteLine($"Thinking: {argument}.");
    }

    private void Save(string file)
    {
        if (file.Length == 0) throw new FormatException("/save needs a file");
        File.WriteAllText(file, JsonOutput.Text(session.Save()) + "\n");
        output.WriteLine($"{session.Messages.Count} messages are in {file}.");
    }

    private void Load(string file)
    {
        if (file.Length == 0) throw new FormatException("/load needs a file");
        try
        {
            session.Load(JsonNode.Parse(File.ReadAllBytes(file)));
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw new FormatException($"{file}: no saved conversation: {e.Message}");
        }
        output.WriteLine($"{session.Messages.Count} messages from {file}.");
    }
}
