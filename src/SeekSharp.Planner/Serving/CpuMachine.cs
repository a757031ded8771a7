namespace SeekSharp.Planner;

/// <summary>A machine that serves from its processor, as measured on itself.</summary>
/// <param name="Name">The processor.</param>
/// <param name="Threads">Threads that compute.</param>
/// <param name="Read">Bytes a second from memory, all threads.</param>
/// <param name="ManyRows">Operations a second of a matrix product with 256 rows, in the model's number format, all threads.</param>
/// <param name="FewRows">The same with 32 rows and the small matrices of experts.</param>
/// <param name="Attention">Operations a second of a prompt's attention in the model's shape over 512 tokens in bf16 (absorbed where it is latent), all threads.</param>
/// <param name="Region">Seconds to start and end a parallel region in which nothing happens.</param>
/// <param name="Memory">Bytes that a program may have.</param>
internal sealed record CpuMachine(string Name, int Threads, double Read, double ManyRows, double FewRows, double Attention, double Region, double Memory = double.MaxValue);
