using SeekSharp.Tokenization;

namespace SeekSharp.Chat;

/// <summary>One form that an answer may have: fixed tokens, a text of a grammar, fixed tokens.</summary>
/// <param name="Before">Ids before the grammar's text; may be empty.</param>
/// <param name="Grammar">The text between.</param>
/// <param name="After">Ids behind it; where there are any, the grammar's text ends with a sign of its own (a JSON object does).</param>
internal sealed record AnswerForm(int[] Before, TokenGrammar Grammar, int[] After);

/// <summary>Follows one text through an <see cref="AnswerForm"/>, as long as it fits.</summary>
internal sealed class AnswerFormFollower(AnswerForm form, int[] endIds)
{
    private enum Part { Before, Grammar, After, Ended }

    private readonly GrammarMatcher _matcher = form.Grammar.CreateMatcher();
    private readonly List<(Part Part, int At)> _history = [];
    private (Part Part, int At) _place = form.Before.Length > 0 ? (Part.Before, 0) : (Part.Grammar, 0);
    private int _misfits; // accepted ids since the text left the form, the one that did included; 0 while it fits

    public bool Fits => _misfits == 0;

    /// <summary>Nothing but an end token can follow.</summary>
    public bool IsComplete => _place switch
    {
        (Part.After, var at) => at == form.After.Length,
        (Part.Grammar, _) => form.After.Length == 0 && _matcher.IsComplete,
        (Part.Ended, _) => true,
        _ => false,
    };

    /// <summary>Adds what may come next to a mask.</summary>
    public void AddTo(Span<uint> mask, Span<uint> scratch)
    {
        switch (_place.Part)
        {
            case Part.Before:
                Set(mask, form.Before[_place.At]);
                break;
            case Part.Grammar:
                _matcher.FillMask(scratch);
                bool mayGoOn = form.After.Length > 0 && _matcher.CanEnd;
                if (form.After.Length > 0)
                    foreach (int id in endIds) scratch[id >> 5] &= ~(1u << id);
                for (int i = 0; i < mask.Length; i++) mask[i] |= scratch[i];
                if (mayGoOn) Set(mask, form.After[0]);
                break;
            case Part.After when _place.At < form.After.Length:
                Set(mask, form.After[_place.At]);
                break;
            case Part.After:
                foreach (int id in endIds) Set(mask, id);
                break;
        }
    }

    public void Accept(int id)
    {
        if (_misfits > 0 || !TryAccept(id)) _misfits++;
    }

    private bool TryAccept(int id)
    {
        (Part Part, int At) next;
        switch (_place.Part)
        {
            case Part.Before when id == form.Before[_place.At]:
                next = _place.At + 1 < form.Before.Length ? (Part.Before, _place.At + 1) : (Part.Grammar, 0);
                break;
            case Part.Grammar when form.After.Length > 0 && _matcher.CanEnd && id == form.After[0]:
                next = (Part.After, 1);
                break;
            case Part.Grammar when !(form.After.Length > 0 && endIds.Contains(id)) && _matcher.Accept(id):
                next = endIds.Contains(id) ? (Part.Ended, 0) : _place;
                _history.Add((Part.Grammar, -1)); // the matcher has it to take back
                _place = next;
                return true;
            case Part.After when _place.At < form.After.Length ? id == form.After[_place.At] : endIds.Contains(id):
                next = _place.At < form.After.Length ? (Part.After, _place.At + 1) : (Part.Ended, 0);
                break;
            default:
                return false;
        }
        _history.Add(_place);
        _place = next;
        return true;
    }

    public void Rollback(int count)
    {
        int strange = Math.Min(count, _misfits);
        _misfits -= strange;
        for (int left = count - strange; left > 0; left--)
        {
            (Part Part, int At) before = _history[^1];
            _history.RemoveAt(_history.Count - 1);
            if (before.At < 0) _matcher.Rollback(1);
            _place = before.At < 0 ? (Part.Grammar, 0) : before;
        }
    }

    private static void Set(Span<uint> mask, int id) => mask[id >> 5] |= 1u << id;
}
