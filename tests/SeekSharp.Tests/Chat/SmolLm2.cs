using System.Text.Json;
using SeekSharp.Chat;
using SeekSharp.Checkpoints;
using SeekSharp.Models;

namespace SeekSharp.Tests.Chat;

/// <summary>The real model of the reference data, loaded once for all tests of a class, and what llama.cpp makes of it.</summary>
public sealed class SmolLm2 : IDisposable
{
    private readonly Lazy<(ModelFolder Folder, ChatModel Model)> _loaded = new(Load);
    private readonly Lazy<JsonElement> _expected = new(() => JsonDocument.Parse(File.ReadAllBytes(Repository.Shared("models/smollm2.expected.json"))).RootElement);

    public static string File_ => Repository.Shared("models/SmolLM2-135M-Instruct.Q4_1.gguf");

    internal ChatModel Model => _loaded.Value.Model;

    public JsonElement Expected => _expected.Value;

    private static (ModelFolder, ChatModel) Load()
    {
        ModelFolder folder = ModelFolder.Open(File_);
        return (folder, ChatModel.Load(folder, new ModelOptions()));
    }

    public void Dispose()
    {
        if (!_loaded.IsValueCreated) return;
        _loaded.Value.Model.Dispose();
        _loaded.Value.Folder.Dispose();
    }
}
