using SeekSharp.Engine;
using SeekSharp.Models;
using SeekSharp.Tests.Tokenization;
using SeekSharp.Tokenization;

namespace SeekSharp.Tests.Soak;

/// <summary>What a caller does.</summary>
internal enum SoakCaller
{
    /// <summary>Reads to the end.</summary>
    Reads,
    /// <summary>Reads, but so slowly that the sequence has to rest.</summary>
    ReadsSlowly,
    /// <summary>Reads nothing, and goes away at some time.</summary>
    NeverReads,
    /// <summary>Goes away after some tokens.</summary>
    Leaves,
    /// <summary>Goes away at some time: in the queue, in the prompt, in the answer.</summary>
    LeavesAnyTime,
    /// <summary>Throws at a token.</summary>
    Throws,
    /// <summary>Has a grammar that throws.</summary>
    HasBrokenGrammar,
}

/// <summary>One request, drawn at random: everything that decides its text, and what its caller does. The same sequence can be made of it twice.</summary>
internal sealed record SoakRequest(int[] Prompt, SamplingParams Sampling, string Tenant, int Priority, TimeSpan? TimeLimit, int Adapter, string? Grammar, SoakCaller Caller, int At, bool Forces)
{
    private const int Vocabulary = 320, Longest = 512;
    private static readonly string[] Sources =
    [
        "root ::= \"{\" pair (\",\" pair)* \"}\"\npair ::= \"\\\"\" [a-z]{1,8} \"\\\":\" [0-9]+",
        "root ::= (\"ab\" | \"hello world\" | [0-9]{3})+",
        "root ::= \"true\" | \"[\" root (\",\" root)* \"]\"",
    ];
    private static readonly Dictionary<string, TokenGrammar> Grammars = Sources.ToDictionary(s => s, s => new TokenGrammar(SeekSharp.Tokenization.Grammar.Gbnf(s), GrammarText.Vocabulary));

    /// <param name="random">Where from.</param>
    /// <param name="earlier">Texts that a prompt may go on from.</param>
    public static SoakRequest Draw(Random random, IReadOnlyList<int[]> earlier)
    {
        int[] prompt = [.. Enumerable.Range(0, random.Next(4) == 0 ? random.Next(1, 400) : random.Next(1, 60)).Select(_ => random.Next(2, Vocabulary))];
        if (random.Next(4) == 0) prompt = [.. Enumerable.Repeat(prompt[..Math.Min(prompt.Length, 12)], 6).SelectMany(p => p)]; // something to look up
        if (earlier.Count > 0 && random.Next(3) > 0)
        {
            int[] other = earlier[random.Next(earlier.Count)];
            prompt = [.. other[..random.Next(other.Length / 2, other.Length + 1)], .. prompt[..Math.Min(prompt.Length, 20)]];
        }
        if (prompt.Length > 440) prompt = prompt[..440];
        SamplingParams sampling = random.Next(2) == 0
            ? SamplingParams.Greedy
            : new SamplingParams { Temperature = 1, Seed = (ulong)random.NextInt64(), TopK = random.Next(2) * 40, TopP = random.Next(2) == 0 ? 1 : 0.9f, RepeatPenalty = random.Next(3) == 0 ? 1.2f : 1, FrequencyPenalty = random.Next(4) == 0 ? 0.5f : 0 };
        sampling = sampling with { MaxTokens = random.Next(30) == 0 ? null : random.Next(1, 90), StopTokenIds = random.Next(2) == 0 ? [GrammarText.End] : [], LogProbabilities = random.Next(8) == 0 ? 5 : null };
        string? grammar = random.Next(5) == 0 ? Sources[random.Next(Sources.Length)] : null;
        if (grammar is not null) sampling = sampling with { StopTokenIds = [GrammarText.End] };
        SoakCaller caller = random.Next(100) switch
        {
            < 60 => SoakCaller.Reads,
            < 72 => SoakCaller.ReadsSlowly,
            < 77 => SoakCaller.NeverReads,
            < 86 => SoakCaller.Leaves,
            < 94 => SoakCaller.LeavesAnyTime,
            < 97 => SoakCaller.Throws,
            _ => SoakCaller.HasBrokenGrammar,
        };
        return new(prompt, sampling, $"tenant {random.Next(3)}", random.Next(6) / 4, random.Next(12) == 0 ? TimeSpan.FromMilliseconds(random.Next(1, 500)) : null, random.Next(3) == 0 ? random.Next(1, 3) : 0,
            grammar, caller, random.Next(1, 40), grammar is null && random.Next(6) == 0);
    }

    /// <summary>Something is to go wrong with it.</summary>
    public bool MustFail => Caller is SoakCaller.Throws or SoakCaller.HasBrokenGrammar;

    public const string Fault = "a fault of the caller's";

    public Sequence Make(LoraAdapter?[] adapters, bool alone) => new(Prompt, Sampling)
    {
        Tenant = Tenant,
        Priority = Priority,
        TimeLimit = alone ? null : TimeLimit,
        Adapter = adapters[Adapter],
        Constraint = Caller == SoakCaller.HasBrokenGrammar ? new Broken(At) : Grammar is null ? null : new Follower(Grammars[Grammar]),
    };

    /// <summary>What the caller does at a token, on the engine's thread: some force tokens, some throw.</summary>
    public void OnToken(Sequence sequence)
    {
        int count = sequence.Generated.Length;
        if (Forces && count == 5) sequence.Force([7, 8, 9]);
        if (Caller == SoakCaller.Throws && count == At) throw new InvalidOperationException(Fault);
    }

    private sealed class Follower(TokenGrammar grammar) : TokenConstraint
    {
        private readonly GrammarMatcher _matcher = grammar.CreateMatcher();
        private readonly uint[] _bits = new uint[GrammarText.Vocabulary.MaskLength];

        public override bool FillMask(Span<uint> mask)
        {
            _matcher.FillMask(_bits);
            mask.Clear();
            _bits.AsSpan(0, mask.Length).CopyTo(mask); // the vocabulary has some pieces more than the model
            return true;
        }

        public override void Accept(int id)
        {
            if (!_matcher.Accept(id)) throw new InvalidOperationException($"the grammar does not admit {id}");
        }

        public override void Rollback(int count) => _matcher.Rollback(count);
    }

    private sealed class Broken(int at) : TokenConstraint
    {
        private int _count;

        public override bool FillMask(Span<uint> mask) => _count >= at ? throw new InvalidOperationException(Fault) : false;
        public override void Accept(int id) => _count++;
        public override void Rollback(int count) => _count -= count;
    }
}
