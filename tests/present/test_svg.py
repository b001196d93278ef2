"""The stacked bar."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from memwarden.present.svg import Segment, stacked_bar


def drawn(segments, whole):
    picture = ET.fromstring(stacked_bar(segments, whole, "the limit"))
    bars = [one for one in picture.findall("rect") if one.get("class").startswith("part-")]
    mark = next(one for one in picture.findall("rect") if one.get("class") == "mark")
    return picture, [(float(one.get("x")), float(one.get("width"))) for one in bars], float(mark.get("x"))


def test_segments_stand_side_by_side_to_scale():
    picture, bars, mark = drawn([Segment("anon", "anonymous", 50), Segment("swap cache", "cache", 25)], 100)
    assert bars == [(0, 500), (500, 250)]
    assert mark == 997
    assert picture.get("aria-label") == "the limit, 100 B: anonymous 50 B, cache 25 B"
    assert picture.find("rect[@class='part-swap-cache']/title").text == "cache: 25 B (25%)"


def test_more_than_the_whole_goes_beyond_the_mark():
    _, bars, mark = drawn([Segment("anon", "a", 150), Segment("file", "f", 50)], 100)
    assert bars == [(0, 750), (750, 250)]
    assert mark == 497


def test_nothing_to_draw():
    assert drawn([], 0)[1:] == ([], 0)


def test_names_are_escaped():
    assert drawn([Segment("anon", '<"&>', 1)], 1)[0].get("aria-label").endswith('<"&> 1 B')
