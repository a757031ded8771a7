using System.CommandLine;
using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Models;
using SeekSharp.Tokenization;

namespace SeekSharp.Cli;

/// <summary>The options that say how tokens are guessed ahead. None of them changes a token of an answer.</summary>
internal sealed class SpeculationFlags
{
    private readonly Option<bool> _lookup = new("--lookup") { Description = "Guess tokens from what the text has said before, and by nothing else unless that is named too" };
    private readonly Option<bool> _mtp = new("--mtp") { Description = "Guess tokens with the checkpoint's multi-token-prediction module, and by nothing else unless that is named too" };
    private readonly Option<string?> _draft = new("--draft") { Description = "Guess tokens with a smaller model that has the same tokenizer", HelpName = "MODEL" };
    private readonly Option<bool> _none = new("--no-speculation") { Description = "Guess no tokens" };

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_lookup, _mtp, _draft, _none]) command.Options.Add(option);
    }

    /// <summary>What was asked for. With nothing named, <paramref name="otherwise"/>.</summary>
    /// <exception cref="CliException">Wrong usage: some kind and none at once.</exception>
    public Choice Read(ParseResult parsed, SpeculationOptions otherwise)
    {
        bool lookup = parsed.GetValue(_lookup), mtp = parsed.GetValue(_mtp), none = parsed.GetValue(_none);
        string? draft = parsed.GetValue(_draft);
        bool some = lookup || mtp || draft is not null;
        if (some && none) throw CliException.Usage("--no-speculation goes with none of --lookup, --mtp and --draft");
        return new(none ? SpeculationOptions.None : some ? SpeculationOptions.None with { Lookup = lookup, MultiTokenPrediction = mtp } : otherwise, draft, mtp);
    }

    /// <param name="Options">Without the draft model.</param>
    /// <param name="Draft">The draft model's name; null for none.</param>
    /// <param name="NamedMtp">The module was asked for by name.</param>
    internal sealed record Choice(SpeculationOptions Options, string? Draft, bool NamedMtp);

    /// <summary>What is asked for by name must be there; many copies of a model leave the module out.</summary>
    /// <exception cref="CliException">The model has no prediction module, and one was asked for.</exception>
    public static void Require(Choice choice, LanguageModel model, string path)
    {
        if (choice.NamedMtp && !model.HasMultiTokenPrediction) throw new CliException($"{path}: --mtp: the model has no multi-token-prediction module");
    }

    /// <summary>A loaded draft model, or none; and the options with it.</summary>
    internal sealed class Loaded : IDisposable
    {
        private readonly ModelFolder? _folder;
        private readonly LanguageModel? _model;

        /// <exception cref="CliException">The draft model has other tokens.</exception>
        public Loaded(Choice choice, ModelFolder main, ModelOptions options)
        {
            Options = choice.Options;
            if (choice.Draft is not { } name) return;
            _folder = ModelArgument.Open(name);
            try
            {
                RequireSameTokens(main, _folder);
                _model = ModelArgument.Load(_folder, options with { MultiTokenPrediction = false, ContextLength = null });
            }
            catch
            {
                _folder.Dispose();
                throw;
            }
            Options = Options with { DraftModel = _model };
        }

        public SpeculationOptions Options { get; }

        public void Dispose()
        {
            _model?.Dispose();
            _folder?.Dispose();
        }
    }

    // A guess is an id: it must mean the same text to both.
    private static void RequireSameTokens(ModelFolder main, ModelFolder draft)
    {
        if (main.Tokenizer is not Tokenizer a || draft.Tokenizer is not Tokenizer b)
        {
            if (main.Config?.VocabSize == draft.Config?.VocabSize) return;
            throw new CliException($"{draft.Path}: --draft: has a vocabulary of {draft.Config?.VocabSize}, the model one of {main.Config?.VocabSize}");
        }
        for (int id = 0; id < Math.Min(a.VocabularySize, b.VocabularySize); id++)
            if (a.Decode([id]) != b.Decode([id])) throw new CliException($"{draft.Path}: --draft: has other tokens than the model: id {id} is not the same text");
    }
}
