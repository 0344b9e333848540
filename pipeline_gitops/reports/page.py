"""Style and behaviour of the HTML report. No network, no dependency, works without the script."""

import base64
import hashlib

STYLE = """
:root { color-scheme: light dark; --bad: #c62828; --care: #b26a00; --good: #2e7d32; --quiet: #667;
  --line: #8884; --soft: #8881; --add: #2e7d3226; --del: #c6282826; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 72rem; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.15rem; margin-top: 2rem; } h3 { font-size: 1rem; }
.bad { color: var(--bad); } .care { color: var(--care); } .good { color: var(--good); }
.quiet, small { color: var(--quiet); }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left;
  vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
code, pre { font: 13px/1.45 ui-monospace, monospace; }
pre { background: var(--soft); margin: .4rem 0; overflow-x: auto; padding: .5rem; }
pre i { display: block; font-style: normal; min-height: 1.45em; }
pre i.add { background: var(--add); } pre i.del { background: var(--del); }
details { border-bottom: 1px solid var(--line); padding: .3rem 0; content-visibility: auto;
  contain-intrinsic-height: auto 2.2rem; }
summary { cursor: pointer; } summary b { display: inline-block; min-width: 4.5rem; }
.danger, .card { border-left: 4px solid var(--bad); margin: .6rem 0; padding: .2rem .8rem; }
nav { display: flex; flex-wrap: wrap; gap: .5rem; position: sticky; top: 0; background: Canvas;
  padding: .5rem 0; }
input { flex: 1; min-width: 12rem; font: inherit; padding: .3rem .5rem; }
button { font: inherit; padding: .3rem .7rem; }
[hidden] { display: none; }
""".strip()

SCRIPT = """
const search = document.querySelector("#search");
const count = document.querySelector("#count");
const objects = [...document.querySelectorAll("[data-find]")];
const narrow = () => {
  const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let shown = 0;
  for (const object of objects) {
    object.hidden = !words.every((word) => object.dataset.find.includes(word));
    shown += object.hidden ? 0 : 1;
  }
  count.textContent = `${shown} of ${objects.length}`;
};
const open = (is) => objects.forEach((object) => { if (!object.hidden) object.open = is; });
if (search) {
  search.addEventListener("input", narrow);
  document.querySelector("#open").addEventListener("click", () => open(true));
  document.querySelector("#close").addEventListener("click", () => open(false));
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== search) {
      event.preventDefault();
      search.focus();
    }
  });
  narrow();
}
""".strip()


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


# Nothing is loaded and nothing runs but these two texts, whatever a manifest smuggles in.
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; "
    f"style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}"
)
