namespace SeekSharp.Tokenization;

/// <summary>Turns what hostile grammars run into (a stack that is nearly used up) into the one exception of this boundary.</summary>
internal static class GrammarErrors
{
    public static T Guard<T>(Func<T> work) => Guard(work, static w => w());

    public static TResult Guard<TState, TResult>(TState state, Func<TState, TResult> work)
    {
        try
        {
            return work(state);
        }
        catch (InsufficientExecutionStackException)
        {
            throw new GrammarException("too costly: it nests too deep");
        }
    }
}
