"""Bars over time: what stands in which cell."""

from __future__ import annotations

from memwarden.guard.course import Course, Stretch
from memwarden.present.replay_chart import Axis, lines, share


def course(*stretches, total=80, swap=0):
    made = Course()
    made.stretches, made.total_bytes, made.swap_total_bytes = list(stretches), total, swap
    return made


def test_ten_cells_of_a_second_each():
    made = course(
        Stretch(0, 0, 10, None, None),  # 1 eighth at the first moment
        Stretch(0, 4_000_000, 40, None, 0),  # half until 4 s
        Stretch(4_000_000, 10_000_000, 80, None, 3_000_000),  # all of it, and half of six seconds stalled
    )
    axis = Axis(made, 10 + 10 + 22)
    assert axis.cells == 10
    # 4.0 s is the first moment of the fifth cell, and the highest of a cell counts.
    assert lines(made, axis) == [
        "memory    ▄▄▄▄██████  to 80 B, 100 %",
        "stalled   ▁▁▁▁▄▄▄▄▄▄  to 50 %",
        "          0.0 s 10.0 s",
    ]


def test_swap_has_a_line_where_there_is_some():
    made = course(Stretch(0, 0, 0, 5, None), Stretch(0, 1_000_000, 0, 20, None), swap=20)
    assert lines(made, Axis(made, 80))[1].split() == ["swap", "█" * 48, "to", "20", "B,", "100", "%"]


def test_a_recording_without_figures_has_no_chart():
    made = course(Stretch(0, 5, None, None, None))
    assert lines(made, Axis(made, 80)) == []


def test_one_snapshot_is_no_course():
    alone = course(Stretch(7, 7, 40, None, None))
    assert lines(alone, Axis(alone, 80)) == []


def test_where_nothing_is_known_it_stands_as_before():
    gap = course(
        Stretch(0, 1_000_000, 80, None, None),
        Stretch(1_000_000, 9_000_000, None, None, None),
        Stretch(9_000_000, 10_000_000, 10, None, None),
    )
    axis = Axis(gap, 42)
    # Cell 1 holds the end of the first stretch; nothing is known until cell 9, so that it stands as before.
    assert axis.bars(gap.stretches, lambda one: one.used_bytes, 80) == "█████████▁"


def test_of_several_marks_in_a_cell_the_weightiest_is_shown():
    made = course(Stretch(0, 10_000_000, 1, None, None))
    axis = Axis(made, 42)
    assert axis.marks([(0, "."), (1, "x"), (2, "o"), (5_000_000, "K"), (99_000_000, "."), (-5, ".")]) == (
        "x    K   ."
    )


def test_the_share_of_a_stretch_is_a_whole_at_most():
    assert share(Stretch(0, 10, 0, 0, 5)) == 0.5
    assert share(Stretch(0, 10, 0, 0, 11)) == 1.0
    assert share(Stretch(0, 0, 0, 0, 5)) is None
    assert share(Stretch(0, 10, 0, 0, None)) is None
