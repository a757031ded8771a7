namespace SeekSharp.Chat;

/// <summary>Several loaded models by name. They stay their owners'. Thread-safe.</summary>
internal sealed class ChatModels
{
    private readonly Lock _gate = new();
    private readonly List<NamedModel> _models = [];

    /// <summary>The models, in the order in which they came.</summary>
    public IReadOnlyList<NamedModel> All
    {
        get
        {
            lock (_gate) return [.. _models];
        }
    }

    /// <exception cref="ArgumentException">There is one of that name.</exception>
    public void Add(string name, ChatModel model)
    {
        lock (_gate)
        {
            if (_models.Exists(m => m.Name == name)) throw new ArgumentException($"there is a model '{name}' already");
            _models.Add(new NamedModel(name, model, DateTimeOffset.UtcNow));
        }
    }

    /// <summary>Takes a model out; requests that run go on.</summary>
    public bool Remove(string name)
    {
        lock (_gate) return _models.RemoveAll(m => m.Name == name) > 0;
    }

    /// <summary>The model of that name, the first one without; null where there is none.</summary>
    public NamedModel? Find(string? name)
    {
        lock (_gate) return name is null ? _models.FirstOrDefault() : _models.Find(m => m.Name == name);
    }
}

/// <param name="Name">As requests call it.</param>
/// <param name="Model">The model.</param>
/// <param name="Since">When it was loaded.</param>
internal sealed record NamedModel(string Name, ChatModel Model, DateTimeOffset Since);
