"""The fixed parts of a lineage page: its style, its script, the rules for what it may load."""

from __future__ import annotations

import base64
import hashlib

STYLE = """\
:root{color-scheme:light dark;--bg:#fff;--fg:#1c2128;--dim:#5a6270;--line:#8a93a1;--rule:#d9dde3;
--job:#dbe7ff;--data:#d6f0df;--model:#fde3c8;--image:#e9dffb;--code:#e4e6eb;--other:#f1edd3;--on:#0b57d0}
@media(prefers-color-scheme:dark){:root{--bg:#15181d;--fg:#e8eaee;--dim:#a3abb8;--line:#7d8694;
--rule:#343a44;--job:#1d3a6e;--data:#17472b;--model:#5c3a12;--image:#42306b;--code:#363c47;
--other:#4a451f;--on:#8ab4f8}}
body{margin:0;padding:1rem 1.25rem;background:var(--bg);color:var(--fg);
font:14px/1.45 system-ui,sans-serif}
h1{font-size:1.25rem;margin:0 0 .15rem;overflow-wrap:anywhere}
h2{font-size:1rem;margin:1.5rem 0 .4rem}
p{margin:.2rem 0;color:var(--dim)}
.key{display:flex;flex-wrap:wrap;gap:.15rem .9rem;align-items:center;margin:.5rem 0}
.key svg{width:53px;height:13px;vertical-align:-2px;margin-right:.3rem}
.box{overflow:auto;max-height:75vh;border:1px solid var(--rule);border-radius:8px}
.box>svg{display:block;margin:auto;width:100%;height:auto}
.job{fill:var(--job)}.data{fill:var(--data)}.model{fill:var(--model)}.image{fill:var(--image)}
.code{fill:var(--code)}.other{fill:var(--other)}
use{stroke:var(--line)}.root use{stroke:var(--fg);stroke-width:3}
text{fill:var(--fg);font-size:12.5px;stroke:none}text.k{fill:var(--dim);font-size:10.5px}
@media(prefers-color-scheme:dark){text.k{fill:#c9cfd9}}
.root text{font-weight:600}.root .k{font-weight:400}
.e{fill:none;stroke:var(--line);stroke-width:1.4}#m{fill:var(--line)}
svg a{outline:none}svg a:focus-visible use,svg a:hover use{stroke:var(--on);stroke-width:3}
.hi a,.hi .e{opacity:.18}.hi .on{opacity:1}.hi .e.on{stroke:var(--on)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}
caption{text-align:left;color:var(--dim);padding-bottom:.3rem}
th,td{text-align:left;padding:.25rem .6rem .25rem 0;
border-top:1px solid var(--rule);vertical-align:top}
td{overflow-wrap:anywhere}td:first-child{white-space:nowrap}
tr:target,tr:target td{background:var(--job)}
code{font:12px/1.4 ui-monospace,monospace;color:var(--dim)}table a{color:inherit}
input{font:inherit;padding:.25rem .5rem;width:min(24rem,90%)}
"""

SCRIPT = """\
(()=>{const one=s=>document.querySelector(s),all=s=>[...document.querySelectorAll(s)];
const svg=one('.box>svg'),nodes=all('.box a'),lines=all('.box .e');
const out=nodes.map(()=>[]),into=nodes.map(()=>[]);
const ends=lines.map(p=>p.dataset.e.split(' ').map(Number));
ends.forEach(([a,b])=>{out[a].push(b);into[b].push(a)});
const walk=(i,next)=>{const seen=new Set([i]);
for(const j of seen)next[j].forEach(k=>seen.add(k));return seen};
const show=i=>{const up=walk(i,into),down=walk(i,out);svg.classList.add('hi');
nodes.forEach((n,j)=>n.classList.toggle('on',up.has(j)||down.has(j)));
lines.forEach((p,j)=>{const[a,b]=ends[j];
p.classList.toggle('on',up.has(a)&&up.has(b)||down.has(a)&&down.has(b))})};
const rest=()=>{
const i=nodes.indexOf(document.activeElement);i<0?svg.classList.remove('hi'):show(i)};
const y=i=>nodes[i].getBoundingClientRect().top;
const near=(i,list)=>list.slice().sort((a,b)=>Math.abs(y(a)-y(i))-Math.abs(y(b)-y(i)))[0];
const layer=(i,by)=>nodes.map((_,j)=>j).filter(j=>nodes[j].dataset.l===nodes[i].dataset.l
&&(y(j)-y(i))*by>0);
const keys={ArrowLeft:i=>near(i,into[i]),ArrowRight:i=>near(i,out[i]),
ArrowUp:i=>near(i,layer(i,-1)),ArrowDown:i=>near(i,layer(i,1))};
nodes.forEach((n,i)=>{n.addEventListener('mouseenter',()=>show(i));n.addEventListener('mouseleave',rest);
n.addEventListener('focus',()=>show(i));n.addEventListener('blur',()=>svg.classList.remove('hi'));
n.addEventListener('click',e=>{if(e.detail){e.preventDefault();n.focus()}});
n.addEventListener('keydown',e=>{const to=keys[e.key]?.(i);
if(keys[e.key])e.preventDefault();if(to!==undefined)nodes[to].focus()})});
const root=one('.root'),box=one('.box');
if(root){const a=root.getBoundingClientRect(),b=box.getBoundingClientRect();
box.scrollBy(a.left-b.left-(b.width-a.width)/2,a.top-b.top-(b.height-a.height)/2)}
const find=one('input'),rows=all('tbody tr');find.closest('p').hidden=false;
find.addEventListener('input',()=>{const w=find.value.toLowerCase();
rows.forEach(r=>{r.hidden=!r.textContent.toLowerCase().includes(w)})})})()
"""

SHAPES = """\
<defs><marker id="m" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" \
orient="auto"><path d="M0 0 8 4 0 8z"/></marker>
<rect id="job" width="204" height="44" rx="8"/>
<path id="data" d="M12 0H204L192 44H0Z"/>
<path id="model" d="M12 0H192L204 22 192 44H12L0 22Z"/>
<path id="image" d="M0 0H204V44H0ZM6 0V44M198 0V44"/>
<path id="code" d="M0 0H190L204 14V44H0ZM190 0V14H204"/>
<rect id="other" width="204" height="44" rx="22"/></defs>
"""


def head(title: str) -> str:
    """Return the beginning of the page.

    Parameters
    ----------
    title
        Already escaped.

    Returns
    -------
    str
        HTML up to the body; the page may run its own script and load nothing.
    """
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style></head>\n"
    )
