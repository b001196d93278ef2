"""The command line: finds the verb, runs it, and turns every failure into one sentence.

Nothing else is imported before the verb is known, since ``memwarden --help`` has to answer in about
the time Python takes to start. A verb is a module of this package with ``HELP`` (one line), ``EPILOG``
(examples that run), ``add_arguments(parser)`` and ``run(args) -> int``.
"""

from __future__ import annotations

import os
import sys

from memwarden.errors import MemwardenError, UsageError, printable

TYPE_CHECKING = False  # importing typing for this alone would double the start-up time
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    from memwarden.cli.parser import Parser

    class Verb(Protocol):
        """What a module of this package has to be a verb."""

        HELP: str
        EPILOG: str
        add_arguments: Callable[[Parser], None]
        run: Callable[[object], int]


DONE = 0
FINDINGS = 1
USAGE = 2
CANNOT = 3
INTERRUPTED = 130
BROKEN_PIPE = 141

# Each module's HELP stands here too, because reading it from the module would import the module.
VERBS: tuple[tuple[str, str], ...] = (
    ("ctl", "ask the running guard how it is, pause or resume it"),
    ("demo", "explain the sample incidents, then examine this machine"),
    ("doctor", "what can be read here, what is near its limit, what to do"),
    ("explain", "find OOM reports in kernel logs and say why each process died"),
    ("guard", "act before the kernel has to, on who took the memory, and say why"),
    ("policy", "check, show, explain, convert or replay a policy of the guard"),
    ("rank", "who dies next if a cgroup or the machine runs out of memory now"),
    ("record", "write what memwarden reads of this machine into one archive"),
    ("restore", "undo what a guard that is gone has left throttled or frozen"),
    ("simulate", "try a limit or a policy in a world that obeys the kernel's rules"),
    ("status", "memory of every cgroup, the ones closest to trouble first"),
    ("why", "why the guard did what it did: seen, considered, done, freed"),
)

HEAD = """\
usage: memwarden [--help] [--version] [--debug] VERB ...

Keeps the right process alive when Linux runs out of memory, and explains every
death.

verbs:
"""

TAIL = """
options:
  -h, --help  show this text; memwarden VERB --help shows the verb's own
  --version   show the version
  --debug     on a failure that memwarden did not expect, show the traceback
              (also: MEMWARDEN_DEBUG=1)

examples:
  memwarden doctor
  memwarden explain /var/log/kern.log
  journalctl -k -o short-precise | memwarden explain -
"""


def help_text() -> str:
    """What ``memwarden --help`` prints."""
    return HEAD + "".join(f"  {name:<9} {text}\n" for name, text in VERBS) + TAIL


def run(argv: Sequence[str] | None = None) -> int:
    """Run a command line without the program's name; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug = bool(os.environ.get("MEMWARDEN_DEBUG")) or "--debug" in words
    words = [word for word in words if word != "--debug"]
    if sys.stdout is None:  # closed by whoever started us (>&-)
        return _say("standard output is closed; there is nowhere to write the answer", CANNOT)
    try:
        _tolerant_output()
        code = _dispatch(words)
        sys.stdout.flush()
    except SystemExit as stop:  # argparse: 0 after --help, 2 after an error
        return stop.code if isinstance(stop.code, int) else USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has left (`| head`). Python flushes once more at exit, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return BROKEN_PIPE
    except UsageError as error:
        return _say(str(error), USAGE)
    except MemwardenError as error:
        return _say(str(error), CANNOT)
    except OSError as error:
        if debug:
            raise
        return _say(_os_sentence(error), CANNOT)
    except Exception as error:  # the last resort: a person must not meet a traceback
        if debug:
            raise
        return _say(_bug_sentence(error), CANNOT)
    return code


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(help_text())
        return DONE if words else USAGE
    name = words[0]
    if name == "--version":
        from memwarden import __version__

        sys.stdout.write(f"memwarden {__version__}\n")
        return DONE
    if name.startswith("-"):
        raise UsageError(f"unknown option {name}; memwarden --help lists what there is")
    module = _load(name)
    args = parser_of(name, module).parse_args(words[1:])
    return module.run(args)


def _load(name: str) -> Verb:
    if name not in dict(VERBS):
        from memwarden.cli.parser import nearest

        raise UsageError(
            f"there is no verb {name!r}{nearest(name, dict(VERBS))}; memwarden --help lists them"
        )
    from importlib import import_module

    module: Verb = import_module(f"memwarden.cli.{name}")
    return module


def parser_of(name: str, module: Verb) -> Parser:
    """The complete parser of a verb."""
    from memwarden.cli.parser import Parser

    parser = Parser(prog=f"memwarden {name}", description=f"{module.HELP}.", epilog=module.EPILOG)
    module.add_arguments(parser)
    return parser


def _tolerant_output() -> None:
    # A terminal that cannot show a character gets its escape, not a UnicodeEncodeError.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _say(sentence: str, code: int) -> int:
    if sys.stderr is not None:
        sys.stderr.write(f"memwarden: {printable(sentence)}\n")
    return code


def _os_sentence(error: OSError) -> str:
    what = error.strerror or str(error)
    return f"{error.filename}: {what}" if error.filename is not None else f"input or output failed: {what}"


def _bug_sentence(error: Exception) -> str:
    return (
        f"this is a bug of memwarden ({error!r}). Please report it with the command, "
        "the output of memwarden --version, and what --debug adds"
    )
