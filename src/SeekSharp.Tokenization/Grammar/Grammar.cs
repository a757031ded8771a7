namespace SeekSharp.Tokenization;

/// <summary>
/// What a text may be: a grammar compiled from a JSON schema, a regular expression or GBNF. Bound to a vocabulary (<see cref="TokenGrammar"/>) it masks the tokens that may come.
/// Immutable as seen from outside, and thread-safe.
/// </summary>
public sealed class Grammar
{
    private Grammar(GrammarRules rules) => Rules = rules;

    internal GrammarRules Rules { get; }

    /// <summary>
    /// Values that satisfy a JSON schema (drafts 4 to 2020-12), as compact or indented JSON: between two tokens stands nothing, one blank, or a line break and up to 256 blanks or tabs. Members come in the
    /// order in which the schema names them, others behind them.
    /// </summary>
    /// <param name="schema">The schema as JSON text.</param>
    /// <exception cref="GrammarException">The schema is no schema, uses a keyword that is not supported, is too complex, or has no value.</exception>
    public static Grammar JsonSchema(string schema)
    {
        ArgumentNullException.ThrowIfNull(schema);
        return new Grammar(GrammarErrors.Guard(schema, SchemaCompiler.Compile));
    }

    /// <summary>Any JSON value (RFC 8259).</summary>
    public static Grammar Json() => JsonSchema("true");

    /// <summary>Texts that a regular expression (ECMA-262; no back references, looks behind, <c>\b</c> or flags) matches from end to end.</summary>
    /// <param name="pattern">The expression.</param>
    /// <exception cref="GrammarException">The expression is broken, not supported, or matches nothing.</exception>
    public static Grammar Regex(string pattern)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        return new Grammar(GrammarErrors.Guard(pattern, static p =>
        {
            var pool = new ByteRegexPool();
            var rules = new GrammarRules(pool);
            rules.Close(Symbol.Of(new PatternRegex(pool, pool.Utf8).Whole(EcmaPattern.Parse(p))));
            return rules;
        }));
    }

    /// <summary>Texts of the rule <c>root</c> of a grammar in GBNF, the form that llama.cpp reads.</summary>
    /// <param name="gbnf">The grammar.</param>
    /// <exception cref="GrammarException">The grammar is broken, is left-recursive, or matches nothing.</exception>
    public static Grammar Gbnf(string gbnf)
    {
        ArgumentNullException.ThrowIfNull(gbnf);
        return new Grammar(GrammarErrors.Guard(gbnf, GbnfParser.Compile));
    }
}
