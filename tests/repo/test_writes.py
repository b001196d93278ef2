"""Four files can be audited for writes: nothing outside them changes the machine.

The exceptions are named one by one below, each with its reason. The check reads the syntax tree, so
that a comment does not trip it and a line break does not hide from it.
"""

from __future__ import annotations

import ast
import re

import pytest

from tests.repo.tree import PACKAGE, is_pure, python_files, tree_of

AUDITED = {
    "host/effects.py",
    "host/self.py",
    "host/journal.py",
    "host/own_files.py",  # what a guard remembers: flight recorder, ledger, incidents; nothing else's files
}

ALLOWED = {
    ("cli/common.py", "whole_file"): "writes a file the user asked for by name, whole or not at all",
    ("cli/guard.py", "run"): "becomes the guard's own process, with Python and a file of ours; no shell",
    ("cli/main.py", "run"): "points standard output at /dev/null after its reader has left",
    ("cli/record.py", "_opened"): "writes a recording of many snapshots, which is read while it grows",
    ("cli/simulate_many.py", "add"): "keeps runs of a sweep as they are done, in a file the user named",
    ("cli/simulate_many.py", "_read"): "takes the end of an interrupted line away from that file",
    ("cli/simulate_many.py", "_quiet"): "an interrupt is for the process that started the workers",
    ("daemon/policies.py", "_spawn"): "reads the policy in a child, with Python and a file of ours; no shell",
    ("daemon/policies.py", "_end"): "ends that child",
    ("daemon/reading.py", "<module>"): "that child prints what it read",
    ("daemon/saying.py", "say"): "says why it ends, what it does, and with --once what came of it",
    ("daemon/start.py", "_signals"): "SIGTERM and SIGHUP wake the loop",
    ("host/kmsg.py", "open_to_write"): "a guard that is told --kmsg says there what it did",
    ("host/kmsg.py", "say"): "the same",
    ("host/kmsg.py", "syslog"): "syslog(2) with an action that reads only, where /dev/kmsg is missing",
}
PROGRAMS = {"host/kernel_log.py": "runs journalctl"}

CHANGES = re.compile(
    r"""^(
        os\.(write|pwrite|writev|kill|killpg|rename|renames|replace|remove|unlink|rmdir|removedirs|mkdir|makedirs
            |chmod|fchmod|lchmod|chown|fchown|lchown|link|symlink|truncate|ftruncate|utime|setxattr|removexattr|mknod
            |mkfifo|nice|setpriority|sched_\w*set\w*|setuid|setgid|seteuid|setns|unshare|chroot|chdir|fchdir|dup2
            |system|popen|fork|forkpty|posix_spawn\w*|exec\w+|spawn\w+|putenv|umask|sendfile|copy_file_range)
      | signal\.(pidfd_send_signal|signal|raise_signal|pthread_kill|setitimer|alarm)
      | resource\.(setrlimit|prlimit)
      | fcntl\.(ioctl|flock|lockf)
      | ctypes\.\w.* | shutil\.\w+ | tempfile\.\w+ | mmap\.\w+
      | .*\.(write_text|write_bytes|unlink|rmdir|mkdir|touch|rename|symlink_to|hardlink_to|chmod)
    )$""",
    re.VERBOSE,
)
WRITE_FLAG = re.compile(r"\bO_(WRONLY|RDWR|CREAT|TRUNC|APPEND|EXCL|TMPFILE)\b")


def calls(tree):
    """Every call with the name of the function it stands in."""

    def walk(node, inside):
        for child in ast.iter_child_nodes(node):
            name = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else inside
            if isinstance(child, ast.Call):
                yield child, name
            yield from walk(child, name)

    yield from walk(tree, "<module>")


def opens_to_write(call, name):
    if name in ("os.open", "os.fdopen", "open", "io.open", "gzip.open", "lzma.open"):
        rest = " ".join(
            ast.unparse(part) for part in (*call.args[1:], *(word.value for word in call.keywords))
        )
        return bool(WRITE_FLAG.search(rest) or re.search(r"""['"][rbt]*[wax+][rbt+]*['"]""", rest))
    return False


def changes_the_machine(call):
    name = ast.unparse(call.func)
    return bool(CHANGES.match(name)) or opens_to_write(call, name)


def places():
    for path in python_files("src"):
        below = path.relative_to(PACKAGE).as_posix()
        # The pure packages have nothing to write with (test_purity.py), and names of their own.
        if below not in AUDITED and not is_pure(path):
            for call, inside in calls(tree_of(path)):
                yield below, inside, call


def test_nothing_else_changes_the_machine():
    found = {
        f"{below}:{call.lineno}: {ast.unparse(call)[:80]}"
        for below, inside, call in places()
        if changes_the_machine(call) and (below, inside) not in ALLOWED
    }
    assert found == set()


def test_every_exception_is_still_needed():
    used = {(below, inside) for below, inside, call in places() if changes_the_machine(call)}
    assert set(ALLOWED) <= used


def test_programs_are_run_from_one_place_and_never_through_a_shell():
    for below, _, call in places():
        name = ast.unparse(call.func)
        if name.startswith("subprocess."):
            assert below in PROGRAMS, f"{below}:{call.lineno} runs a program"
            assert not any(word.arg == "shell" for word in call.keywords), f"{below}:{call.lineno}"
            assert isinstance(call.args[0], ast.List | ast.Tuple | ast.Name), (
                f"{below}:{call.lineno}: not a list"
            )


@pytest.mark.parametrize(
    "source",
    [
        "os.kill(1, 9)",
        "open(path, 'w')",
        "open(path, mode='r+')",
        "os.open(path,\n  os.O_RDWR)",
        "Path(p).write_text('x')",
        "signal.pidfd_send_signal(fd, 9)",
        "ctypes.CDLL(None)",
    ],
)
def test_the_check_sees(source):
    [call] = [call for call, _ in calls(ast.parse(source)) if changes_the_machine(call)][:1]
    assert call


@pytest.mark.parametrize(
    "source", ["open(path)", "open(path, 'rb')", "os.open(path, os.O_RDONLY)", "os.read(fd, 9)"]
)
def test_the_check_lets_pass(source):
    assert [call for call, _ in calls(ast.parse(source)) if changes_the_machine(call)] == []
