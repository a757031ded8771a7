using Microsoft.Extensions.AI;
using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Models;
using SeekSharp.Tokenization;

namespace SeekSharp.Chat;

/// <summary>How the hidden states of a text's tokens become one vector.</summary>
public enum EmbeddingPooling
{
    /// <summary>Their mean: for models that were not trained for embeddings.</summary>
    Mean,
    /// <summary>The last token's state: what embedding models on a decoder are trained for, with their end token at the text's end.</summary>
    LastToken,
}

/// <summary>
/// A local model's texts as vectors: the hidden states after the final norm, pooled, and brought to length 1. Safe for several threads. A text's vector is the same bits alone and beside others.
/// </summary>
/// <remarks>
/// The tokens are those of the tokenizer with what it adds by itself (a BOS, an end token). A dimension other than the model's, another model's id, and additional properties are refused with a
/// <see cref="NotSupportedException"/>.
/// </remarks>
public sealed class SeekSharpEmbeddingGenerator : IEmbeddingGenerator<string, Embedding<float>>
{
    private readonly ChatModel _model;
    private readonly ModelFolder? _folder; // null: the model is another's
    private readonly Embedder _embedder;
    private readonly EmbeddingPooling _pooling;
    private readonly EmbeddingGeneratorMetadata _metadata;
    private int _disposed;

    internal SeekSharpEmbeddingGenerator(ChatModel model, ModelFolder? owned, string id, EmbeddingPooling pooling)
    {
        if (!Enum.IsDefined(pooling)) throw new ArgumentOutOfRangeException(nameof(pooling));
        (_model, _folder, _pooling) = (model, owned, pooling);
        _embedder = new Embedder(model.Model);
        _metadata = new EmbeddingGeneratorMetadata("seeksharp", null, id, _embedder.Width);
    }

    /// <summary>Loads a model for embeddings alone. One that chats as well: <see cref="SeekSharpChatClient.AsEmbeddingGenerator"/>.</summary>
    /// <param name="path">A model folder or a <c>.gguf</c> file.</param>
    /// <param name="pooling">How.</param>
    /// <param name="options">How it is run; null for every core and the default arithmetic.</param>
    /// <exception cref="CheckpointException">The files are broken, incomplete or of a kind that is not supported.</exception>
    /// <exception cref="TokenizerException">The tokenizer is broken.</exception>
    public static SeekSharpEmbeddingGenerator Load(string path, EmbeddingPooling pooling = EmbeddingPooling.Mean, ModelOptions? options = null)
    {
        ModelFolder folder = ModelFolder.Open(path);
        try
        {
            return new SeekSharpEmbeddingGenerator(ChatModel.Load(folder, options ?? new ModelOptions()), folder, SeekSharpChatClient.IdOf(folder), pooling);
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">An option cannot be honoured; the message names it.</exception>
    /// <exception cref="EngineException">A text has no tokens, or more than the context.</exception>
    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        if (options?.Dimensions is { } dimensions && dimensions != _embedder.Width) throw new NotSupportedException($"EmbeddingGenerationOptions.Dimensions is not supported ({dimensions}; the model has {_embedder.Width})");
        if (options?.ModelId is { } id && id != _metadata.DefaultModelId) throw new NotSupportedException($"EmbeddingGenerationOptions.ModelId is not supported ({id}; loaded is {_metadata.DefaultModelId})");
        if (options?.AdditionalProperties is { Count: > 0 } more) throw new NotSupportedException($"EmbeddingGenerationOptions.AdditionalProperties is not supported ({more.Keys.First()})");
        if (options?.RawRepresentationFactory is not null) throw new NotSupportedException("EmbeddingGenerationOptions.RawRepresentationFactory is not supported");

        int[][] ids = [.. values.Select(Encode)];
        Pooling pooling = _pooling == EmbeddingPooling.Mean ? Pooling.Mean : Pooling.Last;
        float[][] vectors = await Task.Run(() => _embedder.Embed(ids, pooling, cancellationToken), cancellationToken).ConfigureAwait(false);
        long tokens = ids.Sum(static i => (long)i.Length);
        return new GeneratedEmbeddings<Embedding<float>>(vectors.Select(v => new Embedding<float>(v) { ModelId = _metadata.DefaultModelId, CreatedAt = DateTimeOffset.UtcNow }))
        {
            Usage = new UsageDetails { InputTokenCount = tokens, TotalTokenCount = tokens },
        };
    }

    private int[] Encode(string text) => _model.Tokenizer?.Encode(text ?? throw new ArgumentException("a text is null", nameof(text)), addSpecialTokens: true)
        ?? throw new CheckpointException($"{_model.Folder.Path}: there is no tokenizer, so it takes no texts");

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null) => ServiceOf.Leaf(this, _metadata, serviceType, serviceKey);

    /// <summary>Frees the model, if it was loaded for this alone. A second call does nothing.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0 || _folder is null) return;
        _model.Dispose();
        _folder.Dispose();
    }
}
