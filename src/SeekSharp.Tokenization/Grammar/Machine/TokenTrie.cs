namespace SeekSharp.Tokenization;

/// <summary>
/// A set of tokens as a tree of bytes, written in preorder into flat arrays: a node's first child follows it, and its subtree ends where <see cref="End"/> says, so that
/// a walk that a byte stops goes on there.
/// </summary>
internal sealed class TokenTrie
{
    /// <param name="tokens">Bytes and ids, sorted by bytes; none of them empty.</param>
    public TokenTrie(IReadOnlyList<(byte[] Bytes, int Id)> tokens)
    {
        List<byte> labels = [0];
        List<int> ends = [0], ids = [-1];
        List<ushort> depths = [0];
        List<int> path = [0]; // the nodes from the root to the last one
        List<(int Node, int Id)> more = [];
        ReadOnlySpan<byte> last = [];
        foreach ((byte[] bytes, int id) in tokens)
        {
            int shared = last.CommonPrefixLength(bytes);
            if (shared == bytes.Length && shared == last.Length && shared > 0)
            {
                more.Add((path[^1], id)); // two tokens of the same bytes
                continue;
            }
            for (int d = path.Count - 1; d > shared; d--) ends[path[d]] = labels.Count;
            path.RemoveRange(shared + 1, path.Count - shared - 1);
            for (int d = shared; d < bytes.Length; d++)
            {
                path.Add(labels.Count);
                labels.Add(bytes[d]);
                ends.Add(0);
                ids.Add(-1);
                depths.Add((ushort)(d + 1));
            }
            ids[path[^1]] = id;
            last = bytes;
        }
        foreach (int node in path) ends[node] = labels.Count;
        (Labels, End, Token, Depth) = ([.. labels], [.. ends], [.. ids], [.. depths]);
        foreach ((int node, int id) in more)
        {
            if (!Same.TryGetValue(Token[node], out List<int>? others)) Same[Token[node]] = others = [];
            others.Add(id);
        }
    }

    /// <summary>The byte that leads to a node; node 0 is the root.</summary>
    public byte[] Labels { get; }

    /// <summary>The node behind a node's subtree.</summary>
    public int[] End { get; }

    /// <summary>The token that ends at a node, or -1.</summary>
    public int[] Token { get; }

    /// <summary>Bytes from the root.</summary>
    public ushort[] Depth { get; }

    /// <summary>Tokens with the same bytes as a token in <see cref="Token"/>.</summary>
    public Dictionary<int, List<int>> Same { get; } = [];

    /// <summary>Sets a token's bit, and those of its equals.</summary>
    public void Mark(Span<uint> bits, int token)
    {
        bits[token >> 5] |= 1u << token;
        if (Same.Count > 0 && Same.TryGetValue(token, out List<int>? others))
            foreach (int other in others) bits[other >> 5] |= 1u << other;
    }
}
