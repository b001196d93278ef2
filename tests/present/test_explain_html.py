"""The HTML form: one file, well formed, no script, no reference, whatever a log says."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from memwarden.postmortem.read import find_reports
from memwarden.postmortem.verdict import judge
from memwarden.present import explain_html
from memwarden.present.explain_html import RANKED_AT_ONCE
from tests.postmortem.verdict_reports import marks, memcg_facts, memcg_report, report, task, victim

LAB = sorted((Path(__file__).parent.parent / "golden" / "lab").glob("*/*.kmsg"))
HOSTILE = "</style></title><script>alert(1)</script><img src=x onerror=alert(1)> \" ' & \x1b[31m\x00"
VOID = {"meta", "rect", "br"}
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "a", "article", "section"),
    *("dl", "dt", "dd", "div", "span", "svg", "rect", "ul", "ol", "li", "b", "table", "thead", "tbody"),
    *("tr", "th", "td", "details", "summary", "pre", "code"),
}


def page(*words):
    return "".join(explain_html.page(*words))


class Checker(HTMLParser):
    """Keeps the open elements; every end must fit."""

    def __init__(self):
        super().__init__()
        self.open = []
        self.links = []
        self.ids = []
        self.text = []
        self.attributes = set()

    def handle_starttag(self, tag, attrs):
        assert tag in ALLOWED, tag
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name in ("href", "src")]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in ALLOWED, tag

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def checked(shown):
    parser = Checker()
    parser.feed(shown)
    parser.close()
    assert parser.open == []
    assert not any(name.startswith("on") for name in parser.attributes)
    # Only places inside the page: no other file, no network.
    assert all(link.startswith("#") for link in parser.links)
    assert {link[1:] for link in parser.links} <= set(parser.ids)
    assert "http" not in shown.replace("http-equiv", "")
    return parser


@pytest.mark.parametrize("path", LAB[::7], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_pages_of_real_kernels(path):
    checked(page([judge(one) for one in find_reports([path.read_bytes()], file=path.name)]))


def test_hostile_names():
    made = memcg_report(
        memcg_facts(64, stat_mib={"anon": 60, "kernel": 4}, oom_path=f"/{HOSTILE}"),
        task(1, 30, comm=HOSTILE),
        task(2, 5, comm=HOSTILE),
        victims=(victim(1, 30, comm=HOSTILE),),
        task_path=f"/{HOSTILE}",
        marks=marks(("kill", 9, HOSTILE)),
    )
    for count in (1, 5):
        shown = page([judge(made)] * count)
        parser = checked(shown)
        assert "\x1b" not in shown
        assert "\x00" not in shown
        assert any("<script>alert(1)</script>" in data for data in parser.text)


def test_none_found():
    assert "No OOM report was found" in "".join(checked(page([])).text)


def test_one_title_or_a_count():
    assert "<title>An OOM report without its kill line" in page([judge(report())])
    assert "<title>2 OOM reports</title>" in page([judge(report())] * 2)
    assert "<th>Where</th>" in page([judge(report())] * 4)


def test_a_long_ranking_is_folded():
    rows = [task(pid, 60 - pid) for pid in range(2, RANKED_AT_ONCE + 4)]
    shown = page([judge(memcg_report(memcg_facts(64), *rows, victims=(victim(2, 30),)))])
    checked(shown)
    assert "<summary>2 more</summary>" in shown


def test_points_that_nobody_has_are_left_out():
    facts = memcg_facts(None)
    with_adj = memcg_report(facts, task(2, 30, 5), task(3, 1, 5), victims=(victim(2, 30),))
    assert "Points" not in page([judge(with_adj)])
    assert "Points" in page([judge(memcg_report(facts, task(2, 30), task(3, 1)))])
