using System.Globalization;
using SeekSharp.Checkpoints;

namespace SeekSharp.Engine;

/// <summary>Names a model's weights for the disk tier: path, size and time of each of its files. A file that was written anew is another model.</summary>
internal static class ModelIdentity
{
    public static string Of(ModelFolder folder) => folder.Checkpoint is not { } checkpoint ? "" : string.Join('\n',
        checkpoint.Images.Select(i => string.Create(CultureInfo.InvariantCulture, $"{Path.GetFullPath(i.Path)} {i.Length} {i.Modified.Ticks}")));
}
