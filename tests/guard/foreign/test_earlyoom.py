"""earlyoom's arguments. The table of pairs and the exit codes are those of its own test suite at 1.9."""

import pytest

from memwarden.errors import InputError
from memwarden.guard import foreign
from memwarden.guard.ir import Amount, Available, Preferences, Ranking, SwapFree, Weight
from memwarden.units import GIB, SECOND_US

ANY = Amount(bytes=-(1 << 62))


def load(text):
    return foreign.load("earlyoom", ("e", text))


def reason(text):
    with pytest.raises(InputError) as caught:
        load(text)
    return str(caught.value)


def kill(text):
    return load(text).rules[0].actions[0]


def detectors(text):
    return {rule.name: rule.groups[0].detectors for rule in load(text).rules}


def below(percent_memory, percent_swap):
    return (
        Available(Amount(ppm=round(percent_memory * 10_000)), "user", inclusive=True),
        SwapFree(Amount(ppm=round(percent_swap * 10_000)), without_swap=True, inclusive=True),
    )


def test_what_it_does_without_arguments():
    policy = load("")
    assert [rule.name for rule in policy.rules] == ["kill", "term"]
    assert detectors("") == {"kill": below(5, 5), "term": below(10, 10)}
    first, second = (rule.actions[0] for rule in policy.rules)
    assert (first.term_us, second.term_us, second.escalate) == (0, 10 * SECOND_US, False)
    assert first.choice == second.choice
    assert first.choice.units == "process"
    assert first.choice.ranking == Ranking((Weight("oom-score"),), ANY, ties=("rss",))
    assert first.choice.preferences == Preferences(omit=("adj<=-1000",), xattrs=())
    assert (first.dry, first.even_without_need, first.hook) == (False, True, ())
    assert (policy.tick_us, policy.steady, policy.wait_for_death) == (100_000, True, True)
    assert policy.notes == ()


@pytest.mark.parametrize(
    ("pair", "term", "kill"),
    [
        ("2,1", 2, 1),
        ("20,10", 20, 10),
        ("30", 30, 15),
        ("5,0", 5, 0),
        ("5,9", 9, 9),
        ("0,5", 5, 5),
        ("4,5", 5, 5),
        ("4.0,2.0", 4, 2),
        ("3.1415,2.7182", 3.1415, 2.7182),
        ("3.1415", 3.1415, 1.57075),
        ("5,", 5, 0),
        (" 5", 5, 2.5),
    ],
)
def test_pairs(pair, term, kill):
    assert detectors(f"-m '{pair}' -s '{pair}'") == {"kill": below(kill, kill), "term": below(term, term)}


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("-m 0", 15, "both values of '0' are zero"),
        ("-m 0,0", 15, "both values"),
        ("-m 4,0,2,0", 15, "trailing garbage ',2,0'"),
        ("-m 5x", 15, "trailing garbage 'x'"),
        ("-m x5", 15, "trailing garbage 'x5'"),
        ("-m 100", 15, "value 100 exceeds the limit 99"),
        ("-m -1", 15, "value -1 is below zero"),
        ("-m 1,-1", 15, "value -1 is below zero"),
        ("-M -1", 15, "value -1 is below zero"),
        ("-s 101", 16, "value 101 exceeds the limit 100"),
        ("-S -1", 16, "value -1 is below zero"),
        ("xyz", 13, "extra argument not understood: 'xyz'"),
        ("-i 1", 13, "extra argument not understood: '1'"),
        ("-x", 13, "option -x not recognized"),
        ("--i", 13, "option --i not a unique prefix"),
        ("-m", 13, "option -m requires argument"),
        ("-r -1", 14, "invalid interval '-1'"),
        ("--avoid '('", 6, "could not compile regexp '('"),
        ("--prefer 'a(?i)'", 6, "nothing stands before '?'"),
    ],
)
def test_exit_codes(text, code, words):
    found = reason(text)
    assert found.startswith(f"e:1: earlyoom would not start (exit code {code}): ")
    assert words in found


def test_percent_and_size_the_lower_wins():
    both = detectors("-m 10,5 -M 102400,51200 -S 1024")
    memory, size, swap = both["term"]
    assert memory == Available(Amount(ppm=100_000), "user", inclusive=True)
    assert size == Available(Amount(bytes=102400 * 1024), "user", inclusive=True)
    assert swap.below == Amount(bytes=1024 * 1024)
    assert both["kill"][1].below == Amount(bytes=51200 * 1024)
    assert "-M: earlyoom takes the size as a share of MemTotal" in load("-M 1").notes[0]
    assert detectors("-s 100")["term"] == below(10, 100)  # always: swap is not to count


def test_whom_it_takes():
    one = kill("--prefer '^chrome$' --avoid=sshd --ignore '(^|/)init$' --ignore-root-user --dryrun")
    assert one.choice.ranking.adjust == (("comm~^chrome$", 300.0), ("comm~sshd", -300.0))
    assert one.choice.preferences.omit == ("adj<=-1000", "comm~(^|/)init$", "uid:0")
    assert one.dry
    by_size = kill("--sort --avoid x").choice.ranking  # long options may be cut
    assert by_size == Ranking((Weight("rss"),), ANY, ties=("oom-score",), adjust=(("comm~x", -3.0 * GIB),))
    kernel = load("--kernel-oom --avoid x")
    assert kernel.rules[0].actions[0].choice.ranking.weights == (Weight("badness"),)
    assert kernel.rules[0].actions[0].choice.ranking.adjust == ()
    assert "the kernel is not asked" in kernel.notes[0]


def test_scripts():
    one = load("-P /usr/bin/dump -N /usr/bin/mail")
    assert one.rules[0].actions[0].hook == ("/usr/bin/dump",)
    assert one.rules[0].actions[0].hook_limit_us == 200_000
    assert "-N: memwarden runs nothing after a kill" in one.notes[0]
    assert kill("-P dump").hook == ()
    assert "not an absolute path" in load("-P dump").notes[0]


def test_what_is_named_instead_of_dropped():
    notes = load("-kingdp -r 3600 --syslog").notes
    named = [note.split()[1].rstrip(":") for note in notes]
    assert named == ["-k", "-i", "-n", "-g", "-d", "-p", "--syslog", "-r"]
    assert load("-r=0").notes == ("e:1: -r only says how often earlyoom logs",)
    assert load("-r -x").notes == ("e:1: -r only says how often earlyoom logs",)


@pytest.mark.parametrize("flag", ["-v", "-h", "--help"])
def test_flags_that_only_print(flag):
    assert reason(flag) == f"e:1: with {flag} earlyoom only prints and exits; leave it out"


@pytest.mark.parametrize(
    "text",
    [
        "-m 5 --avoid '^(a b|c)$'",
        "/usr/bin/earlyoom -m 5 --avoid '^(a b|c)$'",
        "# Default settings\nEARLYOOM_ARGS=\"-m 5 --avoid '^(a b|c)$'\"\n",
        "EARLYOOM_ARGS=''\n; more\nexport EARLYOOM_ARGS=\"-m 5 \\\n --avoid '^(a b|c)$'\"\nOTHER=1\n",
    ],
)
def test_a_line_and_the_file_that_holds_it(text):
    assert load(text).rules == load("-m5 --avoid '^(a b|c)$'").rules


def test_files_that_hold_no_arguments():
    assert load("# nothing\n").rules == load("").rules
    assert reason("OTHER=1\n") == (
        'e: no EARLYOOM_ARGS is assigned here; add EARLYOOM_ARGS="-m 10" or the like'
    )
    assert reason('# a\nEARLYOOM_ARGS="-m 5\n') == "e:2: a quote is not closed in '\"-m 5'; close it"
    assert foreign.load("earlyoom", {"a": "", "b": ""}).notes == (
        "b: earlyoom reads one file only; this one is left out",
    )
