import pytest

from memwarden.kernel import kmsg
from memwarden.kernel.kmsg import KmsgRecord
from tests.kernel.refused import refused


def record(**changes):
    plain = KmsgRecord(0, 6, 1042, 98203344, continues=False, caller=None, text="hello", fields={})
    return plain._replace(**changes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("6,1042,98203344,-;hello\n", record()),
        ("6,1042,98203344,-;hello", record()),
        ("6,1042,98203344,c;hello\n", record(continues=True)),
        ("30,1042,98203344,-;hello\n", record(facility=3, level=6)),  # 30 = 3 * 8 + 6
        ("6,1042,98203344,-,caller=T4242;hello\n", record(caller="T4242")),
        ("6,1042,98203344,-,caller=C1;hello\n", record(caller="C1")),
        ("6,1042,98203344,-,later=1,caller=T7;hello\n", record(caller="T7")),
        ("6,1042,98203344,-;a;b,c=d\n", record(text="a;b,c=d")),
        ("6,1042,98203344,-;\n", record(text="")),
        (
            "6,1042,98203344,-;hello\n SUBSYSTEM=acpi\n DEVICE=+acpi:PNP0A03:00\n",
            record(fields={"SUBSYSTEM": "acpi", "DEVICE": "+acpi:PNP0A03:00"}),
        ),
        ("6,1042,98203344,-;hello\n K=a\\x0ab=c\n", record(fields={"K": "a\nb=c"})),
        (r"6,1042,98203344,-;a\x0ab\x5cx41 \x09", record(text="a\nb\\x41 \t")),
        (r"6,1042,98203344,-;gr\xc3\xb6\xc3\x9fe", record(text="größe")),
        (r"6,1042,98203344,-;\xff", record(text="\udcff")),
        ("6,1042,98203344,-;größe \\x41", record(text="größe A")),
        (r"6,1042,98203344,-;\x \x4 \xg0 \x0g \xAB", record(text=r"\x \x4 \xg0 \x0g \xAB")),
    ],
)
def test_good(text, expected):
    assert kmsg.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello\n",
        ";hello\n",
        "6,1042,98203344;hello\n",
        "x,1042,98203344,-;hello\n",
        "6,-1,98203344,-;hello\n",
        "6,1042,9.8,-;hello\n",
        "6,1042,98203344,-;hello\nSUBSYSTEM=acpi\n",
        "6,1042,98203344,-;hello\n SUBSYSTEM\n",
        "6,1042,98203344,-;\\x41\ud800\n",
        "<6>[   98.203344] hello\n",
    ],
)
def test_refused(text):
    assert refused(kmsg.parse, text) == (0, text)


def test_records_that_the_ring_overwrote():
    assert kmsg.lost_between(record(sequence=7), record(sequence=8)) == 0
    assert kmsg.lost_between(record(sequence=7), record(sequence=12)) == 4
