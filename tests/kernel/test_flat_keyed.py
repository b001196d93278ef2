import pytest

from memwarden.kernel import flat_keyed
from tests.kernel.refused import refused

KNOWN = frozenset({"anon", "file"})


def parse(text, *, path):
    return flat_keyed.parse(text, KNOWN, path=path)


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("anon 1\nfile 2\n", {"anon": 1, "file": 2}),
        ("file 2\nanon 1", {"anon": 1, "file": 2}),
        ("anon 1\nfrom_kernel_9 7\n", {"anon": 1}),
        ("anon 18446744073709551615\n", {"anon": 2**64 - 1}),
    ],
)
def test_good(text, figures):
    assert parse(text, path="x") == figures


def test_files_with_the_same_keys_hold_them_once():
    # A cgroup's memory.stat has 60 keys of 64 bytes each, which was more than its figures.
    one, two = (parse(f"anon {value}\nfile 3\n", path="x") for value in (1, 2))
    assert [id(key) for key in one] == [id(key) for key in two]
    assert (one, two) == ({"anon": 1, "file": 3}, {"anon": 2, "file": 3})
    other = flat_keyed.parse("file 1\n", frozenset({"file"}), path="x")
    assert parse("file 4\nanon 5\n", path="x") == {"file": 4, "anon": 5}
    assert other == {"file": 1}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("anon 1\nfile\n", (2, "file")),
        ("anon 1 2\nfile 3\n", (1, "anon 1 2")),
        ("anon 1\n\nfile 3\n", (2, "")),
        ("anon 1\n\n", (2, "")),
        ("anon -1\n", (1, "anon -1")),
        ("anon max\n", (1, "anon max")),
        ("anon 1_0\n", (1, "anon 1_0")),
        ("anon ٣\n", (1, "anon ٣")),
        ("anon ²\n", (1, "anon ²")),
        # All figures are unsigned, yet not one per line.
        ("anon 1 2 3\nfile 4\n", (1, "anon 1 2 3")),
        ("anon\n1\n", (1, "anon")),
        ("anon 1\x0bfile 2\n", (1, "anon 1\x0bfile 2")),
        ("anon 1\nfile " + "9" * 5000 + "\n", (2, "file " + "9" * 75)),
        ("later_key 1\nanon x\n", (2, "anon x")),
        ("", (1, "")),
        ("\n", (1, "")),
        ("later_key 1\n", (0, "later_key 1\n")),
    ],
)
def test_refused(text, where):
    assert refused(parse, text) == where
