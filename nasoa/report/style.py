"""The style of every page: light and dark, wide and narrow.

The colours are custom properties, so that charts, which are inline SVG, follow the reader's colour
scheme. Below 40 rem, rows of a table become blocks of labelled lines, since a phone shows few
columns.
"""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #566072; --line: #d5dae3;
  --paper: #ffffff; --panel: #f4f6fa; --accent: #2459c4; --second: #a84b12; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf1; --soft: #a9b3c4;
  --line: #3a4252; --paper: #161a22; --panel: #1f2530; --accent: #7da7ff; --second: #f0a46c; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 72rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
section > h2 { font-size: 1.3rem; margin-top: 2.8rem; padding-top: .8rem;
  border-top: 1px solid var(--line); }
p { max-width: 46rem; } a { color: var(--accent); } summary { cursor: pointer; margin: .8rem 0; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin: 1rem 0; }
nav a { padding: .2rem 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr));
  gap: .7rem; margin: 1.2rem 0; }
.figures div { background: var(--panel); border-radius: .5rem; padding: .6rem .8rem; }
.figures dt { font-size: .85rem; line-height: 1.3; color: var(--soft); }
.figures dd { margin: 0 0 .1rem; font-size: 1.3rem; font-weight: 600; line-height: 1.3;
  font-variant-numeric: tabular-nums; }
.figures div { display: flex; flex-direction: column-reverse; justify-content: flex-end; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem;
  overflow-wrap: normal; }
th, td { text-align: left; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td { min-width: 6.5rem; max-width: 13rem; overflow-wrap: break-word; }
.facts td { max-width: 36rem; } .facts th { min-width: 8rem; }
th { color: var(--soft); font-weight: 600; }
thead th { vertical-align: bottom; }
.number { text-align: right; min-width: 0; } td.number { white-space: nowrap; }
.wide { overflow-x: auto; } .soft { color: var(--soft); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr));
  gap: 1.6rem; margin: 1.2rem 0; }
figure { margin: 0; } figcaption { font-size: .9rem; color: var(--soft); }
svg { display: block; width: 100%; max-width: 28rem; height: auto; }
svg.large { max-width: 40rem; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
svg .grid { stroke: var(--line); } svg .diagonal { stroke: var(--soft); stroke-dasharray: 2 4; }
svg .curve { stroke: var(--accent); fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .second { stroke: var(--second); } svg .span { stroke: var(--soft); stroke-opacity: .55; }
svg .dot { fill: var(--accent); fill-opacity: .75; } svg .best { fill: var(--accent);
  stroke: var(--paper); stroke-width: 1.5; }
svg .pale { fill: var(--soft); fill-opacity: .45; } svg .other { fill: var(--second); }
svg .limit { stroke: var(--second); stroke-width: 1.5; stroke-dasharray: 5 4; }
svg text.mark { fill: var(--ink); paint-order: stroke; stroke: var(--paper); stroke-width: 4px; }
svg text.limit-mark { fill: var(--second); paint-order: stroke; stroke: var(--paper);
  stroke-width: 4px; stroke-dasharray: none; }
.confusion { font-size: .8rem; }
.confusion caption { text-align: left; color: var(--soft); padding-bottom: .5rem; }
.confusion th { font-weight: 500; padding: .2rem .5rem .2rem 0; border: 0; color: var(--ink); }
.confusion tbody th { max-width: 12rem; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; vertical-align: middle; }
.confusion thead th span { writing-mode: vertical-rl; transform: rotate(180deg);
  max-height: 9rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  line-height: 1.3; }
.confusion thead th { text-align: center; padding: .3rem 0; }
.confusion td { text-align: center; padding: .2rem .3rem; min-width: 2.1rem; height: 1.9rem;
  vertical-align: middle; border: 1px solid var(--line); overflow-wrap: normal; }
.confusion td.sum { border: 0; padding-left: .7rem; color: var(--soft); white-space: nowrap; }
@media (max-width: 40rem) {
  table.rows, table.rows tbody, table.rows tr { display: block; }
  table.rows thead { display: none; }
  table.rows tr { border-bottom: 1px solid var(--line); padding: .5rem 0; }
  table.rows td { display: flex; justify-content: space-between; gap: 1rem; max-width: none;
    border: 0; padding: .1rem 0; text-align: right; white-space: normal;
    overflow-wrap: anywhere; }
  table.rows td::before { content: attr(data-label); flex: 0 0 auto; max-width: 45%;
    color: var(--soft); text-align: left; }
  table.rows td:empty { display: none; }
  table.rows td:first-child { font-weight: 600; }
  table.rows td:first-child::before { font-weight: 400; }
}
"""
