"""Bad scenarios: each fault with file and line, what is wrong and the nearest right spelling; all faults."""

from __future__ import annotations

import pytest

from memwarden.errors import InputError, UsageError
from memwarden.sim.words.load import load
from memwarden.sim.words.settings import setting
from memwarden.sim.words.words import KNOBS
from memwarden.units import GIB, MAX, MIB
from memwarden.words.document import Text

WEB = '[group."/web"]\n'
RUN = '[program.p]\ncgroup = "/web"\n'
GROW = 'grow = { rate = "1MiB/s" }\n'


def problems(text, **more):
    loaded = load(Text("s.toml", text), name="s", **more)
    assert (loaded.scenario is None) == any(not one.warning for one in loaded.problems)
    return [str(one) for one in loaded.problems]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        # The file and its sections.
        ("a = ", "s.toml:1: is not TOML: invalid value"),
        ("\n[mashine]", 's.toml:2: "mashine" is no section of a scenario (did you mean machine?)'),
        ("\nx = 1", 's.toml:2: "x" is no section of a scenario; there are [scenario], [machine], [group.'),
        ("machine = 1", "s.toml:1: [machine]: machine is 1; write [machine] and its keys below"),
        ("[change]", "s.toml:1: change is a table; write [[change]] with two brackets"),
        ("change = 5", "s.toml:1: change is 5; write [[change]] with two brackets"),
        (f"{WEB}{WEB}", 's.toml:2: is not TOML: [group."/web"] stands twice; put both together'),
        (
            "[a.'b\"\\'.\"c'd\"]\n[a.'b\"\\'.\"c'd\"]",
            """s.toml:2: is not TOML: [a."b\\"\\\\"."c'd"] stands twice; put both together""",
        ),
        ("[scenario]\nseed = " + "9" * 5000, "s.toml:2: is not TOML: a number has too many digits"),
        ("[scenario]\nseed = " + "9_9" * 5000, "s.toml:2: is not TOML: a number has too many digits"),
        *(
            (text, f"s.toml:{line}: is nested too deeply; a scenario needs five levels")
            for text, line in (
                (f"[{'.'.join('a' * 3000)}]", 1),
                (f"{WEB}{'.'.join(['memory'] * 3000)} = 1", 2),
                (f"{WEB}\na = {'[' * 3000}{']' * 3000}\n{WEB}", 3),
                (f"a = {'[' * 40}{']' * 40}", 1),
                (f"a = {'[' * 32}{']' * 32}", 1),
                (f"a = [ # [\n '[', {'[' * 3000}{']' * 3000}]", 2),
                (f"{WEB}\nb = 1\nx = {'{a.b=' * 600}1{'}' * 600}", 4),
            )
        ),
        # Unknown keys.
        (f'{WEB}memory.hihg = "1G"\n', 's.toml:2: [group."/web"]: "memory.hihg" is no key of group (did you'),
        (
            f"{WEB}{RUN}{GROW}strat = '1s'",
            's.toml:5: [program.p]: "strat" is no key of program (did you mean',
        ),
        (
            f"{WEB}{RUN}grow = {{ rat = '1MiB/s' }}",
            's.toml:4: [program.p]: grow: "rat" is no key of grow (did',
        ),
        ("[machine]\nswap = { siez = '1G' }", 's.toml:2: [machine]: swap: "siez" is no key of swap (did you'),
        ("[machine]\ntraits = { hz = 25 }", "s.toml:2: [machine]: traits: hz: 25 is not a whole number, 100"),
        (
            "[machine]\ntraits = { page_size = '64KiB' }",
            "s.toml:2: [machine]: traits: page_size: only pages of 4.00 KiB are simulated, none of 64",
        ),
        # Units.
        ("[machine]\nram = 5", 's.toml:2: [machine]: ram: 5 has no unit; write it as "512MiB"'),
        (f'{WEB}memory.high = "5x"', 's.toml:2: [group."/web"]: memory.high: "5x": the unit is not one of'),
        (f"{WEB}memory.max = 5", 's.toml:2: [group."/web"]: memory.max: 5 has no unit; write it as "512MiB"'),
        (
            f'{WEB}memory.max = "-1G"',
            's.toml:2: [group."/web"]: memory.max: "-1G" is below zero; write it as "512MiB"',
        ),
        (
            f"{WEB}memory.max = -5",
            's.toml:2: [group."/web"]: memory.max: -5 is below zero; write it as "512M',
        ),
        (
            "[scenario]\nduration = -5",
            's.toml:2: [scenario]: duration: -5 is below zero; write it as "500ms"',
        ),
        ("[scenario]\nduration = '8785h'", "s.toml:2: [scenario]: duration: more than a year takes too l"),
        (
            f"{WEB}memory.max = '{'9' * 21}G'",
            's.toml:2: [group."/web"]: memory.max: "999999999999999999999G" is more than there can be',
        ),
        ("[scenario]\nduration = '-5s'", 's.toml:2: [scenario]: duration: "-5s" is below zero; write it as'),
        ("[machine]\nfault = -0.5", 's.toml:2: [machine]: fault: -0.5 is below zero; write it as "500ns"'),
        (
            "[machine]\ndisk = { read = -1 }",
            's.toml:2: [machine]: disk: read: -1 is below zero; write it as "2',
        ),
        (
            "[machine]\nzswap = { pool = -1 }",
            "s.toml:2: [machine]: zswap: pool: -1 is below zero; write it as",
        ),
        (
            f"{WEB}{RUN}forks = {{ children = 9, per_s = -1, each = '1MiB' }}",
            's.toml:4: [program.p]: forks: per_s: -1 is below zero; write it as "200/s"',
        ),
        (
            f"{WEB}{RUN}{GROW}sigterm = -1",
            's.toml:5: [program.p]: sigterm: -1 is below zero; write it as "2s"',
        ),
        (f"{WEB}memory.oom.group = 1", 's.toml:2: [group."/web"]: memory.oom.group: 1 is not true or false'),
        (
            f"{WEB}{RUN}grow = {{ rate = '1MiB' }}",
            's.toml:4: [program.p]: grow: rate: "1MiB": the unit is not',
        ),
        (
            "[scenario]\nduration = '1m'",
            's.toml:2: [scenario]: duration: "1m": the unit is not one of h, min',
        ),
        ("[machine]\nzswap = { pool = '120%' }", 's.toml:2: [machine]: zswap: pool: "120%" is more than all'),
        (
            "[machine]\nzswap = { ratio = 0.5 }",
            "s.toml:2: [machine]: zswap: ratio: 0.5 is not a number of 1 or",
        ),
        (
            f"{WEB}{RUN}{GROW}oom_score_adj = 1001",
            "s.toml:5: [program.p]: oom_score_adj: 1001 is not a whole",
        ),
        # Cgroups.
        (
            f'{WEB}[program.p]\ncgroup = "/wbe"\n{GROW}',
            's.toml:3: [program.p]: cgroup: there is no cgroup "/wbe" (did you mean /web?)',
        ),
        (
            f'{WEB}[program.p]\ncgroup = "/zzzzzzz"\n{GROW}',
            's.toml:3: [program.p]: cgroup: there is no cgroup "/zzzzzzz"; write [group.',
        ),
        (
            f"{WEB}[program.p]\ncgroup = 1\n{GROW}",
            "s.toml:3: [program.p]: cgroup: 1 is not the path of a cgroup",
        ),
        ('[group."web"]', 's.toml:1: [group."web"]: "web" is not the path of a cgroup; write it as "/web"'),
        (
            '[group."/a/../b"]',
            's.toml:1: [group."/a/../b"]: "/a/../b" is not the path of a cgroup: a name in',
        ),
        (
            'group."/web" = 1',
            's.toml:1: [group."/web"]: 1 is not a table; write group = { memory.min = ... }',
        ),
        # The root cgroup has no limits.
        *(
            (
                f'[group."/"]\n{knob} = {value}\n',
                f's.toml:2: [group."/"]: {knob}: the kernel has no such file at the root; write it for',
            )
            for knob, value in (*((knob, "'1G'") for knob in KNOBS), ("memory.oom.group", "true"))
        ),
        (
            '[group."/"]\nmemory.hihg = "1G"\n',
            's.toml:2: [group."/"]: "memory.hihg" is no key of group (did you',
        ),
        (
            "[[change]]\nat = '1s'\ncgroup = '/'\nmemory.max = '1G'",
            "s.toml:4: change 1: memory.max: the kernel has no such file at the root",
        ),
        # Programs.
        (
            f"{WEB}[program.p]\n{GROW}",
            "s.toml:2: [program.p]: program needs cgroup, which is the path of a cgro",
        ),
        (f"{WEB}{RUN}", "s.toml:2: [program.p]: does nothing; give it a part, as grow ="),
        ("program.p = 1", "s.toml:1: [program.p]: 1 is not a table"),
        (
            f"{WEB}{RUN}grow = {{}}",
            "s.toml:4: [program.p]: grow: grow needs rate, which is memory per second",
        ),
        *(
            (f"{WEB}{RUN}{part}", f"s.toml:4: [program.p]: {said}")
            for part, said in (
                ("read = { name = 'f', size = '0B' }", "read: size: there is nothing in a file of this size"),
                ("write = { name = 'f', size = '0B' }", "write: size: there is nothing in a file"),
                ("working_set = { anon = '1MiB', requests = '0/s' }", "working_set: requests: nothing comes"),
                ("forks = { children = 9, per_s = '0/s', each = '1MiB' }", "forks: per_s: nothing starts at"),
            )
        ),
        (
            "[machine]\ndisk = { read = '0B/s' }",
            "s.toml:2: [machine]: disk: read: nothing moves at this rate",
        ),
        ("[machine]\nfault = '0ns'", "s.toml:2: [machine]: fault: no page comes in no time; write it"),
        ("[machine]\ncopy = '0us'", "s.toml:2: [machine]: copy: no page comes in no time; write it as"),
        ("[machine]\ndisk = { write = '0B/s' }", "s.toml:2: [machine]: disk: write: nothing moves"),
        (
            "[machine]\nswap = { size = '1GiB', disk = { read = '0B/s' } }",
            "s.toml:2: [machine]: swap: disk: read: nothing moves at this rate",
        ),
        (
            f"{WEB}{RUN.replace('/web', '/x')}{GROW}",
            's.toml:3: [program.p]: cgroup: there is no cgroup "/x"; write',
        ),
        (
            f"{WEB}{RUN}grow = {{ rate = '0B/s' }}",
            "s.toml:4: [program.p]: grow: rate: nothing moves at this rate",
        ),
        (f"{WEB}{RUN}{GROW}start = '5s'\nstop = '5s'", "s.toml:6: [program.p]: stop: is not after start"),
        (
            f"{WEB}{RUN}working_set = {{ anon = '1M', hot = '2M' }}",
            "s.toml:4: [program.p]: working_set: hot: 2.00",
        ),
        (
            f"{WEB}{RUN}sawtooth = {{ rate = '1MiB/s', top = '1M', bottom = '1M' }}",
            "s.toml:4: [program.p]: sawto",
        ),
        (
            f"{WEB}{RUN}steps = {{ step = '1M', every = '0s' }}",
            "s.toml:4: [program.p]: steps: every: nothing take",
        ),
        # The whole.
        ("[scenario]\nduration = '0s'", "s.toml:2: [scenario]: duration: nothing takes no time"),
        (
            "[machine]\nram = '64MiB'",
            "s.toml:2: [machine]: ram: 64.0 MiB is no more than what the kernel holds",
        ),
        # kernel.md 2.1: at least 128 KiB are kept free, whatever there is.
        *(
            (f"[machine]\nram = '{ram}'\nkernel = '0B'\nthp = false", f"s.toml:2: [machine]: ram: {said}")
            for ram, said in (
                ("0B", "0 B is no more than what the kernel holds and keeps free (128 KiB); give it more"),
                ("4KiB", "4.00 KiB is no more than what the kernel holds and keeps free (128 KiB); give it"),
                ("128KiB", "128 KiB is no more than what the kernel holds and keeps free (128 KiB); give it"),
                ("4097TiB", "4.00 PiB is more than a processor can address; write 4096TiB at most"),
                ("1048576TiB", "1.00 EiB is more than a processor can address; write 4096TiB at most"),
            )
        ),
        # Changes.
        (
            f"{WEB}[[change]]\nat = '1s'\ncgroup = '/wbe'",
            's.toml:4: change 1: cgroup: there is no cgroup "/wbe"',
        ),
        (
            f"{WEB}[[change]]\nat = '1s'\ncgroup = '/web'",
            "s.toml:2: change 1: changes nothing; write what, as",
        ),
        (
            f"{WEB}[[change]]\nat = '1s'\ncgroup = '/web'\nmemory.high = 1",
            "s.toml:5: change 1: memory.high: 1 ha",
        ),
        ("change = [1]", "s.toml:1: change 1: 1 is not a table; write change = { at = ... }"),
        # What it extends.
        ("[scenario]\nextends = 1", "s.toml:2: [scenario]: extends: write the name of a scenario, or a file"),
        ("[scenario]\nextends = 'x'", "s.toml:2: [scenario]: extends: x cannot be read from here"),
    ],
)
def test_every_fault_is_said_with_its_line(text, problem):
    found = problems(text)
    assert any(one.startswith(problem) for one in found), found


def test_a_key_that_has_to_be_there_and_is_mistyped_is_said_once():
    assert problems(f"{WEB}{RUN}grow = {{ rat = '1MiB/s' }}") == [
        's.toml:4: [program.p]: grow: "rat" is no key of grow (did you mean rate?)'
    ]
    assert problems(f"{WEB}[program.p]\ncgruop = '/web'\n{GROW}") == [
        's.toml:3: [program.p]: "cgruop" is no key of program (did you mean cgroup?)'
    ]
    unlike = problems(f"{WEB}{RUN}grow = {{ speed = '1MiB/s' }}")
    assert len(unlike) == 2
    assert "grow needs rate" in unlike[1]


def test_all_faults_are_said():
    assert len(problems("[machine]\nram = 5\ncpus = 'x'\n[scenario]\nseed = -1\n")) == 3


def test_a_duration_that_is_wrong_ends_nothing():
    late = "[[change]]\nat = '2min'\ncgroup = '/web'\nmemory.high = '1G'"
    [found] = problems(f"[scenario]\nduration = 5\n{WEB}{RUN}{GROW}{late}")
    assert found.startswith("s.toml:2: [scenario]: duration: 5 has no unit")


def test_min_above_max_is_legal_and_said_with_what_the_kernel_does():
    text = f'{WEB}memory.max = "1G"\nmemory.min = "2G"\n{RUN}{GROW}'
    [warning] = problems(text)
    assert warning.startswith('s.toml:3: warning: [group."/web"]: memory.min is above memory.max (2.00 GiB')
    assert "the kernel takes it" in warning
    scenario = load(Text("s.toml", text), name="s").scenario
    assert scenario.groups[0][1:] == (2 * GIB, 0, MAX, GIB, MAX, MAX, MAX, False)


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            f'{WEB}memory.high = "2G"\nmemory.max = "2G"\n{RUN}{GROW}',
            's.toml:2: warning: [group."/web"]: memory.hi',
        ),
        (f"{WEB}{RUN}{GROW}start = '2min'", "s.toml:5: warning: [program.p]: start: is after the end"),
        (
            f"{WEB}{RUN}{GROW}[[change]]\nat = '2min'\ncgroup = '/web'\nmemory.high = '1G'",
            "s.toml:6: warning: change 1: at: is after the end of the simulation; it never happens",
        ),
        (
            # One change that writes two files is one, and so is the warning about it.
            f"""{WEB}{RUN}{GROW}[[change]]
at = '1s'
cgroup = '/web'
memory.high = '1G'
[[change]]
at = '2min'
cgroup = '/web'
memory.high = '1G'
memory.max = '2G'
""",
            "s.toml:10: warning: change 2: at: is after the end",
        ),
        (
            # A name with a dot is quoted in whatever is said about it.
            f"{WEB}[program.'a.b']\ncgroup = '/web'\n{GROW}start = '2min'",
            's.toml:5: warning: [program."a.b"]: start: is after the end',
        ),
        (
            '[group.\'/a"b\']\nmemory.high = "2G"\nmemory.max = "2G"\n[program.p]\ncgroup = \'/a"b\'\n'
            + GROW,
            r's.toml:2: warning: [group."/a\"b"]: memory.high is not below',
        ),
        (
            f"{WEB}{RUN}{GROW}[machine]\nzswap = {{ pool = '20%' }}",
            "s.toml:6: warning: [machine]: zswap: compresses nothing where there is no swap",
        ),
        ("", "s.toml: warning: [scenario]: nothing runs in it"),
    ],
)
def test_what_is_legal_and_odd_is_a_warning(text, warning):
    [found] = problems(text)
    assert found.startswith(warning)


FILES = {
    "base": f'[scenario]\nseed = 5\n{WEB}memory.high = "1G"\nmemory.max = "3G"\n{RUN}{GROW}',
    "ring": '[scenario]\nextends = "ring2"\n',
    "ring2": '[scenario]\nextends = "ring"\n',
    "broken": "[machine]\n\nram = 5\n",
    "empty": "[scenario]\nseed = 5\n",
}


def fetch(name, _beside):
    if name not in FILES:
        raise InputError(f"{name}: there is none")
    return Text(f"{name}.toml", FILES[name])


def test_a_scenario_goes_over_what_it_extends_key_by_key():
    text = f'[scenario]\nextends = "base"\n{WEB}memory.high = "2G"\n'
    loaded = load(Text("s.toml", text), name="s", fetch=fetch)
    assert loaded.problems == ()
    assert loaded.extends == ("base.toml",)
    [group] = loaded.scenario.groups
    assert (group.high_bytes, group.max_bytes) == (2 * GIB, 3 * GIB)
    assert loaded.scenario.seed == 5
    assert [one.name for one in loaded.scenario.programs] == ["p"]


@pytest.mark.parametrize(
    ("base", "problem"),
    [
        ("ring", "ring2.toml:2: [scenario]: extends goes in a circle: ring.toml -> ring2.toml"),
        ("none", "s.toml:2: [scenario]: extends: none: there is none"),
        ("broken", 'broken.toml:3: [machine]: ram: 5 has no unit; write it as "512MiB"'),
    ],
)
def test_faults_of_what_is_extended_stand_where_they_are(base, problem):
    [first, *_] = problems(f'[scenario]\nextends = "{base}"\n', fetch=fetch)
    assert first.startswith(problem)


OVER = '[scenario]\nextends = "base"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[group."/wbe"]\nmemory.high = "2G"\n',
            (
                's.toml:3: warning: [group."/wbe"]: nothing runs in it, and there is no such cgroup in what '
                "is extended (did you mean /web?)"
            ),
        ),
        (
            "[program.q]\ngrow = { rate = '2MiB/s' }\n[program.pp]\ngrow = { rate = '2MiB/s' }\n",
            "s.toml:5: [program.pp]: there is no such program in what is extended (did you mean p?)",
        ),
    ],
)
def test_a_slip_in_the_name_of_what_is_extended_is_said(text, said):
    assert said in problems(OVER + text, fetch=fetch)


@pytest.mark.parametrize(
    "text",
    [
        '[group."/wbe"]\n[program.pp]\ncgroup = "/wbe"\ngrow = { rate = "2MiB/s" }\n',  # it runs in it
        '[group."/wbe"]\n[group."/wbe/a"]\n[program.q]\ncgroup = "/wbe/a"\ngrow = { rate = "2MiB/s" }\n',
        '[group."/else"]\nmemory.high = "2G"\n',  # like nothing that is there
        '[group."/"]\n',
    ],
)
def test_who_is_new_over_what_is_extended_and_meant_is_not_doubted(text):
    assert problems(OVER + text, fetch=fetch) == []


def test_a_slip_is_not_looked_for_where_a_program_is_wrong():
    text = '[group."/wbe"]\n[program.q]\ncgroup = "/wbe"\ngrow = 5\n'
    assert [one for one in problems(OVER + text, fetch=fetch) if "nothing runs" in one] == []


def test_without_anything_extended_nobody_is_doubted():
    assert problems(f'{SET}[group."/wbe"]\n') == []
    assert problems('[scenario]\nextends = "empty"\n[group."/a"]\n' + SET, fetch=fetch) == []


SET = f'{WEB}memory.high = "1G"\n{RUN}{GROW}'


def set_to(*said):
    loaded = load(Text("s.toml", SET), name="s", settings=[setting(one) for one in said])
    assert [str(one) for one in loaded.problems] == []
    return loaded.scenario


def test_a_setting_goes_over_the_file():
    found = set_to(
        "/web/memory.high=512M", "/web/memory.oom.group=true", "machine.ram=2GiB", "seed=7",
        "program.p.grow.rate=full", 'scenario.text="a b"', "duration=5min", "program.p.start = 2s",
    )  # fmt: skip
    [group], [program] = found.groups, found.programs
    assert (group.high_bytes, group.oom_group) == (512 * MIB, True)
    assert (found.machine.ram_bytes, found.seed, found.text) == (2 * GIB, 7, "a b")
    assert (program.parts[0].rate_bps, program.start_us) == (None, 2_000_000)
    assert found.duration_us == 300_000_000


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("/wbe/memory.high=1G", "--set /wbe/memory.high=1G: there is no cgroup /wbe (did you mean /web?)"),
        ("program.q.start=1s", "--set program.q.start=1s: there is no program q; there are p"),
        ("machine.ram=5x", '--set machine.ram=5x: [machine]: ram: "5x": the unit is not one of'),
        ("machine.rma=5G", '--set machine.rma=5G: [machine]: "rma" is no key of machine (did you mean ram?)'),
        (
            "/memory.max=1G",
            '--set /memory.max=1G: [group."/"]: memory.max: the kernel has no such file at the',
        ),
        ("/memory.high=x", '--set /memory.high=x: [group."/"]: memory.high: the kernel has no such file'),
    ],
)
def test_what_is_wrong_with_a_setting_names_it(said, problem):
    loaded = load(Text("s.toml", SET), name="s", settings=[setting(said)])
    assert str(loaded.problems[0]).startswith(problem)


def test_a_value_that_is_too_much_for_toml_is_text_and_no_number():
    for value in ("9" * 5000, "[" * 5000):
        loaded = load(Text("s.toml", SET), name="s", settings=[setting(f"seed={value}")])
        assert "[scenario]: seed: " in str(loaded.problems[0])
        assert "is not a whole number, 0 or more" in str(loaded.problems[0])


def test_faults_stand_in_the_order_of_their_lines():
    text = f"{WEB}{RUN}grow = {{ rate = 'x' }}\noom_score_adj = 2000\ngorw = 1\n[machine]\nram = 1\n"
    lines = [one.origin.line for one in load(Text("s.toml", text), name="s").problems]
    assert lines == [4, 5, 6, 8]


def test_of_what_is_not_there_nothing_else_is_said():
    loaded = load(Text("s.toml", SET), name="s", settings=[setting("program.q.start=1s", "--compare")])
    assert list(map(str, loaded.problems)) == [
        "--compare program.q.start=1s: there is no program q; there are p"
    ]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("x", "--set x: is not KEY=VALUE; write it as /web/memory.high=2G"),
        ("=1", "--set =1: is not KEY=VALUE"),
        ("/web/memory.hgih=1", "--set /web/memory.hgih=1: memory.hgih is no file of a cgroup that"),
        ("a b=1", "--set a b=1: a b is not a key"),
        ("memory.hgih=1", "--set memory.hgih=1: memory.hgih is no file of a cgroup that a scenario has (did"),
        ("memory.high=1", "--set memory.high=1: of which cgroup? Write it as /web/memory.high=2G"),
        ("sede=1", "--set sede=1: sede is nothing that can be set (did you mean seed?)"),
        ("change.x=1", "--set change.x=1: change is nothing that can be set"),
        (f"program.p.{'.'.join('a' * 3000)}=1", "--set: what was written is nested too deeply; write it as"),
        (f"machine.disk={{ {'.'.join('a' * 3000)} = 1 }}", "--set: what was written is nested too deeply"),
    ],
)
def test_what_is_no_setting_is_a_usage_error(said, problem):
    with pytest.raises(UsageError) as error:
        setting(said)
    assert str(error.value).startswith(problem)
