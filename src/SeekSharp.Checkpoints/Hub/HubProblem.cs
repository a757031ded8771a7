using System.Net;

namespace SeekSharp.Checkpoints;

/// <summary>What a refusal of the hub means to a person.</summary>
/// <param name="Message">The line.</param>
/// <param name="IsNotFound">Whether something is not there.</param>
/// <param name="IsCertain">Whether the hub itself says what it is that is not there.</param>
internal sealed record HubProblem(string Message, bool IsNotFound, bool IsCertain)
{
    /// <summary>The problem of an answer; null if trying again may help.</summary>
    public static HubProblem? Of(HubResponse response, HubEndpoint endpoint, ModelName name, string? path)
    {
        if (HubHttp.IsTransient(response.Status)) return null;
        string? code = HubHttp.Header(response.Message, "X-Error-Code");
        string what = path is null ? $"{name}" : $"{name}: {SafePath.Printable(path)}";
        bool hasToken = endpoint.Token is not null;
        string page = $"{endpoint}/{name.Repository}";
        return (response.Status, code) switch
        {
            (_, "GatedRepo") => Certain($"{name}: is gated; ask for access at {page}{(hasToken ? " for the account of HF_TOKEN" : ", then set HF_TOKEN to a token of yours")}"),
            (_, "RevisionNotFound") => Certain($"{name}: no such revision on {endpoint}"),
            (HttpStatusCode.NotFound or HttpStatusCode.Gone, "RepoNotFound") => Certain(NoSuchModel()),
            (HttpStatusCode.Unauthorized, _) when hasToken => Certain($"{name}: {endpoint} does not accept the token in HF_TOKEN (status 401)"),
            (HttpStatusCode.Unauthorized, _) => Certain(NoSuchModel()),
            (HttpStatusCode.Forbidden, _) => Certain($"{name}: {endpoint} refuses access (status 403); a gated model needs your consent at {page} and {(hasToken ? "a token in HF_TOKEN that may read it" : "HF_TOKEN")}"),
            (HttpStatusCode.NotFound or HttpStatusCode.Gone, _) => new HubProblem(path is null ? NoSuchModel() : $"{what} is not on {endpoint}", IsNotFound: true, IsCertain: false),
            _ => Certain($"{what}: {endpoint} answers with status {(int)response.Status}"),
        };

        HubProblem Certain(string message) => new(message, response.Status == HttpStatusCode.NotFound, IsCertain: true);

        string NoSuchModel() => $"{name}: no such model on {endpoint}{(hasToken ? ", or none that HF_TOKEN may read" : "; a private or gated one needs HF_TOKEN")}";
    }
}
