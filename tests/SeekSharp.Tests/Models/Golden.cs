using SeekSharp.Checkpoints;
using SeekSharp.Models;
using Xunit;

namespace SeekSharp.Tests.Models;

/// <summary>Golden models: opening them, running them in every way, comparing.</summary>
internal static class Golden
{
    /// <summary>The bound of the exact path: largest difference over the largest golden magnitude.</summary>
    public const double ExactBound = 1e-4;

    public static readonly ModelOptions Exact = new() { Exact = true, Threads = 2 };

    public static GoldenFile Expected(string name) => name.StartsWith("gguf/", StringComparison.Ordinal)
        ? new GoldenFile(Repository.Shared($"goldens/{name}.expected.safetensors"))
        : new GoldenFile(Repository.Shared($"goldens/models/{name}/expected.safetensors"));

    public static string File(string name) => name.StartsWith("gguf/", StringComparison.Ordinal)
        ? Repository.Shared($"goldens/{name}.gguf")
        : Repository.Shared($"goldens/models/{name}");

    /// <summary>All logits [T, V] of a model file.</summary>
    public static float[] Logits(string name, int[] ids, ModelOptions? options = null, ForwardTrace? trace = null)
    {
        using ModelFolder folder = ModelFolder.Open(File(name));
        using LanguageModel model = LanguageModel.Load(folder, options ?? Exact);
        return Logits(model, ids, trace);
    }

    public static float[] Logits(LanguageModel model, int[] ids, ForwardTrace? trace = null)
    {
        using KvCache cache = model.CreateCache();
        var logits = new float[ids.Length * model.VocabularySize];
        model.ForwardAll(cache, ids, logits, trace: trace);
        return logits;
    }

    public static int[] Greedy(LanguageModel model, int[] prompt, int count)
    {
        using KvCache cache = model.CreateCache();
        var logits = new float[model.VocabularySize];
        var ids = new List<int>();
        ReadOnlySpan<int> next = prompt;
        for (int i = 0; i < count; i++)
        {
            model.Forward(cache, next, logits);
            ids.Add(ArgMax(logits));
            next = new[] { ids[^1] };
        }
        return [.. ids];
    }

    public static int ArgMax(ReadOnlySpan<float> x)
    {
        int best = 0;
        for (int i = 1; i < x.Length; i++) if (x[i] > x[best]) best = i;
        return best;
    }

    /// <summary>Largest difference over the largest expected magnitude.</summary>
    public static double Distance(float[] expected, float[] found) => RowDistances(expected, found, 1)[0];

    /// <summary>For each of the rows: largest difference over the largest expected magnitude of all.</summary>
    public static double[] RowDistances(float[] expected, float[] found, int rows)
    {
        Assert.Equal(expected.Length, found.Length);
        int width = expected.Length / rows;
        double largest = expected.Max(Math.Abs);
        return [.. Enumerable.Range(0, rows).Select(r => Enumerable.Range(r * width, width).Max(i =>
        {
            double d = Math.Abs((double)expected[i] - found[i]);
            return double.IsNaN(d) ? double.PositiveInfinity : d;
        }) / largest)];
    }

    public static void AssertClose(float[] expected, float[] found, string what, double bound = ExactBound)
    {
        double distance = Distance(expected, found);
        Assert.True(distance <= bound, $"{what}: off by {distance:G3} of the largest value, allowed {bound:G3}");
    }

    public static void AssertSameBits(float[] expected, float[] found, string what)
    {
        Assert.Equal(expected.Length, found.Length);
        for (int i = 0; i < expected.Length; i++)
            if (BitConverter.SingleToInt32Bits(expected[i]) != BitConverter.SingleToInt32Bits(found[i]))
                Assert.Fail($"{what}: value {i} of {expected.Length} is {found[i]:R}, was {expected[i]:R}");
    }
}
