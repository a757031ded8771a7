using System.IO.Enumeration;

namespace SeekSharp.Checkpoints;

/// <summary>One runnable model that was pulled.</summary>
/// <param name="Name">What to call it: <c>org/repo</c>, <c>org/repo:QUANT</c>, with <c>@revision</c> where it is not the main branch.</param>
/// <param name="Path">The folder or the GGUF file (its first part).</param>
/// <param name="Bytes">The size of all its files.</param>
/// <param name="Revision">The revision that was asked for; null if the folder was put there by hand.</param>
/// <param name="Commit">The commit that its files are from, where known.</param>
/// <param name="Modified">When its last file came.</param>
/// <param name="IsComplete">Whether all its files are there.</param>
internal sealed record PulledModel(string Name, string Path, long Bytes, string? Revision, string? Commit, DateTime Modified, bool IsComplete);

/// <summary>
/// The folder of pulled models: <c>SEEKSHARP_HOME</c>, or <c>~/.seeksharp/models</c>. A model lies in <c>org/repo</c>, at another revision than the main branch in <c>org/repo@revision</c>.
/// </summary>
internal static class ModelHome
{
    /// <exception cref="HubException">Neither the variable nor the user's folder is known.</exception>
    public static string Root
    {
        get
        {
            if (Environment.GetEnvironmentVariable("SEEKSHARP_HOME") is { Length: > 0 } home) return Path.GetFullPath(home);
            string user = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            if (user.Length == 0) throw new HubException("no home folder is known; SEEKSHARP_HOME names a folder for models");
            return Path.Combine(user, ".seeksharp", "models");
        }
    }

    /// <summary>The folder of a model, there or not. A folder that differs in case only is the same model: the hub does not tell them apart.</summary>
    public static string FolderOf(ModelName name, string? root = null)
    {
        string folder = root ?? Root;
        foreach (string part in (string[])[name.Org, name.Repo + (name.Revision is null ? "" : "@" + name.Revision.Replace("/", "%2F"))])
        {
            string path = Path.Combine(folder, part);
            if (!Directory.Exists(path) && Directory.Exists(folder))
                path = Directory.EnumerateDirectories(folder).FirstOrDefault(d => string.Equals(Path.GetFileName(d), part, StringComparison.OrdinalIgnoreCase)) ?? path;
            folder = path;
        }
        return folder;
    }

    /// <summary>The path that a model's name means: an existing file or folder first, then a pulled model; null if it would have to be pulled.</summary>
    /// <exception cref="HubException">Several quantizations are there, and the name says none.</exception>
    public static string? Resolve(string name, string? root = null)
    {
        if (File.Exists(name) || Directory.Exists(name)) return name;
        return ModelName.TryParse(name, out ModelName model, out _) ? Find(model, root) : null;
    }

    /// <summary>The path of a pulled model, null if it is not there as a whole.</summary>
    /// <exception cref="HubException">As in <see cref="Resolve"/>.</exception>
    public static string? Find(ModelName name, string? root = null)
    {
        string folder = FolderOf(name, root);
        if (!Directory.Exists(folder)) return null;
        Contents contents = Contents.Of(folder);
        if (name.Quant is null && contents.IsFolderModel) return contents.IsFolderComplete ? folder : null;
        List<GgufGroup> groups = contents.CompleteGroups;
        if (name.Quant is not null) groups = groups.FindAll(g => QuantTag.Holds(g.Stem, name.Quant));
        return groups.Count == 0 ? null : Path.Combine(folder, GgufGroup.Choose(groups, name).Paths[0]);
    }

    /// <summary>Every model in the folder, by name.</summary>
    public static List<PulledModel> List(string? root = null)
    {
        var models = new List<PulledModel>();
        root ??= Root;
        if (!Directory.Exists(root)) return models;
        foreach (string org in Directory.EnumerateDirectories(root))
            foreach (string folder in Directory.EnumerateDirectories(org))
            {
                string name = Path.GetFileName(org) + "/" + Path.GetFileName(folder).Replace("%2F", "/");
                int at = name.IndexOf('@');
                (name, string suffix) = at < 0 ? (name, "") : (name[..at], name[at..]);
                Contents contents = Contents.Of(folder);
                if (contents.IsFolderModel) models.Add(contents.Model(name + suffix, folder, contents.FolderFiles, contents.IsFolderComplete));
                foreach (GgufGroup group in contents.Groups)
                {
                    bool complete = group.Paths.Count == group.Parts && group.Paths.All(contents.Complete.Contains);
                    string label = group.Tag is { } tag && contents.Groups.Count(g => string.Equals(g.Tag, tag, StringComparison.OrdinalIgnoreCase)) == 1 ? tag : Path.GetFileName(group.Stem);
                    models.Add(contents.Model($"{name}:{label}{suffix}", Path.Combine(folder, group.Paths[0]), group.Paths, complete));
                }
            }
        return [.. models.OrderBy(m => m.Name, StringComparer.OrdinalIgnoreCase)];
    }

    /// <summary>Removes a pulled model: with a quantization its files alone, otherwise the whole folder. Gives the bytes that are free now.</summary>
    /// <exception cref="HubException">It is not there, lies elsewhere behind a link, or is being pulled.</exception>
    public static long Remove(ModelName name, string? root = null)
    {
        root ??= Root;
        string folder = FolderOf(name, root);
        string missing = $"{name}: no such model in {root}";
        if (!Directory.Exists(folder)) throw new HubException(missing);
        foreach (string level in (string[])[Path.GetDirectoryName(folder)!, folder])
            if (new DirectoryInfo(level).LinkTarget is not null) throw new HubException($"{level}: is a link to outside of {root}; nothing is removed");

        using (ModelLock.TryTake(folder) ?? throw new HubException($"{name}: is being pulled just now"))
        {
            Contents contents = Contents.Of(folder);
            IEnumerable<string> paths = contents.All;
            if (name.Quant is not null)
            {
                List<GgufGroup> groups = contents.Groups.FindAll(g => QuantTag.Holds(g.Stem, name.Quant));
                if (groups.Count == 0) throw new HubException(missing);
                if (groups.Count > 1 && groups.FindAll(g => string.Equals(g.Tag, name.Quant, StringComparison.OrdinalIgnoreCase)) is { Count: > 0 } exact) groups = exact;
                if (groups.Count > 1) throw new HubException($"{name}: more than one model is meant: {string.Join(", ", groups.Select(g => g.Stem))}");
                paths = groups[0].Paths;
            }
            long bytes = 0;
            foreach (string path in paths)
            {
                var file = new FileInfo(Path.Combine(folder, path));
                if (!file.Exists) continue;
                bytes += file.LinkTarget is null ? file.Length : 0;
                file.Delete();
                contents.Manifest?.Files.Remove(path);
            }
            if (name.Quant is not null)
            {
                contents.Manifest?.Write();
                if (Contents.Of(folder).All.Count > 0) return bytes;
            }
            Directory.Delete(folder, recursive: true); // links in it are deleted, not followed
            string org = Path.GetDirectoryName(folder)!;
            if (!Directory.EnumerateFileSystemEntries(org).Any()) Directory.Delete(org);
            return bytes;
        }
    }

    /// <summary>What a model's folder holds: as its manifest says, or what lies there if someone put it there by hand.</summary>
    private sealed class Contents
    {
        private readonly string _folder;

        private Contents(string folder, ModelManifest? manifest)
        {
            _folder = folder;
            Manifest = manifest;
            IEnumerable<string> found = Files(folder);
            // What the manifest does not know counts if it came by hand: files are moved to their place only after they were checked.
            All = [.. (manifest?.Files.Keys.AsEnumerable() ?? []).Concat(found).Distinct()];
            Complete = [.. manifest?.Complete.Select(f => f.Path) ?? [], .. found.Where(p => manifest is null || !manifest.Files.ContainsKey(p))];
            Groups = GgufGroup.From(All);
            FolderFiles = [.. All.Where(p => !QuantTag.TrySplit(p, out _, out _, out _))];
        }

        public ModelManifest? Manifest { get; }

        public List<string> All { get; }

        public HashSet<string> Complete { get; }

        public List<GgufGroup> Groups { get; }

        public List<string> FolderFiles { get; }

        public List<GgufGroup> CompleteGroups => GgufGroup.From(Complete).FindAll(g => g.Paths.Count == g.Parts);

        /// <summary>Whether the folder itself is a model: weights in safetensors, or a tokenizer where there are no GGUF files.</summary>
        public bool IsFolderModel => FolderFiles.Exists(p => p.EndsWith(".safetensors", StringComparison.Ordinal)) || Groups.Count == 0 && FolderFiles.Exists(p => p is "tokenizer.json" or "config.json");

        public bool IsFolderComplete => FolderFiles.TrueForAll(Complete.Contains);

        public static Contents Of(string folder) => new(folder, ModelManifest.Read(folder));

        public PulledModel Model(string name, string path, IReadOnlyList<string> files, bool isComplete)
        {
            List<FileInfo> infos = [.. files.Select(f => new FileInfo(Path.Combine(_folder, f))).Where(f => f.Exists)];
            string? commit = files.Select(f => Manifest?.Files.GetValueOrDefault(f)?.Commit).FirstOrDefault(c => c is not null);
            DateTime modified = infos.Count > 0 ? infos.Max(f => f.LastWriteTimeUtc) : Directory.GetLastWriteTimeUtc(_folder);
            return new PulledModel(name, path, infos.Sum(f => f.Length), Manifest?.Revision, commit, modified, isComplete);
        }

        private static List<string> Files(string folder)
        {
            var options = new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 4, AttributesToSkip = FileAttributes.System };
            var files = new FileSystemEnumerable<string>(folder, (ref FileSystemEntry entry) => entry.ToFullPath(), options)
            {
                ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory,
                // A linked file may be a model; what lies behind a linked folder is not this model's.
                ShouldRecursePredicate = (ref FileSystemEntry entry) => !entry.Attributes.HasFlag(FileAttributes.ReparsePoint),
            };
            return [.. files
                .Select(p => Path.GetRelativePath(folder, p).Replace(Path.DirectorySeparatorChar, '/'))
                .Where(p => !p.StartsWith(SafePath.OwnFolder, StringComparison.Ordinal))];
        }
    }
}
