using Microsoft.Extensions.AI;
using SeekSharp.Chat;

using IChatClient model = SeekSharpChatClient.Load(args[0]); // a .gguf file or a model folder
await foreach (ChatResponseUpdate update in model.GetStreamingResponseAsync(args[1])) Console.Write(update.Text);
