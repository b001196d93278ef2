"""nohang's configuration. Ranges and what counts as passed are those of its own checks (src/nohang)."""

import pytest

from memwarden.errors import InputError
from memwarden.guard import foreign
from memwarden.guard.foreign.nohang_keys import SETS
from memwarden.guard.ir import Amount, Available, DoNotify, Preferences, Pressure, Ranking, SwapFree, Weight
from memwarden.units import MIB, SECOND_US

S = SECOND_US
SHORT = "soft_threshold_min_mem = 5 %\n"


def load(text):
    return foreign.load("nohang", ("n.conf", text))


def rules(text):
    return {rule.name: rule for rule in load(text).rules}


def reason(text):
    with pytest.raises(InputError) as caught:
        load(text)
    return str(caught.value)


def at(memory, swap):
    return (Available(memory, inclusive=True), SwapFree(swap, without_swap=True, inclusive=True))


def test_its_defaults():
    found = rules(SHORT)
    assert list(found) == ["hard", "soft"]
    assert found["hard"].groups[0].detectors == at(Amount(ppm=20_000), Amount(ppm=40_000))
    assert found["soft"].groups[0].detectors == at(Amount(ppm=50_000), Amount(ppm=100_000))
    hard, soft = (found[name].actions[0] for name in ("hard", "soft"))
    assert (hard.term_us, soft.term_us, soft.escalate) == (0, 10 * S, True)
    assert (found["hard"].pause_us, found["soft"].pause_us) == (0, 3 * S)
    assert hard.choice.units == "process"
    assert hard.choice.ranking == Ranking((Weight("oom-score"),), Amount(bytes=0))
    assert hard.choice.preferences == Preferences(omit=("adj<=-1000",), xattrs=())
    policy = load(SHORT)
    assert (policy.tick_us, policy.steady) == (100_000, True)
    assert policy.notes[0].startswith(
        "n.conf: nohang itself exits without hard_threshold_max_psi, hard_threshold_min_mem, "
        "hard_threshold_min_swap and 21 more keys; its defaults are taken"
    )


def test_of_many_keys_not_all_are_listed():
    notes = load(f"frob = 3\n{SHORT}").notes
    assert notes[0] == (
        "n.conf:1: 'frob' is no key of nohang's, which ignores it; none that is known is spelled like it"
    )


def test_what_it_reads():
    text = (
        "  Words of explanation, and # signs, are comments.\n\tso are these\n# and these\n\r\n"
        "soft_threshold_min_mem = 512 M\nhard_threshold_min_swap=1.5%\nmin_badness = 20\n"
        "max_soft_exit_time = 0.5\npost_soft_action_delay = 7\nmin_sleep = 0.05\n"
    )
    found = rules(text)
    assert found["soft"].groups[0].detectors[0].below == Amount(bytes=512 * MIB)
    assert found["hard"].groups[0].detectors[1].below == Amount(ppm=15_000)
    assert found["hard"].actions[0].choice.ranking.least == Amount(bytes=19)  # 20 and more
    assert (found["soft"].actions[0].term_us, found["soft"].pause_us) == (S // 2, 7 * S)
    assert load(text).tick_us == 50_000


def test_pressure():
    text = SHORT + "psi_checking_enabled = True\npsi_excess_duration = 20\nhard_threshold_max_psi = 90\n"
    found = rules(text)
    hard = found["hard pressure"]
    assert hard.groups[0].detectors == (
        Pressure(8999, "memory", "full", 10, (), 20 * S),  # at 90.00 it has been passed
        Available(Amount(ppm=20_000), for_us=20 * S, inclusive=True),
        SwapFree(Amount(ppm=1_000_000), inclusive=True),
    )
    assert (hard.pause_us, hard.rests_with) == (15 * S, "nohang pressure")
    assert found["soft pressure"].groups[0].detectors[0].above_centi == 3999
    assert found["soft pressure"].actions == found["soft"].actions


@pytest.mark.parametrize(
    ("path", "metric", "expected"),
    [
        ("/proc/pressure/io", "some_avg60", Pressure(0, "io", "some", 60)),
        (
            "/sys/fs/cgroup/user.slice/memory.pressure",
            "full_avg300",
            Pressure(0, "memory", "full", 300, ("/user.slice",)),
        ),
        (
            "/sys/fs/cgroup/unified/a[b]/cpu.pressure",
            "some_avg10",
            Pressure(0, "cpu", "some", 10, ("/a[[]b]",)),
        ),
        ("/sys/fs/cgroup/memory.pressure", "full_avg10", Pressure(0)),
    ],
)
def test_whose_pressure(path, metric, expected):
    text = f"{SHORT}psi_checking_enabled = True\npsi_path = {path}\npsi_metrics = {metric}\n"
    found = rules(text)["soft pressure"].groups[0].detectors[0]
    assert found == expected._replace(above_centi=3999, for_us=30 * S)


def test_that_pressure_rests_after_its_own_actions_only_is_named():
    given = f"{SHORT}psi_checking_enabled = True\npsi_post_action_delay = 20\n"
    assert (
        "n.conf:3: psi_post_action_delay: nohang waits so long after whatever it did, here after what "
        "pressure asked for"
    ) in load(given).notes
    assert not any("after whatever it did" in note for note in load(SHORT).notes)


def test_pressure_of_some_other_file():
    policy = load(f"{SHORT}psi_checking_enabled = True\npsi_path = /tmp/psi\n")
    assert [rule.name for rule in policy.rules] == ["hard", "soft"]
    assert "n.conf:3: psi_path: '/tmp/psi' is no file of PSI; pressure is not looked at" in policy.notes


def test_warnings():
    found = rules(SHORT + "low_memory_warnings_enabled = True\npsi_checking_enabled = True\n")
    assert found["warning"].actions == (DoNotify("memory is low"),)
    assert found["warning"].groups[0].detectors == at(Amount(ppm=200_000), Amount(ppm=250_000))
    pressure = found["warning pressure"]
    assert pressure.groups[0].detectors[:2] == (
        Pressure(999),
        Available(Amount(ppm=200_000), inclusive=True),
    )
    assert (found["warning"].pause_us, pressure.pause_us, pressure.rests_with) == (60 * S, 60 * S, "")


def test_badness():
    policy = load(
        f"{SHORT}@BADNESS_ADJ_RE_NAME 200 /// ^Web Content$\n"
        "@BADNESS_ADJ_RE_CGROUP_V2\t-50.5  ///  ^/system\\.slice/\n"
        "@BADNESS_ADJ_RE_UID -100 /// ^0$\n"
        "@BADNESS_ADJ_RE_CGROUP_V1 -50 /// ^/a\n"
        "@BADNESS_ADJ_RE_REALPATH 900 /// ^/usr/bin/stress$\n"
        "@BADNESS_ADJ_RE_CWD 1 /// ^/home/\n"
        "@BADNESS_ADJ_RE_CMDLINE 300 /// --type=renderer\n"
        "@BADNESS_ADJ_RE_ENVIRON 100 /// USER=user\n"
    )
    assert policy.rules[0].actions[0].choice.ranking.adjust == (
        ("comm~^Web Content$", 200.0),
        ("cgroup~^/system\\.slice/", -50.5),
        ("uid~^0$", -100.0),
    )
    named = [note for note in policy.notes if "badness cannot be adjusted by" in note]
    assert [note.split(": ")[0] for note in named] == [f"n.conf:{line}" for line in range(5, 10)]
    assert any("nohang raises nobody's badness" in note for note in policy.notes)


def test_what_is_named_instead_of_dropped():
    notes = load(
        f"{SHORT}@SOFT_ACTION_RE_NAME ^foo$ /// kill -USR1 $PID\n"
        "@SOFT_ACTION_RE_CGROUP_V2 a /// systemctl restart $SERVICE\n"
        "@check_kmsg\n@BADNESS_ADJ_RE_NAMES 1 /// a\n"
        "zram_checking_enabled = True\nsoft_threshold_max_zram = 5 %\nignore_positive_oom_score_adj = True\n"
        "post_kill_exe = /bin/true\nwarning_exe = /bin/true\n"
        "fill_rate_mem = 6000\nvictim_cache_time = 10\nexe_timeout = 20\n"
        "print_statistics = True\ndebug_psi = False\n"
        "soft_treshold_min_mem = 5 %\n"
    ).notes
    for words in (
        "n.conf:2: memwarden runs no command in place of SIGTERM: 'kill -USR1 $PID'",
        "n.conf:3: memwarden runs no command in place of SIGTERM: 'systemctl restart $SERVICE'",
        "n.conf:4: @check_kmsg: memwarden always reads the kernel's log",
        "n.conf:5: '@BADNESS_ADJ_RE_NAMES 1 /// a' is no key of nohang's, which ignores it",
        "n.conf:6: zram_checking_enabled: zram is not looked at",
        "n.conf:8: ignore_positive_oom_score_adj: oom_score is taken as the kernel gives it",
        "n.conf:9: post_kill_exe: memwarden runs nothing after a kill",
        "n.conf:10: warning_exe: memwarden runs nothing as a warning",
        "n.conf:11: fill_rate_mem: memwarden measures",
        "n.conf:12: victim_cache_time: a victim is waited for",
        "n.conf:13: exe_timeout: memwarden runs no commands",
        "n.conf:14: print_statistics, debug_psi: only what nohang logs",
        "n.conf:16: 'soft_treshold_min_mem' is no key of nohang's, which ignores it; did you mean",
    ):
        assert [note for note in notes if note.startswith(words)], words


def test_a_whole_file_needs_no_note():
    assert load("".join(f"{key} = {value}\n" for key, value in SETS.items())).notes == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hello = 1\n", "n.conf: no key of nohang's is set here; give its configuration, as nohang.conf"),
        (SHORT * 2, "n.conf:2: nohang refuses this file: 'soft_threshold_min_mem' is set twice; keep one"),
        (
            "hard_threshold_min_mem = 51 %\n",
            "n.conf:1: nohang refuses this file: hard_threshold_min_mem = '51 %': it must be from 0 to 50 %",
        ),
        ("hard_threshold_min_swap = 101 %\n", "it must be from 0 to 100 %"),
        ("hard_threshold_min_mem = 5\n", "it must be a share as 5 % or a size as 512 M"),
        ("hard_threshold_min_mem = -5 %\n", "it must be a share as 5 % or a size as 512 M"),
        ("hard_threshold_min_mem =\n", "it must be a share as 5 % or a size as 512 M"),
        ("hard_threshold_max_psi = 101\n", "it must be a number, 1 or more, at most 100"),
        ("max_soft_exit_time = 0\n", "it must be a number, 0.1 or more"),
        ("min_sleep = 4\n", "it must be a number, 0.01 or more, at most 3"),
        ("psi_checking_enabled = yes\n", "it must be True or False"),
        ("psi_metrics = avg10\n", "it must be some or full, _avg, and 10, 60 or 300, as full_avg10"),
        ("@BADNESS_ADJ_RE_NAME 5 /// (\n", "n.conf:1: nohang refuses this file: bad expression '('"),
        ("@BADNESS_ADJ_RE_NAME x /// a\n", "n.conf:1: nohang refuses this file: 'x' is no number of points"),
        ("@SOFT_ACTION_RE_NAME ( /// a\n", "n.conf:1: nohang refuses this file: bad expression '('"),
    ],
)
def test_what_is_refused(text, sentence):
    assert sentence in reason(text)


def test_an_expression_that_python_only_warns_of():
    assert load(f"{SHORT}@BADNESS_ADJ_RE_NAME 1 /// [[a]\n").rules[0].actions[0].choice.ranking.adjust


def test_one_file_is_read():
    assert (
        "b: nohang reads one file only; this one is left out"
        in foreign.load("nohang", {"a": SHORT, "b": ""}).notes
    )
