using Microsoft.Extensions.AI;
using SeekSharp.Chat;
using SeekSharp.Engine;
using Xunit;

namespace SeekSharp.Tests.Chat;

public sealed class EmbeddingTests
{
    [Fact]
    public async Task Texts_of_one_meaning_are_nearer_than_others()
    {
        using var client = SeekSharpChatClient.Load(SmolLm2.File_);
        using SeekSharpEmbeddingGenerator generator = client.AsEmbeddingGenerator();
        string[] texts = ["The cat sleeps on the sofa.", "A kitten is sleeping on the couch.", "Interest rates rose by half a percent in March."];
        GeneratedEmbeddings<Embedding<float>> all = await generator.GenerateAsync(texts);
        Assert.Equal(576, generator.GetService<EmbeddingGeneratorMetadata>()!.DefaultModelDimensions);
        Assert.All(all, e => Assert.Equal(1, Cosine(e, e), 1e-5));
        Assert.True(Cosine(all[0], all[1]) > Cosine(all[0], all[2]) && Cosine(all[0], all[1]) > Cosine(all[1], all[2]));
        Assert.True(all.Usage!.InputTokenCount is > 15 and < 40);
        for (int i = 0; i < texts.Length; i++) Assert.Equal(all[i].Vector.ToArray(), (await generator.GenerateVectorAsync(texts[i])).ToArray());

        using SeekSharpEmbeddingGenerator last = client.AsEmbeddingGenerator(EmbeddingPooling.LastToken);
        Assert.NotEqual(all[0].Vector.ToArray(), (await last.GenerateVectorAsync(texts[0])).ToArray());
        Assert.Contains("Dimensions", (await Assert.ThrowsAsync<NotSupportedException>(() => generator.GenerateAsync(texts, new() { Dimensions = 8 }))).Message);
        Assert.Contains("ModelId", (await Assert.ThrowsAsync<NotSupportedException>(() => generator.GenerateAsync(texts, new() { ModelId = "x" }))).Message);
        await Assert.ThrowsAsync<EngineException>(() => generator.GenerateAsync([""]));
        generator.Dispose(); // the model is the client's
        Assert.NotEmpty((await client.GetResponseAsync("hi", new() { MaxOutputTokens = 1 })).Messages);
    }

    private static double Cosine(Embedding<float> a, Embedding<float> b)
    {
        double dot = 0;
        for (int i = 0; i < a.Vector.Length; i++) dot += a.Vector.Span[i] * b.Vector.Span[i];
        return dot;
    }
}
