namespace SeekSharp.Tokenization;

/// <summary>
/// A TemplateProcessing of tokenizer.json: which special ids go around a text. Several may follow each other; then the parts that one
/// leaves are the sequences of the next, so a text with a BOS in front counts as a pair.
/// </summary>
internal sealed class PostTemplate(PostTemplate.Part[] single, PostTemplate.Part[] pair)
{
    /// <summary>A part: the first (0) or second (1) sequence, or special ids.</summary>
    public readonly record struct Part(int Sequence, int[]? Ids);

    public IEnumerable<int> AddedIds => single.Concat(pair).SelectMany(p => p.Ids ?? []);

    /// <summary>Puts the special ids around <paramref name="ids"/>.</summary>
    public static void Apply(PostTemplate[] templates, IdList ids, bool addSpecialTokens)
    {
        if (templates.Length == 0) return;
        List<int[]> parts = [ids.ToArray()];
        foreach (PostTemplate template in templates)
        {
            if (parts.Count is 0 or > 2) throw new TokenizerException($"post_processor: a template finds {parts.Count} sequences, expected one or two");
            List<int[]> next = [];
            foreach (Part part in parts.Count == 1 ? template.Single : template.Pair)
            {
                if (part.Ids is not null)
                {
                    if (addSpecialTokens) next.Add(part.Ids);
                    continue;
                }
                if (part.Sequence >= parts.Count) throw new TokenizerException("post_processor: the template of a single text asks for a second one");
                next.Add(parts[part.Sequence]);
            }
            long total = next.Sum(p => (long)p.Length);
            if (total > 4L * ids.Count + (1 << 20)) throw new TokenizerException("post_processor: the templates multiply the text");
            parts = next;
        }
        ids.Clear();
        foreach (int[] part in parts) ids.AddRange(part);
    }

    /// <summary>The ids that the templates put in front of a text.</summary>
    public static int[] Leading(PostTemplate[] templates)
    {
        if (templates.Length == 0) return [];
        IdList probe = new();
        probe.Add(-1); // stands for the text
        try
        {
            Apply(templates, probe, addSpecialTokens: true);
        }
        catch (TokenizerException)
        {
            return []; // Encoding will say what is wrong.
        }
        int text = probe.Span.IndexOf(-1);
        return text <= 0 ? [] : probe.Span[..text].ToArray();
    }

    private Part[] Single => single;

    private Part[] Pair => pair;
}
