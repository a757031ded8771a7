using SeekSharp.Checkpoints;
using Xunit;
using static SeekSharp.Tests.Checkpoints.BadInput;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>Broken and hostile GGUF files: each is refused with one line that says where and what.</summary>
public sealed class BadGgufTests
{
    private const ulong Huge = 1UL << 60;

    private static GgufBytes Plain() => new() { DataBytes = 64 };

    private static string Refused(GgufBytes file) => BadInput.Refused(file.ToArray(), "x.gguf");

    [Fact]
    public void The_plain_file_opens()
    {
        using var temporary = new TemporaryFolder();
        File.WriteAllBytes(temporary["x.gguf"], new GgufBytes { DataBytes = 66 }.Key("general.architecture", "llama").Tensor("a", [3, 2], 0, 0).Tensor("b", [32], 8, 32).ToArray());
        using Checkpoint c = Open(temporary["x.gguf"]);
        Assert.Equal([2, 3], c.Tensors["a"].Shape);
        Assert.Equal(34, c.Tensors["b"].ByteLength);
    }

    [Fact]
    public void Empty_file() => Assert.Contains("empty", BadInput.Refused([], "x.gguf"), StringComparison.Ordinal);

    [Fact]
    public void Wrong_magic() => Assert.Contains("not a GGUF file", Refused(new GgufBytes { Magic = 0x12345678 }), StringComparison.Ordinal);

    [Theory, InlineData(0u), InlineData(1u), InlineData(4u), InlineData(9u)]
    public void Other_versions(uint version) =>
        Assert.Contains($"GGUF version {version} is not supported; versions 2 and 3 are", Refused(new GgufBytes { Version = version }), StringComparison.Ordinal);

    [Fact]
    public void Big_endian_files()
    {
        Assert.Contains("big-endian GGUF file (version 3)", Refused(new GgufBytes { Version = 0x03000000 }), StringComparison.Ordinal);
        Assert.Contains("big-endian", Refused(new GgufBytes { Magic = 0x47475546 }), StringComparison.Ordinal);
    }

    [Fact]
    public void Truncation_at_every_byte()
    {
        byte[] file = Plain().Key("general.architecture", "llama").Key("n", 7).Raw("list", 9, w => { w.Write(8u); w.Write(1UL); w.Write(3UL); w.Write("abc"u8); })
            .Tensor("a", [3, 2], 0, 0).Tensor("b", [8], 0, 32).ToArray();
        using var temporary = new TemporaryFolder();
        string path = temporary["x.gguf"];
        for (int length = 0; length < file.Length; length++)
        {
            File.WriteAllBytes(path, file[..length]);
            BadInput.Refused(() => Open(path).Dispose(), path);
        }
    }

    [Fact]
    public void Truncation_at_every_structural_boundary_of_a_real_file()
    {
        byte[] file = File.ReadAllBytes(Repository.Shared("goldens/gguf/metadata.gguf"));
        using var temporary = new TemporaryFolder();
        string path = temporary["x.gguf"];
        var cuts = new SortedSet<long>();
        using (GgufCheckpoint whole = GgufCheckpoint.Open(Repository.Shared("goldens/gguf/metadata.gguf")))
        {
            foreach (GgufValue v in whole.Metadata.Values.Values) cuts.UnionWith([v.Offset - 12, v.Offset - 4, v.Offset, v.Offset + 1]);
            foreach (CheckpointTensor t in whole.Tensors.Values) cuts.UnionWith([t.Address - whole.Images[0].Address, t.Address - whole.Images[0].Address + t.ByteLength - 1]);
        }
        Assert.True(cuts.Count > 200);
        foreach (long cut in cuts)
        {
            File.WriteAllBytes(path, file[..(int)cut]);
            BadInput.Refused(() => Open(path).Dispose(), path);
        }
    }

    [Fact]
    public void Counts_of_2_to_the_60()
    {
        Assert.Contains("keys do not fit", Refused(new GgufBytes { KeyCount = Huge }), StringComparison.Ordinal);
        Assert.Contains("tensors do not fit", Refused(new GgufBytes { TensorCount = Huge }), StringComparison.Ordinal);
        Assert.Contains("too long", Refused(Plain().Raw("a", 9, w => { w.Write(0u); w.Write(Huge); })), StringComparison.Ordinal);
        Assert.Contains("do not fit", Refused(Plain().Raw("a", 9, w => { w.Write(11u); w.Write(1_000_000UL); })), StringComparison.Ordinal);
        Assert.Contains("strings do not fit", Refused(Plain().Raw("a", 9, w => { w.Write(8u); w.Write(1_000_000UL); })), StringComparison.Ordinal);
    }

    [Fact]
    public void Strings_of_2_to_the_60()
    {
        Assert.Contains("a string of 1152921504606846976 bytes does not fit", Refused(Plain().Raw("a", 8, w => w.Write(Huge))), StringComparison.Ordinal);
        Assert.Contains("a string of 1152921504606846976 bytes does not fit", Refused(Plain().Raw("a", 9, w => { w.Write(8u); w.Write(1UL); w.Write(Huge); })), StringComparison.Ordinal);
        Assert.Contains("does not fit", Refused(Plain().Raw("a", 8, w => w.Write(ulong.MaxValue))), StringComparison.Ordinal);
    }

    [Fact]
    public void Unknown_kind_of_value()
    {
        Assert.Contains("a: unknown kind of value 13", Refused(Plain().Raw("a", 13, w => w.Write(0UL))), StringComparison.Ordinal);
        Assert.Contains("a: unknown kind of value 99", Refused(Plain().Raw("a", 9, w => { w.Write(99u); w.Write(0UL); })), StringComparison.Ordinal);
    }

    [Fact]
    public void Dimensions_whose_product_overflows()
    {
        Assert.Contains("overflow", Refused(Plain().Tensor("a", [1UL << 32, 1UL << 32], 0, 0)), StringComparison.Ordinal);
        Assert.Contains("overflow", Refused(Plain().Tensor("a", [1UL << 32, 1UL << 30], 0, 0)), StringComparison.Ordinal); // times four bytes
        Assert.Contains("overflow", Refused(Plain().Tensor("a", [ulong.MaxValue], 0, 0)), StringComparison.Ordinal);
        Assert.Contains("5 dimensions", Refused(Plain().Tensor("a", [1, 1, 1, 1, 1], 0, 0)), StringComparison.Ordinal);
        Assert.Contains("4294967295 dimensions", Refused(Plain().Tensor("a", [1], 0, 0, rank: uint.MaxValue)), StringComparison.Ordinal);
    }

    [Fact]
    public void Offsets_beyond_the_file()
    {
        Assert.Contains("do not lie within the 64 bytes of data", Refused(Plain().Tensor("a", [32], 0, 0)), StringComparison.Ordinal);
        Assert.Contains("do not lie within", Refused(Plain().Tensor("a", [1], 0, Huge)), StringComparison.Ordinal);
        Assert.Contains("do not lie within", Refused(Plain().Tensor("a", [1], 0, ulong.MaxValue - 31)), StringComparison.Ordinal);
    }

    [Fact]
    public void Unaligned_tensors() => Assert.Contains("offset 4 is no multiple of the alignment 32", Refused(Plain().Tensor("a", [1], 0, 4)), StringComparison.Ordinal);

    [Fact]
    public void Overlapping_tensors() => Assert.Contains("tensor b at 0 lies inside tensor a", Refused(Plain().Tensor("a", [4], 0, 0).Tensor("b", [4], 0, 0)), StringComparison.Ordinal);

    [Fact]
    public void Twice_the_same_tensor() => Assert.Contains("tensor a is there twice", Refused(Plain().Tensor("a", [4], 0, 0).Tensor("a", [4], 0, 32)), StringComparison.Ordinal);

    [Fact]
    public void Twice_the_same_key() => Assert.Contains("key n is there twice", Refused(Plain().Key("n", 1).Key("n", 2)), StringComparison.Ordinal);

    [Theory]
    [InlineData(34u, "TQ1_0")]
    [InlineData(35u, "TQ2_0")]
    [InlineData(4u, "Q4_2")]
    [InlineData(31u, "Q4_0_4_4")]
    [InlineData(40u, "NVFP4")]
    [InlineData(1000u, "number 1000")]
    public void Unknown_types_are_named(uint type, string name) =>
        Assert.Contains($"type {name} is not supported (F32, F16, BF16", Refused(Plain().Tensor("a", [256], type, 0)), StringComparison.Ordinal);

    [Fact]
    public void Rows_that_are_no_whole_number_of_blocks() => Assert.Contains("rows of 33 are no whole number of Q8_0 blocks of 32", Refused(Plain().Tensor("a", [33, 32], 8, 0)), StringComparison.Ordinal);

    [Theory, InlineData(0u), InlineData(48u), InlineData(uint.MaxValue)]
    public void Absurd_alignment(uint alignment) => Assert.Contains("general.alignment", Refused(Plain().Key("general.alignment", alignment)), StringComparison.Ordinal);

    [Fact]
    public void Alignment_of_another_kind() => Assert.Contains("general.alignment", Refused(Plain().Key("general.alignment", "32")), StringComparison.Ordinal);

    [Fact]
    public void A_part_of_a_split_model_that_is_missing_or_wrong()
    {
        using var temporary = new TemporaryFolder();
        string one = temporary["m-00001-of-00002.gguf"], two = temporary["m-00002-of-00002.gguf"];
        File.Copy(Repository.Shared("goldens/gguf/llama_split-00001-of-00002.gguf"), one);
        Assert.Contains("part 2 of 2 is missing (m-00002-of-00002.gguf)", BadInput.Refused(() => Open(one), one), StringComparison.Ordinal);
        File.Copy(one, two);
        Assert.Contains("split.no and split.count are 0 and 2, expected 1 and 2", BadInput.Refused(() => Open(one), two), StringComparison.Ordinal);
        File.Copy(one, temporary["alone.gguf"]);
        Assert.Contains("one of 2 parts", BadInput.Refused(() => Open(temporary["alone.gguf"]), temporary["alone.gguf"]), StringComparison.Ordinal);
    }

    [Fact]
    public void A_tensor_of_more_than_2_to_the_31_elements_beyond_4_GiB()
    {
        byte[] header = new GgufBytes().Tensor("big", [65536, 65536], 8, 0).Tensor("after", [1], 0, 65536UL * 65536 / 32 * 34).ToArray();
        using var temporary = new TemporaryFolder();
        using (FileStream file = File.Create(temporary["x.gguf"]))
        {
            file.Write(header);
            file.Position = header.Length + 65536L * 65536 / 32 * 34;
            file.Write(BitConverter.GetBytes(2.5f));
        }
        using Checkpoint c = Open(temporary["x.gguf"]);
        Assert.Equal(1L << 32, c.Tensors["big"].Count);
        Assert.Equal([2.5f], new WeightReader(c, "x").Vector("after", 1));
    }
}
