using System.Text;
using SeekSharp.Checkpoints;
using Xunit;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>Opens bytes as a file, and expects one clear line.</summary>
internal static class BadInput
{
    /// <summary>The one-line message with which these bytes are refused.</summary>
    public static string Refused(byte[] bytes, string name)
    {
        using var temporary = new TemporaryFolder();
        File.WriteAllBytes(temporary[name], bytes);
        return Refused(() => Open(temporary[name]).Dispose(), temporary[name]);
    }

    public static string Refused(Action open, string path)
    {
        string message = Assert.Throws<CheckpointException>(open).Message;
        Assert.Contains(path, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
        Assert.True(message.Length < 1000, message);
        return message;
    }

    public static Checkpoint Open(string path) => path.EndsWith(".gguf", StringComparison.Ordinal) ? GgufCheckpoint.Open(path) : SafetensorsCheckpoint.Open(path);

    /// <summary>A safetensors file of this header and so much data.</summary>
    public static byte[] Safetensors(string header, int dataBytes = 0)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        return [.. BitConverter.GetBytes((long)json.Length), .. json, .. new byte[dataBytes]];
    }
}
