using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection.Extensions;
using SeekSharp.Chat;
using SeekSharp.Models;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers a local model in a container.</summary>
public static class SeekSharpServiceCollectionExtensions
{
    /// <summary>
    /// Registers a model as singletons: <see cref="SeekSharpChatClient"/>, the leaf, and, where the container has none yet, <see cref="IChatClient"/>, the same behind a
    /// <see cref="ToolLoopChatClient"/>, and <see cref="IEmbeddingGenerator{TInput, TEmbedding}"/> (mean pooling). It is loaded when one of them is first asked for, and freed with the container.
    /// </summary>
    /// <param name="services">The container to be.</param>
    /// <param name="path">A model folder or a <c>.gguf</c> file.</param>
    /// <param name="options">How it is run; null for every core and the default arithmetic.</param>
    public static IServiceCollection AddSeekSharp(this IServiceCollection services, string path, ModelOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        services.AddSingleton(_ => SeekSharpChatClient.Load(path, options));
        services.TryAddSingleton<IChatClient>(provider => new ToolLoopChatClient(provider.GetRequiredService<SeekSharpChatClient>(), provider));
        services.TryAddSingleton<IEmbeddingGenerator<string, Embedding<float>>>(provider => provider.GetRequiredService<SeekSharpChatClient>().AsEmbeddingGenerator());
        return services;
    }
}
