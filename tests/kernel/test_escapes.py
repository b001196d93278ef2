import pytest

from memwarden.kernel.escapes import unescape


@pytest.mark.parametrize(
    ("printed", "meant"),
    [
        ("/plain", "/plain"),
        (r"/a\040b", "/a b"),
        (r"\011\012\134", "\t\n\\"),
        (r"\134040", r"\040"),  # a backslash, then the figures 040
        (r"/system-systemd\134x2dfsck.slice", r"/system-systemd\x2dfsck.slice"),
        (r"a\04", r"a\04"),
        (r"a\480", r"a\480"),
        (r"a\048", r"a\048"),
        (r"a\084", r"a\084"),
        ("a\\", "a\\"),
        (r"\377", "\xff"),
    ],
)
def test_unescape(printed, meant):
    assert unescape(printed) == meant
