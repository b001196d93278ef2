"""oomd's JSON: rulesets, drop-ins and pre-kill hooks.

Follows ``config/JsonConfigParser.cpp`` and ``config/ConfigCompiler.cpp`` of facebookincubator/oomd at
88c28fd: what jsoncpp converts is converted, what oomd's compiler refuses is refused with its reason, and what
neither looks at is not looked at. The first text is the base configuration; all others are drop-ins by file
name, as in ``--drop-in-dir``: those that come later in the alphabet run first.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from memwarden.guard.foreign.c_numbers import stoi
from memwarden.guard.foreign.json_text import Node, Object, as_text, read
from memwarden.guard.foreign.oomd_args import HOOKS, Plugin, read_args, refusal
from memwarden.guard.foreign.oomd_plugins import Site, action, detector, glob_of, split
from memwarden.guard.foreign.words import shown
from memwarden.guard.ir import Group, Policy, Rule
from memwarden.units import SECOND_US

KEYS: Final = frozenset({"rulesets", "prekill_hooks"})
_PAUSE_S: Final = 15
_HOOK_S: Final = 5
_BLANK: Final = " \t\n\r"


class _DropIns(NamedTuple):
    detectors: bool
    actions: bool
    disable: bool


class _Ruleset(NamedTuple):
    rule: Rule
    drop_ins: _DropIns
    line: int


class _File(NamedTuple):
    path: str
    bug_compatible: bool
    notes: list[str]


def load(texts: Mapping[str, str], *, bug_compatible: bool) -> Policy:
    """A policy of the first text, the base, and the drop-ins after it. Raises ``InputError``."""
    notes: list[str] = []
    base_path, *others = texts
    base = _rulesets(_File(base_path, bug_compatible, notes), texts[base_path], drop_in=False)
    added: dict[int, list[Rule]] = {}
    for path in sorted(others, key=_file_name):
        if _file_name(path).startswith("."):
            notes.append(f"{path}: oomd does not look at drop-ins whose name begins with a dot")
            continue
        for ruleset in _rulesets(_File(path, bug_compatible, notes), texts[path], drop_in=True):
            at = _target(path, ruleset, base)
            added.setdefault(at, []).insert(0, _merged(path, ruleset, base[at]))
    if not base:
        notes.append(f"{base_path}: has no rulesets, so that oomd does nothing; is it a policy of oomd's?")
    rules: list[Rule] = []
    for at, ruleset in enumerate(base):
        rules += added.get(at, [])
        if not (at in added and ruleset.drop_ins.disable):
            rules.append(ruleset.rule)
    return Policy(
        base_path,
        tuple(rules),
        tick_us=SECOND_US,
        steady=True,
        wait_for_death=False,  # its pause is all that keeps it from killing twice
        notes=tuple(notes),
    )


def _file_name(path: str) -> str:
    return path.rpartition("/")[2]


def _target(path: str, ruleset: _Ruleset, base: list[_Ruleset]) -> int:
    for at, candidate in enumerate(base):
        if candidate.rule.name == ruleset.rule.name:
            return at
    what = f'the base has no ruleset "{ruleset.rule.name}" for this drop-in to change; use a name it has'
    raise refusal(path, ruleset.line, what)


def _merged(path: str, drop_in: _Ruleset, base: _Ruleset) -> Rule:
    """The base's clone with what the drop-in brings; nothing else of it counts."""
    rule, brings = base.rule, drop_in.rule
    for what, allowed, given in (
        ("detectors", base.drop_ins.detectors, brings.groups),
        ("actions", base.drop_ins.actions, brings.actions),
    ):
        if given and not allowed:
            reason = f'"{rule.name}" allows no drop-in {what}; set "drop-in": {{"{what}": true}} in the base'
            raise refusal(path, drop_in.line, reason)
    return rule._replace(
        name=f"{rule.name} ({_file_name(path)})",
        groups=brings.groups or rule.groups,
        actions=brings.actions or rule.actions,
    )


def _rulesets(file: _File, text: str, *, drop_in: bool) -> list[_Ruleset]:
    root = _object(file.path, read(file.path, text), "the whole file")
    rulesets = [_ruleset(file, node, drop_in) for node in _children(root.get("rulesets"))]
    for node in _children(root.get("prekill_hooks")):
        hook = _plugin(node)
        args = read_args(file.path, hook, HOOKS, "pre-kill hook")
        patterns = args.get("cgroup", "every cgroup")
        file.notes.append(
            f"{file.path}:{hook.line}: {hook.name} for {patterns} does nothing, in oomd as well as here"
        )
    return rulesets


def _object(path: str, node: Node, what: str) -> Object:
    """An object; null counts as an empty one, as jsoncpp has it."""
    if node.value is None:
        return Object()
    if not isinstance(node.value, dict):
        raise refusal(path, node.line, f"{what} must be an object in braces")
    return node.value


def _children(node: Node | None) -> Iterable[Node]:
    """What jsoncpp iterates over: an array's elements, an object's values by key, nothing of all else."""
    if node is None:
        return ()
    if isinstance(node.value, tuple):
        return node.value
    if isinstance(node.value, dict):
        return [node.value[key] for key in sorted(node.value, key=str.encode)]
    return ()


def _text(path: str, ruleset: Object, key: str) -> str:
    node = ruleset.get(key)
    if node is None or node.value is None:
        return ""
    if isinstance(node.value, dict | tuple):
        raise refusal(path, node.line, f'"{key}" must be a text, a number or true or false')
    return as_text(node.value)


def _flag(path: str, drop_in: Object, key: str) -> bool:
    node = drop_in.get(key)
    if node is None or node.value is None:
        return False
    if isinstance(node.value, str | dict | tuple):
        raise refusal(path, node.line, f'"{key}" must be true or false, without quotes')
    return bool(node.value)


def _ruleset(file: _File, node: Node, drop_in: bool) -> _Ruleset:
    path, line = file.path, node.line
    ruleset = _object(path, node, "a ruleset")
    name, cgroups = _text(path, ruleset, "name"), split(_text(path, ruleset, "cgroup"))
    if not name:
        raise refusal(path, line, 'a ruleset is missing its "name"')
    switches = _object(path, ruleset.get("drop-in", Node(line, None)), '"drop-in"')
    _silence(file, name, ruleset)
    pause_s = _delay(path, ruleset, "post_action_delay", _PAUSE_S)
    hook_s = _delay(path, ruleset, "prekill_hook_timeout", _HOOK_S)
    site = Site(path, name, bool(cgroups), hook_s * SECOND_US, file.bug_compatible, file.notes)
    rule = Rule(
        name,
        tuple(_group(child, site) for child in _children(ruleset.get("detectors"))),
        tuple(action(_plugin(child), site) for child in _children(ruleset.get("actions"))),
        pause_s * SECOND_US,
        tuple(glob_of(piece) for piece in cgroups),
        _text(path, ruleset, "xattr_filter") or None,
    )
    if not drop_in and not (rule.groups and rule.actions):
        missing = "actions" if rule.groups else "detectors"
        raise refusal(path, line, f'ruleset "{name}" has no {missing}; add some')
    if rule.xattr_filter and not rule.per_cgroup:
        file.notes.append(f'{path}:{line}: xattr_filter does nothing, since "{name}" has no "cgroup"')
    if rule.per_cgroup and file.bug_compatible:
        file.notes.append(
            f'{path}:{line}: oomd takes the last cgroup\'s result for all of "{name}"; here each counts'
        )
    flags = (_flag(path, switches, key) for key in ("detectors", "actions", "disable-on-drop-in"))
    return _Ruleset(rule, _DropIns(*flags), line)


def _silence(file: _File, name: str, ruleset: Object) -> None:
    words = _text(file.path, ruleset, "silence-logs")
    if not words:
        return
    line = ruleset["silence-logs"].line
    for word in split(words.strip(_BLANK)):
        if word.strip(_BLANK) not in {"engine", "plugins"}:
            what = f'"silence-logs" of "{name}" knows engine and plugins, not {shown(word.strip(_BLANK))}'
            raise refusal(file.path, line, what)
    file.notes.append(f'{file.path}:{line}: silence-logs of "{name}" only has oomd log less')


def _delay(path: str, ruleset: Object, key: str, default: int) -> int:
    text = _text(path, ruleset, key)
    if not text:
        return default
    line = ruleset[key].line
    try:
        seconds = stoi(text)
    except ValueError as error:
        raise refusal(path, line, f'"{key}": {shown(text)}: {error}') from None
    if seconds < 0:
        raise refusal(path, line, f'"{key}" must not be negative')
    return seconds


def _group(node: Node, site: Site) -> Group:
    elements = node.value if isinstance(node.value, tuple) else ()
    name, plugins = "", elements
    if elements and isinstance(elements[0].value, str):
        name, plugins = elements[0].value, elements[1:]
    if not name:
        what = f'a group of detectors in "{site.ruleset}" must be an array that begins with its name'
        raise refusal(site.path, node.line, what)
    if not plugins:
        what = f'group "{name}" in "{site.ruleset}" has no detectors; add one'
        raise refusal(site.path, node.line, what)
    return Group(name, tuple(detector(_plugin(plugin), site) for plugin in plugins))


def _plugin(node: Node) -> Plugin:
    """A plugin and its arguments as texts: they come sorted by key, and one that is no scalar ends it."""
    members = node.value if isinstance(node.value, dict) else {}
    name = members.get("name", Node(node.line, None)).value
    args: dict[str, str] = {}
    given = members.get("args", Node(node.line, None)).value
    if not isinstance(name, str):
        return Plugin("", args, node.line)
    for key, arg in (
        sorted(given.items(), key=lambda item: item[0].encode()) if isinstance(given, dict) else ()
    ):
        if arg.value is None or isinstance(arg.value, dict | tuple):
            break
        args[key] = as_text(arg.value)
    return Plugin(name, args, node.line)
