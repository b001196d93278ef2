"""The undo journal: what is written down is found again, whatever the writer died of."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from binascii import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.errors import InputError
from memwarden.host import journal as journals
from memwarden.host import undo
from memwarden.host.journal import Journal
from memwarden.state.intents import CgroupId, ProcessId

BOOT = "8c9ed1c7-9a52-4bd5-a30a-7b1a2f9e7f5b"
APP = CgroupId("/app.slice", 4242)
WEB = CgroupId("/app.slice/web one", 4243)


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / "run"
    path.mkdir(mode=0o700)
    return str(path)


def again(directory, boot=BOOT):
    """What the next guard finds."""
    journal = Journal(directory, boot=boot)
    found = journal.pending()
    journal.close()
    return found


def test_what_was_begun_and_not_done_is_found_at_the_next_start_the_latest_first(directory):
    journal = Journal(directory, boot=BOOT)
    first = journal.begin(undo.HIGH, APP, "max", "104857600")
    second = journal.begin(undo.FREEZE, WEB, "", "1")
    third = journal.begin(undo.STOP, ProcessId(77, 99))
    journal.done(second)
    journal.close()
    assert again(directory) == (third, first)


def test_nothing_is_pending_once_all_is_done_and_the_file_is_short_again(directory):
    journal = Journal(directory, boot=BOOT)
    for _ in range(50):
        journal.done(journal.begin(undo.FREEZE, APP))
    journal.close()
    assert again(directory) == ()
    with open(f"{directory}/undo", "rb") as file:
        assert file.read() == b"memwarden-undo/1 " + BOOT.encode() + b"\n"


def test_the_file_stays_bounded_while_one_change_lasts(directory):
    journal = Journal(directory, boot=BOOT)
    lasting = journal.begin(undo.HIGH, APP, "max", "4096")
    sizes = []
    for _ in range(5000):
        journal.done(journal.begin(undo.FREEZE, WEB))
        sizes.append(os.stat(f"{directory}/undo").st_size)
    journal.close()
    assert max(sizes) <= journals.COMPACT_AT + 200
    assert again(directory) == (lasting,)


def test_a_line_torn_at_any_byte_is_left_out_and_the_ones_before_it_are_not(directory):
    journal = Journal(directory, boot=BOOT)
    kept = journal.begin(undo.HIGH, APP, "max", "4096")
    before = os.stat(f"{directory}/undo").st_size
    journal.begin(undo.FREEZE, WEB)
    journal.close()
    with open(f"{directory}/undo", "rb") as file:
        whole = file.read()
    for length in range(before, len(whole) - 1):  # the line without its newline is whole
        with open(f"{directory}/undo", "wb") as file:
            file.write(whole[:length])
        assert again(directory) == (kept,), length
        # And what is written after it is not glued to the torn line.
        journal = Journal(directory, boot=BOOT)
        entry = journal.begin(undo.STOP, ProcessId(5, 6))
        journal.close()
        assert again(directory) == (entry, kept), length


def test_a_header_torn_at_any_byte_is_an_empty_journal(directory):
    Journal(directory, boot=BOOT).close()
    with open(f"{directory}/undo", "rb") as file:
        whole = file.read()
    for length in range(len(whole)):
        with open(f"{directory}/undo", "wb") as file:
            file.write(whole[:length])
        assert again(directory) == ()


def test_a_changed_byte_is_counted_and_what_it_said_is_not_done(directory):
    journal = Journal(directory, boot=BOOT)
    journal.begin(undo.HIGH, APP, "max", "4096")
    kept = journal.begin(undo.FREEZE, WEB)
    journal.close()
    with open(f"{directory}/undo", "rb") as file:
        text = file.read()
    with open(f"{directory}/undo", "wb") as file:
        file.write(text.replace(b" max ", b" mix "))
    journal = Journal(directory, boot=BOOT)
    assert (journal.pending(), journal.damaged) == ((kept,), 1)
    journal.close()


def test_a_journal_of_another_boot_is_void(directory):
    journal = Journal(directory, boot=BOOT)
    journal.begin(undo.FREEZE, APP)
    journal.close()
    assert again(directory, boot="another") == ()
    assert again(directory) == ()


def test_this_boot_has_a_name():
    assert len(journals.boot_id()) == 36
    with pytest.raises(InputError, match="boot_id: cannot be read"):
        journals.boot_id("/nowhere")


def test_a_second_guard_is_refused_and_told_who_holds_the_lock(directory):
    holder = subprocess.Popen(
        [sys.executable, "-c", f"""if 1:
            from memwarden.host.journal import Journal
            import sys
            journal = Journal({directory!r})
            print("held", flush=True)
            sys.stdin.read()"""],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(InputError, match=rf"another guard runs here \(pid {holder.pid}, "):
        Journal(directory)
    holder.kill()  # kill -9 gives the lock back
    holder.wait()
    holder.stdin.close()
    holder.stdout.close()
    Journal(directory).close()


def test_a_directory_others_can_write_to_is_refused(directory):
    os.chmod(directory, 0o777)
    with pytest.raises(InputError, match="others can write there"):
        Journal(directory)


def test_a_directory_is_made_for_its_owner_alone(tmp_path):
    Journal(str(tmp_path / "new"), boot=BOOT).close()
    assert os.stat(tmp_path / "new").st_mode & 0o777 == 0o700


def test_a_directory_that_cannot_be_made_is_an_error_of_one_sentence():
    with pytest.raises(
        InputError,
        match=r"for the undo journal: No such file or directory; name another directory$",
    ):
        Journal("/nowhere/at/all")


def test_links_are_not_followed(directory, tmp_path):
    aim = tmp_path / "aim"
    aim.write_text("precious")
    os.symlink(aim, f"{directory}/undo")
    with pytest.raises(InputError, match="undo: cannot be opened"):
        Journal(directory)
    assert aim.read_text() == "precious"


def test_a_pipe_is_no_journal(directory):
    os.mkfifo(f"{directory}/undo")
    with pytest.raises(InputError, match=r"undo: is no plain file; remove it$"):
        Journal(directory, boot=BOOT)


def test_the_lock_is_free_after_close(directory):
    Journal(directory, boot=BOOT).close()
    with open(f"{directory}/lock", "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_too_many_changes_are_refused(directory, monkeypatch):
    monkeypatch.setattr(journals, "MOST", 2)
    journal = Journal(directory, boot=BOOT)
    journal.begin(undo.FREEZE, APP)
    journal.begin(undo.FREEZE, WEB)
    with pytest.raises(InputError, match="2 changes wait to be undone"):
        journal.begin(undo.STOP, ProcessId(1, 2))
    journal.close()


@pytest.fixture
def full(tmp_path):
    """A directory on a file system without room."""
    path = tmp_path / "full"
    path.mkdir(mode=0o700)
    options = ["mount", "-t", "tmpfs", "-o", "size=16k,mode=700", "tmpfs", str(path)]
    if os.geteuid() != 0 or subprocess.run(options, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield str(path)
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_change_that_cannot_be_written_down_is_an_error(full):
    journal = Journal(full, boot=BOOT)
    first = journal.begin(undo.FREEZE, APP)
    with pytest.raises(InputError, match=r"cannot be written: [nN]o space"):
        fill(journal)
    journal.done(first)  # nor does this raise
    count = len(journal.pending())
    journal.close()
    assert len(again(full)) in (count, count + 1)  # there was no room to say that the first is done


def fill(journal):
    for number in range(200):
        journal.begin(undo.FREEZE, CgroupId("/" + "x" * 200, number))


def test_find_names_the_change_of_a_kind(directory):
    journal = Journal(directory, boot=BOOT)
    entry = journal.begin(undo.FREEZE, APP)
    assert journal.find(undo.FREEZE, APP) == entry
    assert journal.find(undo.HIGH, APP) is None
    assert journal.find(undo.FREEZE, APP._replace(inode=1)) is None
    journal.done(entry)
    journal.done(entry)
    assert journal.find(undo.FREEZE, APP) is None
    journal.close()


NAMES = st.binary(min_size=1, max_size=40).filter(lambda name: b"\0" not in name).map(os.fsdecode)


@given(NAMES, st.integers(0, 1 << 64), st.sampled_from(["0", "max", "4096"]))
def test_a_line_gives_back_its_entry_whatever_the_cgroup_is_called(name, inode, was):
    entry = undo.Entry(3, undo.HIGH, CgroupId("/" + name, inode), was, "8192")
    line = undo.line(entry)
    assert line.count(b"\n") == 1
    assert undo.read(line) == undo.Read({3: entry}, 3, 0)


@given(st.binary(max_size=200))
def test_anything_can_be_read(data):
    found = undo.read(data)
    assert found.damaged <= data.count(b"\n") + 1


HUGE = b"9" * 5000
"""More digits than Python takes."""


@pytest.mark.parametrize(
    "body",
    [
        b"1 explode 2 /x - -",
        b"1 high 2 /x max",
        b"1 high 2 /x - 4096",  # "nothing" would be written as 0, and the cgroup reclaimed to its end
        b"1 high 2 /x max some",
        b"1 high 2 /x max -1",
        b"1 freeze 2 /x 1 1",
        b"1 freeze 2 /x - 2",
        b"1 freeze 2 x - 1",
        b"1 freeze 2 /x\\000y - 1",
        b"1 freeze 2 /x\xff - 1",
        "1 freeze 2 /\N{EURO SIGN} - 1".encode(),
        "\N{SUPERSCRIPT TWO} freeze 2 /x - 1".encode(),
        b"one freeze 2 /x - 1",
        b"1 freeze two /x - 1",
        b"%b freeze 2 /x - 1" % HUGE,
        b"1 freeze %b /x - 1" % HUGE,
        b"1 high 2 /x %b max" % HUGE,
        b"2 done %b - - -" % HUGE,
        b"2 done one - - -",
        b"1 stop 2 init - -",
        b"1 stop 2 -1 - -",
        b"1 hook 2 99999999999 - -",  # no pid_t
        b"1 hook 2 7 max -",
    ],
    ids=lambda body: ascii(body[:30]),
)
def test_a_line_with_a_good_sum_and_no_sense_is_damaged_and_nothing_else_is(body):
    kept = undo.Entry(7, undo.FREEZE, WEB, "", "1")
    assert undo.read(b"%08x %s\n" % (crc32(body), body) + undo.line(kept)) == undo.Read({7: kept}, 7, 1)


@given(st.lists(st.one_of(st.sampled_from(["high", "stop", "done", "/x", "-", "7", "max"]), st.text())))
def test_any_words_with_a_good_sum_can_be_read(words):
    body = " ".join(words).replace("\n", "").encode("utf-8", "surrogatepass")
    assert undo.read(b"%08x %s\n" % (crc32(body), body)).damaged <= 1
