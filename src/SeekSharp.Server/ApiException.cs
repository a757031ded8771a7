namespace SeekSharp.Server;

/// <summary>A request is refused. The message is one line for people.</summary>
/// <param name="status">The HTTP status.</param>
/// <param name="message">What is wrong, what was expected and what was found.</param>
/// <param name="parameter">The field, as a path (<c>messages[0].content</c>); null for none.</param>
/// <param name="code">A word for programs; null for none.</param>
internal sealed class ApiException(int status, string message, string? parameter = null, string? code = null) : Exception(message)
{
    public int Status { get; } = status;
    public string? Parameter { get; } = parameter;
    public string? Code { get; } = code;

    /// <summary>A field that is missing, of the wrong kind, or not supported.</summary>
    public static ApiException Invalid(string parameter, string message, string? code = null) => new(400, $"{parameter}: {message}", parameter, code);

    /// <summary>A value out of its range.</summary>
    public static ApiException OutOfRange(string parameter, string message) => new(422, $"{parameter}: {message}", parameter, "invalid_value");

    /// <summary>A field that would change the answer and is not known here.</summary>
    public static ApiException Unsupported(string parameter) => new(400, $"{parameter}: this field is not supported", parameter, "unsupported_parameter");
}
