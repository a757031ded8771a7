using System.Text;

namespace SeekSharp.Planner;

/// <summary>One self-contained page: no script, no font, no image from elsewhere; light and dark as the reader's system has it.</summary>
internal sealed class HtmlPage(string title)
{
    private readonly StringBuilder _body = new();

    private const string Style = """
        :root{color-scheme:light dark;--paper:#fbfaf7;--card:#fff;--ink:#1d2330;--soft:#667085;--rule:#e4e1da;--idle:#efece5;
        --c0:#3155d4;--c1:#c2410c;--c2:#0f766e;--c3:#7c3aed;--c4:#b45309;--c5:#be185d;--c6:#4d7c0f;--c7:#0369a1;--f:#f0a33a;--b:#4f9d63;--i:#8ecf7f;--w:#6aa5e8;--on:#fff}
        @media (prefers-color-scheme:dark){:root{--paper:#12151c;--card:#1a1f29;--ink:#e8eaf0;--soft:#98a2b3;--rule:#2c3442;--idle:#242b37;
        --c0:#8aa4ff;--c1:#ff9a6b;--c2:#4fd1c0;--c3:#b99bff;--c4:#f3b95f;--c5:#f78fbf;--c6:#a9d25a;--c7:#6cc4f5;--f:#d98e2b;--b:#3f8f57;--i:#79b96b;--w:#5b93d6;--on:#12151c}}
        *{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
        main{max-width:1180px;margin:0 auto;padding:40px 24px 64px}h1{font-size:30px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}h2{font-size:20px;margin:0 0 4px}
        p{margin:4px 0 14px;color:var(--soft);max-width:80ch}section{background:var(--card);border:1px solid var(--rule);border-radius:12px;padding:22px 24px;margin:22px 0}
        .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:12px;margin:22px 0}.tile{background:var(--card);border:1px solid var(--rule);border-radius:12px;padding:14px 16px}
        .tile b{display:block;font-size:22px;font-weight:650;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}.tile span{color:var(--soft);font-size:13px}
        svg{display:block;width:100%;height:auto;font:12.5px system-ui,sans-serif}svg text{fill:var(--soft)}svg .title{font-size:12.5px}svg .strong,svg .name{fill:var(--ink);font-weight:600}svg .on{fill:var(--on);font-weight:600}
        .grid{stroke:var(--rule)}.axis{stroke:var(--soft)}.mark{stroke:var(--c5);stroke-width:1.5;stroke-dasharray:4 3}.line{fill:none;stroke-width:2.4;stroke-linejoin:round}
        .idle{fill:var(--idle)}.f{fill:var(--f)}.b{fill:var(--b)}.i{fill:var(--i)}.w{fill:var(--w)}
        .scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:14px}th,td{padding:7px 12px 7px 0;border-bottom:1px solid var(--rule);text-align:left;vertical-align:top}
        th{color:var(--soft);font-weight:600}td.n{white-space:nowrap;font-weight:600}td.f0{color:var(--soft);background:none}details summary{cursor:pointer;color:var(--soft);margin-bottom:8px}.warn{color:var(--c1);margin:4px 0}
        """;

    public HtmlPage Lead(string text)
    {
        _body.Append($"<h1>{Svg.Escape(title)}</h1><p>{Svg.Escape(text)}</p>");
        return this;
    }

    public HtmlPage Tiles(IEnumerable<(string Name, string Value)> tiles)
    {
        _body.Append("<div class=\"tiles\">");
        foreach ((string name, string value) in tiles) _body.Append($"<div class=\"tile\"><b>{Svg.Escape(value)}</b><span>{Svg.Escape(name)}</span></div>");
        _body.Append("</div>");
        return this;
    }

    public HtmlPage Section(string heading, string text, string svg)
    {
        _body.Append($"<section><h2>{Svg.Escape(heading)}</h2><p>{Svg.Escape(text)}</p>{svg}</section>");
        return this;
    }

    public HtmlPage Table(string heading, IReadOnlyList<string> head, IEnumerable<IReadOnlyList<string>> rows)
    {
        _body.Append($"<section><h2>{Svg.Escape(heading)}</h2><div class=\"scroll\"><table><tr>{string.Concat(head.Select(h => $"<th>{Svg.Escape(h)}</th>"))}</tr>");
        foreach (IReadOnlyList<string> row in rows) _body.Append($"<tr>{string.Concat(row.Select((c, n) => $"<td{(n == 0 ? "" : " class=\"n\"")}>{Svg.Escape(c)}</td>"))}</tr>");
        _body.Append("</table></div></section>");
        return this;
    }

    /// <summary>Every result with its formula and inputs, closed until asked for.</summary>
    public HtmlPage Results(string heading, Ledger ledger)
    {
        _body.Append($"<section><h2>{Svg.Escape(heading)}</h2>");
        foreach (string warning in ledger.Warnings) _body.Append($"<div class=\"warn\">Warning: {Svg.Escape(warning)}</div>");
        _body.Append("<details><summary>Every result with its formula and inputs</summary><div class=\"scroll\"><table><tr><th>result</th><th>value</th><th>formula and inputs</th></tr>");
        foreach (Figure f in ledger.Figures)
            _body.Append($"<tr><td>{Svg.Escape(f.Name.Trim())}</td><td class=\"n\">{Svg.Escape(f.Text)}</td><td class=\"f0\">{Svg.Escape(f.Formula)}{string.Concat(f.Inputs.Select(i => $"<br>{Svg.Escape(i.Name)}: {Svg.Escape(i.Value)}"))}</td></tr>");
        _body.Append("</table></div></details>");
        foreach (string assumption in ledger.Assumptions) _body.Append($"<p>Assumed: {Svg.Escape(assumption)}.</p>");
        _body.Append("</section>");
        return this;
    }

    public override string ToString()
    {
        string colors = string.Concat(Enumerable.Range(0, 8).Select(n => $".c{n}{{stroke:var(--c{n})}}svg .t{n}{{fill:var(--c{n})}}.s{n}{{fill:var(--c{n})}}"));
        return $"<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{Svg.Escape(title)}</title><style>{Style}{colors}</style></head><body><main>{_body}</main></body></html>\n";
    }
}
