using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Models;

namespace SeekSharp.Chat;

/// <summary>
/// Several loaded models by name, and their adapters by theirs. They come and go while requests run: who uses a model rents it, and a model is given back only when nobody does. Thread-safe.
/// </summary>
internal sealed class ChatModels
{
    private readonly Lock _gate = new();
    private readonly List<NamedModel> _models = [];
    private readonly Dictionary<ChatModel, Host> _hosts = [];

    private sealed class Host
    {
        public readonly CancellationTokenSource Cut = new();
        public readonly TaskCompletionSource Empty = new(TaskCreationOptions.RunContinuationsAsynchronously);
        public ModelFolder? Owned; // with it the model; null where they stay their owner's
        public int Users;
        public bool IsLeaving;
    }

    /// <summary>The models and adapters, in the order in which they came.</summary>
    public IReadOnlyList<NamedModel> All
    {
        get
        {
            lock (_gate) return [.. _models];
        }
    }

    /// <summary>Adds a model, which stays its owner's, and its adapters under their names.</summary>
    /// <exception cref="ArgumentException">There is one of that name.</exception>
    public void Add(string name, ChatModel model) => Add(name, model, null);

    /// <summary>Loads a model and adds it. It is disposed when it is unloaded.</summary>
    /// <param name="name">As requests call it.</param>
    /// <param name="folder">An opened model; belongs to this from now on.</param>
    /// <param name="options">How it is run.</param>
    /// <param name="engine">How its engine is run; null for the defaults.</param>
    /// <param name="progress">Told the share that is loaded.</param>
    /// <exception cref="ArgumentException">There is one of that name.</exception>
    /// <exception cref="CheckpointException">The folder holds no model that can run.</exception>
    /// <exception cref="ModelException">It does not fit into memory.</exception>
    public ChatModel Load(string name, ModelFolder folder, ModelOptions options, EngineOptions? engine = null, IProgress<double>? progress = null)
    {
        ChatModel? model = null;
        try
        {
            model = ChatModel.Load(folder, options, progress, engine);
            Add(name, model, folder);
            return model;
        }
        catch
        {
            model?.Dispose();
            folder.Dispose();
            throw;
        }
    }

    /// <summary>Takes a model or an adapter out: no request finds it any more, those that run go on.</summary>
    public bool Remove(string name)
    {
        lock (_gate) return TakeOut(name, out _);
    }

    /// <summary>
    /// Takes a model out, with its adapters, lets the requests that run finish, cuts what is left after a while, and gives its memory back (that of one which was loaded here).
    /// </summary>
    /// <param name="name">A model's; of an adapter only the name goes.</param>
    /// <param name="patience">So long running requests may go on.</param>
    /// <returns>False where there is none of that name.</returns>
    public async Task<bool> UnloadAsync(string name, TimeSpan patience)
    {
        NamedModel? model;
        Host? host;
        lock (_gate)
        {
            if (!TakeOut(name, out model)) return false;
            if (model!.Parent is not null || !_hosts.Remove(model.Model, out host)) return true;
            host.IsLeaving = true;
            if (host.Users == 0) host.Empty.SetResult();
        }
        try
        {
            await host.Empty.Task.WaitAsync(patience).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            await host.Cut.CancelAsync().ConfigureAwait(false);
            await host.Empty.Task.ConfigureAwait(false);
        }
        host.Cut.Dispose();
        if (host.Owned is { } folder)
        {
            await Task.Run(model.Model.Dispose).ConfigureAwait(false); // the engine's last step
            folder.Dispose();
        }
        return true;
    }

    /// <summary>The model of that name, the first one without; null where there is none. Who uses it while models go must <see cref="Rent"/> it.</summary>
    public NamedModel? Find(string? name)
    {
        lock (_gate) return name is null ? _models.FirstOrDefault() : _models.Find(m => m.Name == name);
    }

    /// <summary>As <see cref="Find"/>; the model stays until it is given back.</summary>
    public ModelLease? Rent(string? name)
    {
        lock (_gate)
        {
            if (Find(name) is not { } model) return null;
            Host host = _hosts[model.Model];
            host.Users++;
            return new ModelLease(model, () => GiveBack(host), host.Cut.Token);
        }
    }

    private void GiveBack(Host host)
    {
        lock (_gate)
            if (--host.Users == 0 && host.IsLeaving) host.Empty.SetResult();
    }

    private void Add(string name, ChatModel model, ModelFolder? owned)
    {
        lock (_gate)
        {
            string[] names = [name, .. model.Adapters.Keys];
            for (int i = 0; i < names.Length; i++)
                if (_models.Exists(m => m.Name == names[i]) || names.AsSpan(0, i).Contains(names[i])) throw new ArgumentException($"there is a model '{names[i]}' already");
            DateTimeOffset now = DateTimeOffset.UtcNow;
            _models.Add(new NamedModel(name, model, now));
            foreach ((string adapter, LoraAdapter weights) in model.Adapters) _models.Add(new NamedModel(adapter, model, now) { Adapter = weights, Parent = name });
            if (_hosts.TryGetValue(model, out Host? host)) host.Owned ??= owned; // one model under two names
            else _hosts.Add(model, new Host { Owned = owned });
        }
    }

    // A model goes with all its names.
    private bool TakeOut(string name, out NamedModel? model)
    {
        NamedModel? found = model = _models.Find(m => m.Name == name);
        if (found is null) return false;
        _models.RemoveAll(m => found.Parent is null ? m.Model == found.Model : m == found);
        return true;
    }
}

/// <param name="Name">As requests call it.</param>
/// <param name="Model">The model.</param>
/// <param name="Since">When it was loaded.</param>
internal sealed record NamedModel(string Name, ChatModel Model, DateTimeOffset Since)
{
    /// <summary>What changes the model for requests of this name; null for the model itself.</summary>
    public LoraAdapter? Adapter { get; init; }
    /// <summary>Of an adapter: its model's name.</summary>
    public string? Parent { get; init; }
}

/// <summary>A model that stays while somebody uses it.</summary>
internal sealed class ModelLease(NamedModel model, Action giveBack, CancellationToken cut) : IDisposable
{
    private Action? _giveBack = giveBack;

    public NamedModel Model => model;

    /// <summary>The model has waited long enough for those who use it.</summary>
    public CancellationToken Cut => cut;

    public void Dispose() => Interlocked.Exchange(ref _giveBack, null)?.Invoke();
}
