"""The style sheet of the report: light and dark, on a screen and on paper. Only text."""

__all__ = ["STYLE"]

STYLE = """
:root{color-scheme:light dark;--page:#fff;--ink:#1c2128;--soft:#59636e;
--rule:#d9dee3;--card:#f5f7f9;
--blue:#1f6feb;--orange:#c2500b;--violet:#8250df;--green:#1a7f37;--red:#cf222e;--grey:#818b95}
@media(prefers-color-scheme:dark){:root{--page:#0f1419;--ink:#e6eaef;--soft:#9aa5b1;--rule:#2b333c;
--card:#171e26;--blue:#6cb0ff;--orange:#ff9b55;--violet:#c3a0ff;--green:#57d277;--red:#ff7b78;
--grey:#8b96a1}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:860px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:1.7rem;line-height:1.25;margin:0 0 4px}
h2{font-size:1.2rem;margin:44px 0 6px}
p{margin:6px 0;max-width:72ch}
.soft{color:var(--soft)}
.verdict{border-left:6px solid var(--blue);background:var(--card);padding:14px 18px;margin:22px 0;
border-radius:0 8px 8px 0}
.verdict strong{font-size:1.25rem;display:block;line-height:1.35}
.verdict.good{border-color:var(--green)}.verdict.bad{border-color:var(--red)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:10px;margin:18px 0}
.tile{background:var(--card);border-radius:8px;padding:10px 14px}
.tile b{display:block;font-size:1.3rem;line-height:1.3;white-space:nowrap}
.tile span{color:var(--soft);font-size:.85rem;line-height:1.3;display:block}
.warning{border-left:6px solid var(--orange);background:var(--card);padding:8px 16px;margin:10px 0}
.scroll{overflow-x:auto}
svg{display:block;width:100%;min-width:560px;height:auto;margin:6px 0 0;
font:12px system-ui,sans-serif}
svg text{fill:var(--soft)}
svg .label{fill:var(--ink)}
.grid{stroke:var(--rule);stroke-width:1}
.axis{stroke:var(--grey);stroke-width:1}
.limit{stroke:var(--red);stroke-width:1.5;stroke-dasharray:7 4}
svg .limit-text{fill:var(--red);font-weight:600;paint-order:stroke;stroke:var(--page);
stroke-width:4px}
.line{fill:none;stroke-width:2;stroke-linejoin:round}
.blue{stroke:var(--blue);color:var(--blue)}.orange{stroke:var(--orange);color:var(--orange)}
.violet{stroke:var(--violet);color:var(--violet)}.green{stroke:var(--green);color:var(--green)}
.red{stroke:var(--red);color:var(--red)}.grey{stroke:var(--grey);color:var(--grey)}
.line.grey,.line.violet{stroke-dasharray:5 4}
.dot{fill:currentColor}.dot.hollow{fill:var(--page);stroke-width:2}
.legend{display:flex;flex-wrap:wrap;gap:4px 20px;margin:10px 0 0;padding:0;
list-style:none;font-size:.9rem}
.legend i{display:inline-block;width:22px;border-top:3px solid currentColor;vertical-align:middle;
margin-right:7px}
.legend i.grey,.legend i.violet{border-top-style:dashed}
.legend span{color:var(--ink)}
table{border-collapse:collapse;width:100%;font-size:.92rem;margin:8px 0;
font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:5px 14px 5px 0;border-bottom:1px solid var(--rule);
vertical-align:top}
th{font-weight:600}
td.number,th.number{text-align:right;white-space:nowrap}
code{font:.9em ui-monospace,monospace;overflow-wrap:anywhere}
ul{margin:6px 0;padding-left:22px}li{margin:4px 0;max-width:72ch}
.met{color:var(--green)}.missed{color:var(--red)}
@media print{main{max-width:none}h2,svg,table{break-inside:avoid}}
"""
