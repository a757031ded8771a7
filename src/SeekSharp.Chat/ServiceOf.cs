namespace SeekSharp.Chat;

/// <summary>What <c>GetService</c> of Microsoft.Extensions.AI finds in something that has nothing inside: itself, and what describes it; nothing under a key.</summary>
internal static class ServiceOf
{
    public static object? Leaf(object self, object metadata, Type type, object? key)
    {
        ArgumentNullException.ThrowIfNull(type, "serviceType");
        if (key is not null) return null;
        return type == metadata.GetType() ? metadata : type.IsInstanceOfType(self) ? self : null;
    }
}
