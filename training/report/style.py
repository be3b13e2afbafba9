"""The page's style sheet: light and dark, phone and paper."""

from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--paper:#fff;--ink:#20262e;--muted:#5c6773;--rule:#d5dae0;--band:#f4f6f8;--warn:#8a4b00;
--series-0:#0072b2;--series-1:#d55e00;--series-2:#009e73;--series-3:#cc79a7}
@media (prefers-color-scheme:dark){:root{--paper:#14181d;--ink:#e6e9ed;--muted:#9aa5b1;--rule:#343c46;--band:#1c2229;
--warn:#ffb454;--series-0:#56b4e9;--series-1:#ff9a57;--series-2:#3fd0a4;--series-3:#e3a3c8}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main,header{max-width:68rem;margin:0 auto;padding:0 1rem}
header{padding-top:1.5rem}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .25rem;overflow-wrap:anywhere}
header p{color:var(--muted);margin:0;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:2.2rem 0 .8rem;padding-top:.8rem;border-top:1px solid var(--rule)}
h3{font-size:1rem;margin:1.4rem 0 .4rem}
p{max-width:46rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(13rem,100%),1fr));gap:.6rem;margin:1rem 0}
.tiles div{background:var(--band);border-radius:.5rem;padding:.7rem .9rem}
.tiles dt{color:var(--muted);font-size:.85rem}
.tiles dd{margin:0;font-size:1.1rem;font-weight:600;font-variant-numeric:tabular-nums}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(22rem,100%),1fr));gap:1rem;align-items:start}
svg{width:100%;height:auto;display:block;margin:.5rem 0}
svg text{font-family:inherit}
svg *{stroke-linejoin:round}
.scroll{overflow-x:auto;margin:.8rem 0}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums;}
caption{text-align:left;font-weight:600;padding:.3rem 0}
th,td{padding:.3rem .7rem .3rem 0;border-bottom:1px solid var(--rule);text-align:left;vertical-align:top}
thead th{color:var(--muted);font-weight:500;vertical-align:bottom}
tbody th{font-weight:500;max-width:22rem;overflow-wrap:break-word}
td{overflow-wrap:break-word;max-width:44rem}
td.n{text-align:right}
td.f{white-space:nowrap}
.flow{display:flex;flex-wrap:wrap;gap:.4rem 2.5rem;align-items:flex-start}
.flow>*{max-width:100%}
svg{max-width:46rem}
.warning{background:var(--band);border-left:.25rem solid var(--warn);padding:.6rem .6rem .6rem 1.8rem;margin:.6rem 0}
.sheet{display:grid;grid-template-columns:repeat(auto-fill,minmax(7.2rem,1fr));gap:.8rem .6rem}
.cases{display:flex;flex-wrap:wrap;gap:1rem}
.case{display:flex;flex-wrap:wrap;gap:.3rem;background:var(--band);border-radius:.5rem;padding:.5rem}
figure{margin:0;width:112px;font-size:.78rem;line-height:1.3;overflow-wrap:anywhere;break-inside:avoid}
figure img{display:block;border-radius:.25rem;max-width:100%;height:auto}
figcaption{margin-top:.2rem}
small{color:var(--muted)}
summary{cursor:pointer;color:var(--muted);margin:.6rem 0}
footer{color:var(--muted);font-size:.85rem;max-width:68rem;margin:2rem auto;padding:0 1rem}
@media print{:root{color-scheme:light;--paper:#fff;--ink:#000;--muted:#444;--rule:#bbb;--band:#f4f6f8;--warn:#8a4b00;
--series-0:#0072b2;--series-1:#d55e00;--series-2:#009e73;--series-3:#cc79a7}
body{font-size:11px}h2{break-after:avoid}.grid{grid-template-columns:1fr 1fr}svg,table,.case{break-inside:avoid}
.scroll{overflow:visible}*{print-color-adjust:exact}}
"""
