import pytest

from memwarden.kernel import numbers

NOT_NUMBERS = ["", " ", "+1", "1 ", " 1", "1_0", "0x1", "1.0", "1e3", "٣", "²", "max", "9" * 21, "9" * 5000]


@pytest.mark.parametrize("word", [*NOT_NUMBERS, "-1", "--1", "-"])
def test_unsigned_refuses_what_int_would_take(word):
    with pytest.raises(ValueError):
        numbers.unsigned(word)


@pytest.mark.parametrize("word", [*NOT_NUMBERS, "--1", "-", "- 1"])
def test_signed_refuses(word):
    with pytest.raises(ValueError):
        numbers.signed(word)


def test_the_whole_range():
    assert numbers.unsigned("0") == 0
    assert numbers.unsigned("18446744073709551615") == 2**64 - 1
    assert numbers.signed("-9223372036854775808") == -(2**63)
    assert numbers.signed("7") == 7


def test_kilobytes():
    assert numbers.kilobytes("    1856 kB") == 1856 * 1024
    assert numbers.kilobytes("0 kB") == 0


@pytest.mark.parametrize("value", ["1 MB", "1 kB kB", "-1 kB", "kB", ""])
def test_kilobytes_refuses(value):
    with pytest.raises(ValueError):
        numbers.kilobytes(value)


def test_hexadecimal():
    assert numbers.hexadecimal("000001fffeffffff") == 0x1FFFEFFFFFF
    assert numbers.hexadecimal("f" * 16) == 2**64 - 1


@pytest.mark.parametrize("word", ["", "g", "FF", "0x1", "f" * 17, "1_0", " 1", "-1"])
def test_hexadecimal_refuses(word):
    with pytest.raises(ValueError):
        numbers.hexadecimal(word)
