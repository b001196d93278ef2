"""What is said of a guest whose kernel crashed: what that said first, not the end of its registers."""

import pytest

from lab import vm

REGISTERS = "[   13.79] R13: 00007ffc R14: 00007ffc\n[   13.79]  </TASK>\n"


@pytest.mark.parametrize(
    ("console", "said"),
    [
        (
            f"[   13.78] Kernel panic - not syncing: System is deadlocked on memory\n{REGISTERS}",
            " (Kernel panic - not syncing: System is deadlocked on memory)",
        ),
        (
            f"[   13.78] BUG: kernel NULL pointer dereference\n{REGISTERS}",
            " (BUG: kernel NULL pointer dereference)",
        ),
        (REGISTERS, ""),
        ("", ""),
    ],
)
def test_the_first_words_of_a_crash(console, said):
    assert vm._crash(console) == said
