using SeekSharp.Engine;
using Xunit;

namespace SeekSharp.Tests.Engine;

public sealed class PromptLookupTests
{
    // The longest match of all places, the latest of several: no table, no bound on places.
    private static int Plain(int[] ids, Span<int> draft)
    {
        int best = 0, from = 0;
        for (int end = ids.Length - 2; end >= 0; end--)
        {
            int matched = 0;
            while (matched < PromptLookup.LongestMatch && matched <= end && ids[end - matched] == ids[^(1 + matched)]) matched++;
            if (matched > best) (best, from) = (matched, end + 1);
        }
        if (best < PromptLookup.ShortestMatch) return 0;
        int[] all = [.. ids, .. new int[draft.Length]];
        for (int i = 0; i < draft.Length; i++) draft[i] = all[ids.Length + i] = all[from + i];
        return best;
    }

    [Fact]
    public void It_finds_what_a_search_of_all_places_finds()
    {
        var random = new Random(8);
        for (int round = 0; round < 300; round++)
        {
            int vocabulary = random.Next(2, 60);
            var lookup = new PromptLookup(random.Next(1, 40));
            var ids = new List<int>();
            while (ids.Count < 60) // fewer places than the bound, but in tiny vocabularies
            {
                for (int more = random.Next(1, 5); more > 0; more--) ids.Add(ids.Count > 10 && random.Next(3) > 0 ? ids[^10] : random.Next(vocabulary));
                int[] draft = new int[6], expected = new int[6];
                int matched = lookup.Propose([.. ids], draft), plain = Plain([.. ids], expected);
                if (vocabulary > 5) Assert.Equal(plain, matched);
                else Assert.InRange(matched, plain == 0 ? 0 : PromptLookup.ShortestMatch, plain);
                if (matched == plain && vocabulary > 5) Assert.Equal(expected, draft);
            }
        }
    }

    [Fact]
    public void A_repetition_goes_on_beyond_the_end()
    {
        var draft = new int[8];
        Assert.Equal(4, new PromptLookup().Propose([9, 1, 2, 1, 2, 1, 2], draft));
        Assert.Equal([1, 2, 1, 2, 1, 2, 1, 2], draft);
        Assert.Equal(5, new PromptLookup().Propose([7, 7, 7, 7, 7, 7], draft));
        Assert.All(draft, id => Assert.Equal(7, id));
        Assert.Equal(0, new PromptLookup().Propose([1, 2, 3, 4, 5], draft));
        Assert.Equal(0, new PromptLookup().Propose([1, 2], draft));
        Assert.Equal(0, new PromptLookup().Propose([], draft));
    }

    [Fact]
    public void Long_sequences_take_a_bounded_time()
    {
        var lookup = new PromptLookup();
        int[] same = new int[100_000]; // every place has the same hash
        var draft = new int[4];
        long began = System.Diagnostics.Stopwatch.GetTimestamp();
        for (int length = 99_000; length < 100_000; length++) Assert.Equal(PromptLookup.LongestMatch, lookup.Propose(same.AsSpan(0, length), draft));
        Assert.InRange(System.Diagnostics.Stopwatch.GetElapsedTime(began).TotalSeconds, 0, 5);
    }
}
