using SeekSharp.Checkpoints;

namespace SeekSharp.Models;

/// <summary>The mapped files that weights are packed from: what comes next is read ahead, what is done is given back. Addresses outside of them (tests, numbers computed here) are left alone.</summary>
internal sealed class SourcePages(IReadOnlyList<FileImage> images)
{
    private const int Shift = 23; // read ahead in pieces of 8 MB, each asked for once: asking again costs a walk through the page cache
    private const long Ahead = 32 << 20;
    private readonly HashSet<nint> _asked = [];

    /// <summary>Has the megabytes from an address on read in while something else is done.</summary>
    public void ReadAhead(nint address)
    {
        if (ImageOf(address) is not { } image) return;
        nint last = Math.Min(image.Address + (nint)image.Length - 1, address + (nint)Ahead) >> Shift;
        for (nint piece = address >> Shift; piece <= last; piece++)
            if (_asked.Add(piece))
            {
                nint start = Math.Max(piece << Shift, image.Address);
                image.WillNeed(start, ((piece + 1) << Shift) - start);
            }
    }

    /// <summary>Takes a stretch out of the process's memory: mapped pages count as such. What follows is read ahead.</summary>
    public void Done(nint address, long bytes)
    {
        ImageOf(address)?.Forget(address, bytes);
        ReadAhead(address + (nint)bytes);
    }

    /// <summary>As <see cref="Done"/>, from any thread, and nothing is read ahead.</summary>
    public void Forget(nint address, long bytes) => ImageOf(address)?.Forget(address, bytes);

    /// <summary>Has a stretch read in, from any thread, as often as it is asked.</summary>
    public void WillNeed(nint address, long bytes) => ImageOf(address)?.WillNeed(address, bytes);

    private FileImage? ImageOf(nint address)
    {
        for (int i = 0; i < images.Count; i++) // without an enumerator: steps of generation come here too
            if (images[i].Maps(address)) return images[i];
        return null;
    }
}
