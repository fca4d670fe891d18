"""The fixed parts of the status page: its style, and the rules for what it may load."""

from __future__ import annotations

import base64
import hashlib

STYLE = """\
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--fg:#1c2128;--dim:#5a6270;--rule:#e1e4e9;
--on:#0b57d0;--good:#146c2e;--good-bg:#d9f2e0;--busy:#0b4a9e;--busy-bg:#dbe7ff;
--warn:#7a4a00;--warn-bg:#fdebc8;--bad:#a11616;--bad-bg:#fbdcdc}
@media(prefers-color-scheme:dark){:root{--bg:#15181d;--card:#1d2127;--fg:#e8eaee;--dim:#a3abb8;
--rule:#343a44;--on:#8ab4f8;--good:#8fe0a6;--good-bg:#17391f;--busy:#a9c7ff;--busy-bg:#1a2f56;
--warn:#f3c677;--warn-bg:#45310b;--bad:#ffb0b0;--bad-bg:#4d1a1a}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:14px/1.5 system-ui,sans-serif}
main{max-width:72rem;margin:auto;padding:1.5rem 1.25rem 3rem}
header{display:flex;flex-wrap:wrap;gap:.4rem .9rem;align-items:center;margin-bottom:.2rem}
h1{font-size:1.35rem;margin:0}h2{font-size:1rem;margin:2rem 0 .5rem}
h2 small{font-weight:400;color:var(--dim);margin-left:.4rem}
p{margin:.2rem 0}a{color:var(--on)}.dim{color:var(--dim)}
.pill{border-radius:1rem;padding:.1rem .75rem;font-weight:600}
.good{color:var(--good);background:var(--good-bg)}.busy{color:var(--busy);background:var(--busy-bg)}
.warn{color:var(--warn);background:var(--warn-bg)}.bad{color:var(--bad);background:var(--bad-bg)}
.note{border-radius:8px;padding:.6rem .9rem;margin:.8rem 0;overflow-wrap:anywhere}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(10.5rem,1fr));gap:.8rem;
margin:1.2rem 0}
.card{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:.8rem 1rem}
.card b{display:block;font-size:1.5rem;line-height:1.25;font-weight:600;
font-variant-numeric:tabular-nums}
.card span{color:var(--dim)}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--rule);border-radius:10px}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.4rem 1rem;border-top:1px solid var(--rule);vertical-align:top}
thead th,tbody:first-child tr:first-child>*{border-top:0}
thead th{color:var(--dim);font-weight:500;white-space:nowrap}
td{overflow-wrap:anywhere}.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
th[scope=row]{font-weight:500}td.w{min-width:18rem}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(22rem,1fr));gap:0 1.5rem}
.pair>*{min-width:0}footer{margin-top:2rem;color:var(--dim)}
"""

REFRESH_S = 15


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src {_source(STYLE)}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    )
)
"""Content-Security-Policy: nothing is loaded, no script runs."""
