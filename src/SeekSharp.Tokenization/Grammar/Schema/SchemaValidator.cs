using System.Text;
using System.Text.Json;

namespace SeekSharp.Tokenization;

/// <summary>Says whether a value satisfies a schema, keyword by keyword. Enumerated values go through it, and tests hold the compiled grammars against it.</summary>
internal sealed class SchemaValidator(SchemaReader reader)
{
    private const int MostSteps = 2_000_000;

    private int _steps;

    public bool Validate(JsonElement value, SchemaNode schema)
    {
        System.Runtime.CompilerServices.RuntimeHelpers.EnsureSufficientExecutionStack();
        if (++_steps > MostSteps) throw new GrammarException($"{schema.Place}: too costly: its enumerated values take too long to check");
        if (schema.Constant is bool constant) return constant;
        if ((schema.Types & TypeOf(value)) == 0) return false;
        if (schema.Enum is { } allowed && !allowed.Exists(a => JsonElement.DeepEquals(a, value))) return false;
        bool own = value.ValueKind switch
        {
            JsonValueKind.Number => Number(value, schema),
            JsonValueKind.String => String(value.GetString()!, schema),
            JsonValueKind.Array => Array(value, schema),
            JsonValueKind.Object => Object(value, schema),
            _ => true,
        };
        if (!own) return false;
        if (schema.Reference is not null && !Validate(value, reader.Resolve(schema))) return false;
        if (!schema.AllOf.TrueForAll(s => Validate(value, s))) return false;
        if (schema.AnyOf.Count > 0 && !schema.AnyOf.Exists(s => Validate(value, s))) return false;
        if (schema.OneOf.Count > 0 && schema.OneOf.Count(s => Validate(value, s)) != 1) return false;
        if (schema.Not is { } denied && Validate(value, denied)) return false;
        if (schema.If is { } condition && (Validate(value, condition) ? schema.Then : schema.Else) is { } then && !Validate(value, then)) return false;
        return true;
    }

    public static JsonTypes TypeOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => JsonTypes.Null,
        JsonValueKind.False => JsonTypes.False,
        JsonValueKind.True => JsonTypes.True,
        JsonValueKind.Number => JsonTypes.Number,
        JsonValueKind.String => JsonTypes.String,
        JsonValueKind.Array => JsonTypes.Array,
        _ => JsonTypes.Object,
    };

    /// <summary>Whether a string's content matches an expression over canonical contents.</summary>
    public static bool Matches(ByteRegex regex, string text)
    {
        ByteRegex at = regex;
        foreach (byte b in Encoding.UTF8.GetBytes(JsonPieces.Escape(text)))
        {
            if (at.Next(b) is not { } next) return false;
            at = next;
        }
        return at.Nullable;
    }

    private static JsonElement Element(string text)
    {
        using JsonDocument document = JsonDocument.Parse($"\"{JsonPieces.Escape(text)}\"");
        return document.RootElement.Clone();
    }

    private static bool Number(JsonElement value, SchemaNode schema)
    {
        // Beyond what is computed with: right where nothing is asked of it.
        if (ExactNumber.Parse(value.GetRawText()) is not { } number)
            return !schema.IntegerOnly && (schema.Minimum ?? schema.ExclusiveMinimum ?? schema.Maximum ?? schema.ExclusiveMaximum ?? schema.MultipleOf) is null;
        return (!schema.IntegerOnly || number.IsInteger)
            && (schema.Minimum is not { } least || number.CompareTo(least) >= 0)
            && (schema.ExclusiveMinimum is not { } above || number.CompareTo(above) > 0)
            && (schema.Maximum is not { } most || number.CompareTo(most) <= 0)
            && (schema.ExclusiveMaximum is not { } below || number.CompareTo(below) < 0)
            && (schema.MultipleOf is not { } step || number.IsMultipleOf(step));
    }

    private static bool String(string text, SchemaNode schema)
    {
        int length = text.EnumerateRunes().Count();
        return length >= schema.MinLength && (schema.MaxLength < 0 || length <= schema.MaxLength)
            && (schema.Pattern is not { } pattern || Matches(pattern, text)) && (schema.Format is not { } format || Matches(format, text));
    }

    private bool Array(JsonElement value, SchemaNode schema)
    {
        int length = value.GetArrayLength();
        if (length < schema.MinItems || schema.MaxItems >= 0 && length > schema.MaxItems) return false;
        int i = 0;
        foreach (JsonElement item in value.EnumerateArray())
        {
            SchemaNode? expected = i < schema.PrefixItems.Count ? schema.PrefixItems[i] : schema.Items;
            if (expected is not null && !Validate(item, expected)) return false;
            i++;
        }
        return true;
    }

    private bool Object(JsonElement value, SchemaNode schema)
    {
        int count = value.EnumerateObject().Count();
        if (count < schema.MinProperties || schema.MaxProperties >= 0 && count > schema.MaxProperties) return false;
        if (!schema.Required.TrueForAll(r => value.TryGetProperty(r, out _))) return false;
        foreach (JsonProperty member in value.EnumerateObject())
        {
            bool named = false;
            foreach ((string name, SchemaNode expected) in schema.Properties)
            {
                if (name != member.Name) continue;
                named = true;
                if (!Validate(member.Value, expected)) return false;
            }
            foreach ((_, ByteRegex pattern, SchemaNode expected) in schema.PatternProperties)
            {
                if (!Matches(pattern, member.Name)) continue;
                named = true;
                if (!Validate(member.Value, expected)) return false;
            }
            if (!named && schema.AdditionalProperties is { } additional && !Validate(member.Value, additional)) return false;
            if (schema.PropertyNames is { } names && !Validate(Element(member.Name), names)) return false;
        }
        foreach ((string name, List<string> required) in schema.DependentRequired)
            if (value.TryGetProperty(name, out _) && !required.TrueForAll(r => value.TryGetProperty(r, out _))) return false;
        foreach ((string name, SchemaNode expected) in schema.DependentSchemas)
            if (value.TryGetProperty(name, out _) && !Validate(value, expected)) return false;
        return true;
    }
}
