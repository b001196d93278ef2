"""systemd-oomd's files and the properties of units."""

from itertools import pairwise

import pytest

from memwarden.errors import InputError
from memwarden.guard import foreign
from memwarden.guard.foreign.systemd_text import permyriad, span_us
from memwarden.guard.ir import (
    Amount,
    Available,
    Choice,
    DoKill,
    Preferences,
    Pressure,
    Ranking,
    Reclaiming,
    SwapFree,
    Weight,
)
from memwarden.units import SECOND_US

S = SECOND_US
BY_PGSCAN = Ranking((Weight("pgscan"),), Amount(bytes=-1), ties=("current",))
BY_SWAP = Ranking((Weight("swap"),), Amount(ppm=50_000))


def show(*units):
    return "\n\n".join("\n".join(f"{key}={value}" for key, value in unit.items()) for unit in units) + "\n"


def unit(name, cgroup, **properties):
    return {"Id": name, "ControlGroup": cgroup} | properties


APPS = unit("user.slice", "/user.slice", ManagedOOMMemoryPressure="kill")
SWAPPERS = unit("-.slice", "/", ManagedOOMSwap="kill", ManagedOOMMemoryPressure="auto")


def load(units=(), bug_compatible=False, **texts):
    named = {"oomd.conf": texts.pop("conf", "")} | {
        name.replace("__", "/"): text for name, text in texts.items()
    }
    return foreign.load("systemd-oomd", {**named, "units": show(*units)}, bug_compatible=bug_compatible)


def reason(*units):
    with pytest.raises(InputError) as caught:
        load(units)
    return str(caught.value)


def kill(cgroups, ranking, units="leaf", **marks):
    choice = Choice(cgroups, units, ranking, Preferences(**marks, xattrs=("systemd",)))
    return DoKill(choice, hook_meanwhile="nothing", even_without_need=True, release=False)


def test_the_pressure_path():
    policy = load([APPS, unit("db.service", "/system.slice/db.service", ManagedOOMPreference="omit")])
    (rule,) = policy.rules
    assert rule.name == "memory-pressure user.slice"
    assert rule.groups[0].detectors == (
        Pressure(6000, cgroups=("/user.slice",), for_us=30 * S),
        Reclaiming(30 * S, ("/user.slice",)),
    )
    omit = ("/system.slice/db.service",)
    assert rule.actions == (kill(("/user.slice", "/user.slice/**"), BY_PGSCAN, omit=omit),)
    assert (rule.pause_us, rule.rests_with) == (15 * S, "systemd-oomd")
    assert (policy.tick_us, policy.steady, policy.wait_for_death, policy.notes) == (S, True, False, ())


def test_the_swap_path():
    policy = load([SWAPPERS, unit("a", "a[1].slice", ManagedOOMSwap="kill", ManagedOOMPreference="avoid")])
    (rule,) = policy.rules
    # Used above 90 % is less than 10 % left; of swap also where there is none, which is never.
    assert rule.groups[0].detectors == (Available(Amount(ppm=100_000)), SwapFree(Amount(ppm=100_000)))
    cgroups = ("/", "/**", "/a[[]1].slice", "/a[[]1].slice/**")
    assert rule.actions == (kill(cgroups, BY_SWAP, avoid=("/a[[]1].slice",)),)
    assert (rule.pause_us, rule.rests_with, policy.tick_us) == (0, "", 150_000)
    assert policy.notes == (
        "units: systemd-oomd looks at swap every 150 ms and at pressure every second; here both every 150 ms",
    )


@pytest.mark.parametrize(
    ("limit", "duration", "above", "for_us"),
    [
        ("0", "[not set]", 4000, 20 * S),
        ("0%", "infinity", 4000, 20 * S),
        ("50%", "1min 30s", 5000, 90 * S),
        # Of 2^32 - 1, and what systemd makes of 50.01 % and 55 %: (5500 * (2^32 - 1) + 5000) // 10000.
        ("2147913144", "5s", 5001, 5 * S),
        ("2362232012", "5s", 5500, 5 * S),
        ("9999999999", "", 10_000, 20 * S),
    ],
)
def test_a_unit_has_its_own_limit_or_that_of_the_file(limit, duration, above, for_us):
    conf = "[OOM]\nDefaultMemoryPressureLimit=40%\nDefaultMemoryPressureDurationSec=20\n"
    given = {"ManagedOOMMemoryPressureLimit": limit, "ManagedOOMMemoryPressureDurationUSec": duration}
    pressure = load([APPS | given], conf=conf).rules[0].groups[0].detectors[0]
    assert (pressure.above_centi, pressure.for_us) == (above, for_us)


def test_drop_ins_come_after_the_file_by_name_and_empty_takes_back():
    both = [APPS | {"ManagedOOMSwap": "kill"}]
    texts = {
        "oomd.conf.d__20-b.conf": "[OOM]\nSwapUsedLimit=800‰\nDefaultMemoryPressureLimit=\n",
        "oomd.conf.d__10-a.conf": "[OOM]\nSwapUsedLimit=50%\nDefaultMemoryPressureDurationSec=0\n",
    }
    conf = "[OOM]\nSwapUsedLimit=10%\nDefaultMemoryPressureLimit=45.5%\nDefaultMemoryPressureDurationSec=5\n"
    swap, pressure = load(both, conf=conf, **texts).rules
    assert swap.groups[0].detectors[0].below == Amount(ppm=200_000)
    assert pressure.groups[0].detectors[0] == Pressure(6000, cgroups=("/user.slice",), for_us=30 * S)
    taken_back = load(
        both, conf="[OOM]\nSwapUsedLimit=10%\nSwapUsedLimit=\nDefaultMemoryPressureDurationSec=\n"
    )
    assert taken_back.rules[0].groups[0].detectors[0].below == Amount(ppm=100_000)


def test_whatever_else_is_given_beside_the_file_is_a_drop_in():
    conf = "[OOM]\nDefaultMemoryPressureLimit=10%\n"
    drop_in = "[OOM]\nDefaultMemoryPressureLimit=40%\n"
    for names in (("oomd.conf", "10-a.conf"), ("x/oomd.conf", "10-a.conf"), ("z.conf", "a.conf")):
        texts = dict(zip(names, (conf, drop_in), strict=True)) | {"units": show(APPS)}
        policy = foreign.load("systemd-oomd", texts)
        assert (policy.rules[0].groups[0].detectors[0].above_centi, policy.notes) == (4000, ())
    # Whose name is oomd.conf is the file, though it is given last.
    texts = {"10-a.conf": drop_in, "oomd.conf": conf, "units": show(APPS)}
    assert foreign.load("systemd-oomd", texts).rules[0].groups[0].detectors[0].above_centi == 4000


@pytest.mark.parametrize("name", ["oomd.conf", "oomd.conf.d/10-a.conf"])
def test_of_files_of_one_name_the_one_in_etc_counts_however_they_are_given(name):
    folders = ("usr/lib", "usr/local/lib", "/run", "/etc")
    given = [(f"{folder}/systemd/{name}", f"SwapUsedLimit={at}0%") for at, folder in enumerate(folders, 1)]
    last = (given[0][0], given[0][1] + "\nDefaultMemoryPressureLimit=33%")
    for texts in ([last, *given[1:]], [*given[:0:-1], last]):
        files = {path: f"[OOM]\n{text}\n" for path, text in texts}
        policy = foreign.load("systemd-oomd", files | {"units": show(APPS | {"ManagedOOMSwap": "kill"})})
        swap, pressure = (rule.groups[0].detectors[0] for rule in policy.rules)
        assert (swap.below, pressure.above_centi) == (Amount(ppm=600_000), 6000)
        assert policy.notes[:3] == tuple(
            f"{path}: systemd does not read this file, since {instead} stands in its place"
            for (path, _), (instead, _) in pairwise(given)
        )


def test_what_systemd_ignores_is_ignored_and_named():
    conf = (
        "\ufeffSwapUsedLimit=1%\n"
        "[OOM]\n"
        "# comment\n"
        "SwapUsedLimit = \\\n"
        "; a comment in between\n"
        "  70%\n"
        "SwapUsedLimit=101%\n"
        "SwapUsedLimit=often\n"
        "DefaultMemoryPressureDurationSec=999ms\n"
        "DefaultMemoryPressureDurationSec=infinity\n"
        "PrekillHookTimeoutSec=5s\n"
        "just words\n"
        "SwapUsed=5\n"
        "X-Ours=1\n"
        "[X-Section]\n"
        "a=b\n"
        "[Other]\n"
        "a=b\n"
        "[OOM]\n"
        "\\\n"
        "DefaultMemoryPressureLimit=50%\\"
    )
    policy = load([SWAPPERS, APPS], conf=conf)
    assert policy.rules[0].groups[0].detectors[0].below == Amount(ppm=300_000)
    assert policy.rules[1].groups[0].detectors[0].above_centi == 5000
    assert [note.split(": ")[0] for note in policy.notes[:9]] == [
        f"oomd.conf:{line}" for line in (1, 12, 13, 17, 7, 8, 9, 10, 11)
    ]
    assert 'did you mean "SwapUsedLimit"?' in policy.notes[2]


def test_hooks_that_are_not_called_are_named_where_they_are_asked_for():
    drop_ins = {"oomd.conf.d__90-b.conf": "[OOM]\n\nPrekillHookTimeoutSec=2s\n"}
    conf = "[OOM]\nPrekillHookTimeoutSec=5s\n"
    # The last that is set counts, so the main file's line is not the one to look at.
    (note,) = load([APPS], conf=conf, **drop_ins).notes
    assert note == (
        "oomd.conf.d/90-b.conf:3: PrekillHookTimeoutSec has no equal: memwarden calls no hooks of "
        "systemd-oomd"
    )
    assert load([APPS], conf=conf + "PrekillHookTimeoutSec=0\n").notes == ()


def test_a_line_that_goes_on_into_nothing():
    assert load([APPS], conf="[OOM]\n\\\n\nDefaultMemoryPressureLimit=5%\n").rules[0].groups[0].detectors[
        0
    ] == (Pressure(500, cgroups=("/user.slice",), for_us=30 * S))


def test_a_file_that_systemd_refuses():
    with pytest.raises(InputError) as caught:
        load(conf="[OOM\n")
    assert str(caught.value) == "oomd.conf:1: systemd refuses this file: bad section header '[OOM'; close it"


def test_a_broken_drop_in_is_named_and_not_the_file_before_it():
    with pytest.raises(InputError) as caught:
        load(conf="[OOM]\n", **{"oomd.conf.d__10-a.conf": "\n[OOM\n"})
    assert str(caught.value).endswith(
        "10-a.conf:2: systemd refuses this file: bad section header '[OOM'; close it"
    )


def test_what_is_odd_in_a_drop_in_takes_nothing_back():
    odd = "SwapUsedLimit=1%\n[OOM]\n\x00\ufffd\nSwapUsedLimit=many\nSwapUsed=5\n"
    policy = load([SWAPPERS], conf="[OOM]\nSwapUsedLimit=70%\n", **{"oomd.conf.d__10-a.conf": odd})
    assert policy.rules[0].groups[0].detectors[0].below == Amount(ppm=300_000)
    named = [note.split(": ")[0].rpartition("/")[2] for note in policy.notes if "10-a" in note]
    assert sorted(named) == [f"10-a.conf:{line}" for line in (1, 3, 4, 5)]


def test_rules_of_units():
    rules = {
        "rules.d__a.oomrule": "[Rule]\nMemoryPressureAbove=60%\nSwapUsageMax=80%\n"
        "LastingSec=5s\nAction=kill-by-swap\n",
        "rules.d__b.oomrule": "[Rule]\nMemoryPressureAbove=10%\nAction=kill-all\n",
        "rules.d__c.oomrule": "[Rule]\nSwapUsageMax=90%\nAction=kill-by-pgscan\n",
    }
    units = [unit("x.slice", "/x.slice", OOMRules="a b"), unit("y.service", "/y.service", OOMRules="c gone")]
    policy = load(units, **rules)
    first, second, third = policy.rules
    assert first.groups[0].detectors == (
        Pressure(6000, cgroups=("/x.slice",), for_us=5 * S),
        SwapFree(Amount(ppm=200_000), for_us=5 * S),
    )
    assert first.actions == (kill(("/x.slice", "/x.slice/**"), BY_SWAP),)
    assert first.pause_us == 5 * S  # its clock begins anew
    assert second.actions == (
        kill(("/x.slice",), Ranking((Weight("current"),), Amount(bytes=-1)), "matched"),
    )
    assert third.groups[0].detectors == (SwapFree(Amount(ppm=100_000)),)
    assert third.actions == (kill(("/y.service", "/y.service/**"), BY_PGSCAN),)
    assert third.pause_us == 0
    assert policy.notes == (
        "units: OOMRules=gone of y.service: there is no gone.oomrule, so that it does nothing",
    )
    replayed = load(units, bug_compatible=True, **rules)
    all_of_them = ("/x.slice", "/x.slice/**", "/y.service", "/y.service/**")
    assert replayed.rules[0].actions[0].choice.cgroups == all_of_them
    assert "c.oomrule: systemd 261 ranks by pages scanned ever" in replayed.notes[0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "[Rule]\nAction=kill-all\nMemoryPressureAbove=5%\nMemoryPressureAbove=\n",
            "no MemoryPressureAbove= and no",
        ),
        ("[Rule]\nSwapUsageMax=5%\nSwapUsageMax=\n", "no MemoryPressureAbove= and no"),
        ("[Rule]\nSwapUsageMax=5%\nAction=kill-all\nAction=\n", "no Action="),
        (
            "[Rule]\nSwapUsageMax=5%\nAction=kill-all\nLastingSec=infinity\n",
            "LastingSec=infinity, which is never over",
        ),
    ],
)
def test_rules_that_systemd_oomd_leaves_out(text, why):
    policy = load([unit("x", "/x", OOMRules="a")], **{"a.oomrule": text})
    assert policy.rules == ()
    assert f"a.oomrule: systemd-oomd leaves this rule out: it has {why}" in policy.notes[0]


def test_values_of_rules_that_systemd_ignores():
    text = (
        "[Rule]\nSwapUsageMax=5%\nSwapUsageMax=x\nAction=kill-all\nAction=freeze\n"
        "LastingSec=\nLastingSec=1 fortnight\n"
    )
    policy = load([unit("x", "/x", OOMRules="a")], **{"a.oomrule": text})
    assert len(policy.rules) == 1
    assert [note.split(": ")[0] for note in policy.notes] == ["a.oomrule:3", "a.oomrule:5", "a.oomrule:7"]


def test_units_that_do_not_run_and_machines_where_none_is_watched():
    stopped = unit("a.service", "", ManagedOOMSwap="kill")
    first, second = load([stopped, unit("", ""), unit("b.service", "/b")]).notes
    assert first == "units: a.service has no control group, so that it is not watched until it runs"
    assert second.startswith(
        "oomd.conf: watches nothing, since no unit asks for it; give one more file with the output of: "
        "systemctl show"
    )


@pytest.mark.parametrize("name", ["user.slice.d/10-oomd.conf", "user.slice"])
def test_the_file_of_a_unit_has_no_control_group(name):
    first, second = foreign.load(
        "systemd-oomd", {"oomd.conf": "", name: "[Slice]\nManagedOOMSwap=kill\n"}
    ).notes
    assert first == f"{name}: is the file of a unit, which does not say its control group; it is left out"
    assert second.startswith("oomd.conf: watches nothing")


def test_properties_that_systemctl_does_not_print():
    assert reason(unit("a", "/a", ManagedOOMSwap="yes")).startswith(
        "units: ManagedOOMSwap of a is auto or kill, not 'yes'; print it with: systemctl show"
    )
    assert reason(unit("", "/a", ManagedOOMMemoryPressureLimit="half")) == (
        "units: ManagedOOMMemoryPressureLimit of a unit: 'half': it is no share as 60%, 605‰ or 6050‱"
    )
    assert reason(unit("a", "/a", ManagedOOMMemoryPressureDurationUSec="soon")) == (
        "units: ManagedOOMMemoryPressureDurationUSec of a: 'soon': it is no time as 30s or 1min 30s"
    )


def test_texts_are_told_apart_by_what_is_in_them():
    texts = {"1": "[OOM]\nDefaultMemoryPressureLimit=5%\n", "2": "[Rule]\nSwapUsageMax=1%\nAction=kill-all\n"}
    policy = foreign.load(
        "systemd-oomd", texts | {"3": show(APPS | {"OOMRules": "2", "Id": ""}, {"not": "one"})}
    )
    assert policy.rules[0].groups[0].detectors[0].above_centi == 500
    assert [rule.name for rule in policy.rules] == ["memory-pressure /user.slice", "rule 2 /user.slice"]


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("30", 30 * S),
        ("1min 30s", 90 * S),
        ("1min30s", 90 * S),
        ("2 h", 7200 * S),
        ("1.5s", 1_500_000),
        ("1.s", S),
        ("5ms 20us", 5020),
        ("3µs", 3),
        ("1d 1w 1M 1y", (86_400 + 7 * 86_400 + 2_629_800 + 31_557_600) * S),
        (" infinity ", None),
    ],
)
def test_spans(text, microseconds):
    assert span_us(text) == microseconds


@pytest.mark.parametrize("text", ["", " ", "-1s", "1 parsec", "s", "1..5s"])
def test_what_is_no_span(text):
    with pytest.raises(ValueError, match="it is no time"):
        span_us(text)


@pytest.mark.parametrize(
    ("text", "share"), [("0%", 0), ("20.55%", 2055), ("5.5%", 550), ("205.5‰", 2055), ("1‰", 10), ("77‱", 77)]
)
def test_shares(text, share):
    assert permyriad(text) == share


@pytest.mark.parametrize("text", ["", "5", "100.01%", "1001‰", "10001‱", "1.234%", "-1%", "5 %", "٣%"])
def test_what_is_no_share(text):
    with pytest.raises(ValueError, match="share"):
        permyriad(text)
