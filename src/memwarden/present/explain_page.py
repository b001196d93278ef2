"""The frame of the HTML page and its style sheet."""

from __future__ import annotations

from typing import Final

COLOURS: Final = {
    # Okabe and Ito's colours, which stay apart for colour-blind readers; grey for what is not explained.
    "anon": "#0072b2",
    "shmem": "#cc79a7",
    "file": "#56b4e9",
    "kernel": "#d55e00",
    "sockets": "#e69f00",
    "swap-cache": "#009e73",
    "leaving": "#8a7a5c",
    "swapped": "#66b89f",
    "hugepages": "#b8a800",
    "unevictable": "#7f3c8d",
    "unexplained": "#8c8c8c",
    "free": "#d9ead3",
}

STYLE: Final = """\
:root{--ink:#1b1b1b;--dim:#5c5c5c;--paper:#fff;--soft:#f4f4f2;--line:#d8d8d4;--red:#b3261e}
@media (prefers-color-scheme:dark){:root{--ink:#e6e6e6;--dim:#a3a3a3;--paper:#161616;--soft:#222;
--line:#3a3a3a;--red:#ff8a80}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:62rem;padding:1rem 1.25rem 3rem;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.3rem}
h2{font-size:1.25rem;line-height:1.35;margin:0 0 .3rem;overflow-wrap:anywhere}
h3{font-size:1rem;margin:1.6rem 0 .4rem}
article{border-top:3px solid var(--ink);padding:1rem 0;margin-top:1.5rem}
article:first-child{margin-top:0}
p{margin:.4rem 0;overflow-wrap:anywhere}
.place,.count,.lines{color:var(--dim);font-size:.85rem;font-weight:normal}
.lines{white-space:nowrap;text-decoration:none}
.lines:hover{text-decoration:underline}
dl{margin:1rem 0 0}
dl div{display:grid;grid-template-columns:4.5rem 1fr;gap:.5rem;padding:.2rem 0}
dt{font-weight:bold}
dd{margin:0;overflow-wrap:anywhere}
.doubt{font-size:.8rem;border:1px solid var(--line);border-radius:.6rem;padding:0 .45rem;color:var(--dim)}
.bar{width:100%;height:3.2rem;display:block}
.bar .room{fill:var(--soft);stroke:var(--line)}
.bar .mark{fill:var(--red)}
.legend{list-style:none;padding:0;margin:.5rem 0 0;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem}
.legend .key{display:inline-block;width:.8rem;height:.8rem;margin-right:.4rem;border-radius:2px}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem;width:100%}
th,td{text-align:left;padding:.2rem .7rem .2rem 0;border-bottom:1px solid var(--line);vertical-align:top}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.dead td{color:var(--red)}
.minis{width:25%;min-width:6rem}
.mini{display:inline-block;height:.6rem;background:currentColor;opacity:.45;min-width:1px}
pre{background:var(--soft);border:1px solid var(--line);padding:.5rem .7rem;margin:.35rem 0 .7rem;
white-space:pre-wrap;overflow-wrap:anywhere}
code{font:.85rem/1.45 ui-monospace,monospace}
.log td{border:0;padding:.05rem .8rem .05rem 0}
.log code{white-space:pre}
.log .n{color:var(--dim)}
ol,ul{padding-left:1.4rem}
li{overflow-wrap:anywhere}
summary{cursor:pointer;color:var(--dim);margin:.4rem 0}
@media print{body{max-width:none}article{break-inside:avoid-page}}
"""


END: Final = "</body>\n</html>\n"


def head(title: str) -> str:
    """The page up to its body, with a title that is HTML already."""
    parts = "".join(
        f".part-{word}{{fill:{colour};background:{colour}}}\n" for word, colour in COLOURS.items()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        # No script and no request may ever start from a page made of log lines.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src '
        "'unsafe-inline'\">\n"
        f"<title>{title}</title>\n<style>\n{STYLE}{parts}</style>\n</head>\n<body>\n"
    )
