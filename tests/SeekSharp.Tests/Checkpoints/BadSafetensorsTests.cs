using System.Diagnostics;
using System.Text;
using SeekSharp.Checkpoints;
using Xunit;
using static SeekSharp.Tests.Checkpoints.BadInput;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>Broken and hostile safetensors files: each is refused with one line that says where and what.</summary>
public sealed class BadSafetensorsTests
{
    private const string Good = """{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"I64","shape":[],"data_offsets":[24,32]}}""";

    [Fact]
    public void The_plain_file_opens()
    {
        using var temporary = new TemporaryFolder();
        File.WriteAllBytes(temporary["x.safetensors"], Safetensors(Good, 32));
        using Checkpoint c = Open(temporary["x.safetensors"]);
        Assert.Equal([2, 3], c.Tensors["a"].Shape);
        Assert.Equal(1, c.Tensors["b"].Count);
    }

    [Fact]
    public void Empty_file() => Assert.Contains("empty", Refused([], "x.safetensors"), StringComparison.Ordinal);

    [Fact]
    public void Missing_file()
    {
        using var temporary = new TemporaryFolder();
        Assert.Contains("no such file", Refused(() => Open(temporary["x.safetensors"]), temporary["x.safetensors"]), StringComparison.Ordinal);
        Assert.Contains("no such file", Refused(() => Open(temporary.Path), temporary.Path), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pipe_is_refused_without_waiting_for_its_writer()
    {
        if (OperatingSystem.IsWindows()) return; // pipes have no place among files there
        using var temporary = new TemporaryFolder();
        string path = temporary["x.safetensors"];
        using (Process make = Process.Start("mkfifo", path)) await make.WaitForExitAsync();
        Task<CheckpointException> refused = Task.Run(() => Assert.Throws<CheckpointException>(() => Open(path)));
        Assert.Equal($"{path}: the file is empty, or no ordinary file", (await refused.WaitAsync(TimeSpan.FromMinutes(1))).Message);
    }

    [Fact]
    public void Header_of_2_GiB() => Assert.Contains("2147483648", Refused([.. BitConverter.GetBytes(1L << 31), .. "{}"u8], "x.safetensors"), StringComparison.Ordinal);

    [Fact]
    public void Header_of_2_to_the_60() => Assert.Contains("more than the 100000000", Refused([.. BitConverter.GetBytes(1L << 60), .. "{}"u8], "x.safetensors"), StringComparison.Ordinal);

    [Fact]
    public void Header_longer_than_the_file() => Assert.Contains("does not fit", Refused([.. BitConverter.GetBytes(100L), .. "{}"u8], "x.safetensors"), StringComparison.Ordinal);

    [Theory]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("""{"a":}""")]
    [InlineData("""{"a":1}""")]
    [InlineData("{} x")]
    [InlineData("""{"a":{"dtype":"F32","shape":[[[[[[[[[[1]]]]]]]]]],"data_offsets":[0,0]}}""")]
    [InlineData("""{"\ud800":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}""")]
    public void Header_of_broken_json(string header) => Refused(Safetensors(header), "x.safetensors");

    [Fact]
    public void Header_that_is_no_utf8()
    {
        byte[] file = Safetensors("""{"abc":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}""");
        file[10] = 0xff;
        Assert.Contains("broken", Refused(file, "x.safetensors"), StringComparison.Ordinal);
    }

    [Fact]
    public void Truncation_at_every_byte()
    {
        byte[] file = Safetensors(Good, 32);
        using var temporary = new TemporaryFolder();
        string path = temporary["x.safetensors"];
        for (int length = 0; length < file.Length; length++)
        {
            File.WriteAllBytes(path, file[..length]);
            Refused(() => Open(path).Dispose(), path);
        }
    }

    [Theory]
    [InlineData("[4611686018427387904,8]", "[0,32]", "overflow")]
    [InlineData("[1152921504606846976,1152921504606846976,0]", "[0,32]", "overflow")]
    [InlineData("[2,-3]", "[0,24]", "-3")]
    [InlineData("[2,1e2]", "[0,24]", "1e2")]
    [InlineData("[2,99999999999999999999]", "[0,24]", "99999999999999999999")]
    [InlineData("[8]", "[0,1152921504606846976]", "do not lie within the 32 bytes")]
    [InlineData("[8]", "[32,0]", "do not lie within")]
    [InlineData("[9]", "[0,32]", "takes 36 bytes, data_offsets give 32")]
    [InlineData("[8]", "[0]", "two data_offsets")]
    [InlineData("[8]", "[0,32,64]", "data_offsets")]
    [InlineData("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,8]", "[0,32]", "more than 32")]
    public void Dimensions_and_offsets(string shape, string offsets, string message) =>
        Assert.Contains(message, Refused(Safetensors($$$"""{"a":{"dtype":"F32","shape":{{{shape}}},"data_offsets":{{{offsets}}}}}""", 32), "x.safetensors"), StringComparison.Ordinal);

    [Fact]
    public void Overlapping_tensors() => Assert.Contains("inside the tensor before it", Refused(Safetensors(
        """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[4],"data_offsets":[8,24]}}""", 24), "x.safetensors"), StringComparison.Ordinal);

    [Fact]
    public void A_hole_between_tensors() => Assert.Contains("the tensor before it ends at 16", Refused(Safetensors(
        """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[2],"data_offsets":[24,32]}}""", 32), "x.safetensors"), StringComparison.Ordinal);

    [Fact]
    public void Data_that_belongs_to_no_tensor() => Assert.Contains("the file has 40", Refused(Safetensors(Good, 40), "x.safetensors"), StringComparison.Ordinal);

    [Fact]
    public void Twice_the_same_tensor() => Assert.Contains("tensor a is there twice", Refused(Safetensors(
        """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":{"dtype":"F32","shape":[2],"data_offsets":[16,24]}}""", 24), "x.safetensors"), StringComparison.Ordinal);

    [Fact]
    public void Unknown_type() => Assert.Contains("dtype F4 is not supported (F64, F32", Refused(Safetensors(
        """{"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}}""", 2), "x.safetensors"), StringComparison.Ordinal);

    [Fact]
    public void A_name_with_line_breaks_stays_on_one_line() => Refused(Safetensors("""{"a\n\u2028\u0000b":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}}""", 2), "x.safetensors");

    [Theory]
    [InlineData("../../x")]
    [InlineData("..")]
    [InlineData("/etc/passwd")]
    [InlineData("a/b.safetensors")]
    [InlineData("a\\\\b.safetensors")]
    [InlineData("C:x")]
    [InlineData("")]
    public void Shard_index_that_leads_out_of_the_folder(string file)
    {
        using var temporary = new TemporaryFolder();
        string path = temporary["model.safetensors.index.json"];
        File.WriteAllText(path, $$$"""{"weight_map":{"a":"{{{file}}}"}}""");
        Assert.Contains("must lie in the index's own folder", Refused(() => Open(path), path), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{}", "weight_map")]
    [InlineData("{", "broken JSON")]
    [InlineData("[]", "expected a JSON object")]
    [InlineData("""{"weight_map":[]}""", "no object")]
    [InlineData("""{"weight_map":{"a":1}}""", "expected a file name")]
    [InlineData("""{"weight_map":{}}""", "at least one tensor")]
    [InlineData("""{"weight_map":{"a":"x.safetensors","a":"x.safetensors"}}""", "twice")]
    public void Broken_shard_index(string json, string message)
    {
        using var temporary = new TemporaryFolder();
        string path = temporary["model.safetensors.index.json"];
        File.WriteAllText(path, json);
        Assert.Contains(message, Refused(() => Open(path), path), StringComparison.Ordinal);
    }

    [Fact]
    public void Shards_that_do_not_hold_what_the_index_says()
    {
        using var temporary = new TemporaryFolder();
        string path = temporary["model.safetensors.index.json"];
        File.WriteAllBytes(temporary["1.safetensors"], Safetensors("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1));
        File.WriteAllBytes(temporary["2.safetensors"], Safetensors("""{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1));
        Assert.Contains("tensor c should be in 2.safetensors, and is in no shard", Index("""{"a":"1.safetensors","c":"2.safetensors"}"""), StringComparison.Ordinal);
        Assert.Contains("tensor a should be in 2.safetensors, and is in 1.safetensors", Index("""{"a":"2.safetensors","b":"1.safetensors"}"""), StringComparison.Ordinal);
        File.Delete(temporary["2.safetensors"]);
        File.WriteAllText(path, """{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}""");
        Assert.Contains("2.safetensors: no such file", Assert.Throws<CheckpointException>(() => Open(path)).Message, StringComparison.Ordinal);

        string Index(string map)
        {
            File.WriteAllText(path, $$$"""{"weight_map":{{{map}}}}""");
            return Refused(() => Open(path), path);
        }
    }

    [Fact]
    public void The_same_tensor_in_two_shards()
    {
        using var temporary = new TemporaryFolder();
        byte[] shard = Safetensors("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1);
        File.WriteAllBytes(temporary["1.safetensors"], shard);
        File.WriteAllBytes(temporary["2.safetensors"], shard);
        string path = temporary["model.safetensors.index.json"];
        File.WriteAllText(path, """{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}""");
        Assert.Contains("tensor a is in", Assert.Throws<CheckpointException>(() => Open(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_of_5_GiB_with_a_tensor_of_more_than_2_to_the_31_elements()
    {
        const long Rows = 65536, Cols = 81920, Bytes = Rows * Cols; // 5 GiB of 8-bit floats: holes on disk
        using var temporary = new TemporaryFolder();
        byte[] header = Encoding.UTF8.GetBytes($$$"""{"big":{"dtype":"F8_E4M3","shape":[{{{Rows}}},{{{Cols}}}],"data_offsets":[0,{{{Bytes}}}]},"after":{"dtype":"F32","shape":[1],"data_offsets":[{{{Bytes}}},{{{Bytes + 4}}}]}}""");
        using (FileStream file = File.Create(temporary["big.safetensors"]))
        {
            file.Write(BitConverter.GetBytes((long)header.Length));
            file.Write(header);
            file.SetLength(8 + header.Length + Bytes + 4);
            file.Position = file.Length - 4;
            file.Write(BitConverter.GetBytes(1.5f));
            file.Position = 8 + header.Length + Bytes - 1; // the last value of the big tensor
            file.WriteByte(0x38);
        }
        using Checkpoint c = Open(temporary["big.safetensors"]);
        Assert.Equal(Bytes, c.Tensors["big"].Count);
        var reader = new WeightReader(c, "big");
        Assert.Equal([1.5f], reader.Vector("after", 1));
        MatrixSource big = reader.Matrix("big", Rows, Cols);
        Assert.Equal(Bytes, big.ByteLength);
        Assert.Equal(0x38, LastByte(big));
        Assert.Contains("too large for a vector", Assert.Throws<CheckpointException>(() => OneLongVector(c)).Message, StringComparison.Ordinal);

        static unsafe byte LastByte(MatrixSource m) => ((byte*)m.Address)[m.ByteLength - 1];
        static void OneLongVector(Checkpoint c) => new WeightReader(new Flat(c.Tensors["big"]), "big").Vector("big", Bytes);
    }

    private sealed class Flat : Checkpoint
    {
        public Flat(CheckpointTensor t) => Add(t with { Shape = [t.Count] });
    }
}
