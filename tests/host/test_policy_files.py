"""The files of a policy: which are read, in which order, and which are not."""

from __future__ import annotations

import gzip
import os

import pytest

from memwarden.errors import InputError
from memwarden.host import policy_files
from memwarden.host.policy_files import read_policy, read_text


@pytest.fixture
def folder(tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "policy.d").mkdir(mode=0o755)
    (tmp_path / "policy.toml").write_text("main")
    for name in ("20-b.toml", "10-a.toml", "note.txt", ".hidden.toml"):
        (tmp_path / "policy.d" / name).write_text(name)
    return tmp_path


def names(found):
    return [name for name, _ in found.texts]


def test_a_folder(folder):
    found = read_policy(f"{folder}/")
    assert found.name == str(folder)
    assert found.texts == (
        (f"{folder}/policy.toml", "main"),
        (f"{folder}/policy.d/10-a.toml", "10-a.toml"),
        (f"{folder}/policy.d/20-b.toml", "20-b.toml"),
    )
    assert found.notes == (
        (f"{folder}/policy.d/note.txt", "is not read, since its name does not end in .toml"),
    )


def test_a_folder_without_a_main_file_goes_over_the_built_in_policy(folder):
    (folder / "policy.toml").unlink()
    assert names(read_policy(str(folder)))[0] == "default.toml"
    assert len(names(read_policy(str(folder)))) == 3


def test_a_file_and_what_is_beside_it(folder, monkeypatch):
    assert len(names(read_policy(f"{folder}/policy.toml"))) == 3
    (folder / "other.toml").write_text("x")
    assert read_policy(f"{folder}/other.toml").texts == ((f"{folder}/other.toml", "x"),)
    monkeypatch.chdir(folder)
    assert names(read_policy("policy.toml")) == ["policy.toml", "policy.d/10-a.toml", "policy.d/20-b.toml"]


def test_the_installed_one_or_the_built_in_one(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(policy_files, "FOLDER", str(folder))
    assert read_policy().name == str(folder)
    monkeypatch.setattr(policy_files, "FOLDER", str(tmp_path / "none"))
    found = read_policy()
    assert (found.name, names(found), found.notes) == ("default", ["default.toml"], ())
    assert "[[rule]]" in found.texts[0][1]
    assert read_policy("default") == found


def test_an_empty_folder_is_no_policy(tmp_path):
    with pytest.raises(InputError, match=r"holds neither policy.toml nor policy.d; name the folder"):
        read_policy(str(tmp_path))


def test_standard_input(tmp_path):
    (tmp_path / "x").write_text("text")
    kept = os.dup(0)
    try:
        with (tmp_path / "x").open("rb") as file:
            os.dup2(file.fileno(), 0)
        assert read_policy("-").texts == (("standard input", "text"),)
    finally:
        os.dup2(kept, 0)
        os.close(kept)


def test_a_link_within_the_folder_is_followed_and_one_out_of_it_is_not(folder, tmp_path_factory):
    (folder / "policy.d" / "30-c.toml").symlink_to("10-a.toml")  # as a mounted ConfigMap has it
    assert read_policy(str(folder)).texts[-1] == (f"{folder}/policy.d/30-c.toml", "10-a.toml")
    outside = tmp_path_factory.mktemp("outside") / "x.toml"
    outside.write_text("theirs")
    (folder / "policy.d" / "40-d.toml").symlink_to(outside)
    with pytest.raises(InputError, match=r"40-d.toml: is a link out of .*; put the file itself there"):
        read_policy(str(folder))
    (folder / "policy.d" / "40-d.toml").unlink()
    (folder / "policy.toml").unlink()
    (folder / "policy.toml").symlink_to(outside)
    with pytest.raises(InputError, match=r"policy.toml: is a link out of"):
        read_policy(str(folder))


def test_a_folder_of_drop_ins_elsewhere_is_out_of_it_too(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "x.toml").write_text("theirs")
    (folder / "policy.d").rename(folder / "old")
    (folder / "policy.d").symlink_to(outside)
    with pytest.raises(InputError, match="is a link out of"):
        read_policy(str(folder))


def test_only_plain_files(folder):
    os.mkfifo(folder / "policy.d" / "50-e.toml")
    with pytest.raises(InputError, match=r"50-e.toml: is no plain file; name a policy in TOML, or a folder"):
        read_policy(str(folder))
    with pytest.raises(InputError, match=r"none.toml: cannot be opened: No such file or directory"):
        read_policy(str(folder / "none.toml"))
    with pytest.raises(InputError, match=r"/dev/null: is no plain file"):
        read_text("/dev/null")


def test_a_link_to_nothing_is_called_that(folder):
    for name in ("policy.d/50-e.toml", "other.toml"):
        (folder / name).symlink_to("none.toml")
        aim = str(folder if "/" in name else folder / name)
        with pytest.raises(
            InputError, match=r"No such file .*; it is a link to none.toml, which is not there$"
        ):
            read_policy(aim)


@pytest.mark.parametrize("aim", ["policy.toml", "/nowhere/at/all"])
def test_drop_ins_that_are_no_folder_are_not_passed_over(folder, aim):
    (folder / "policy.d").rename(folder / "old")
    (folder / "policy.d").symlink_to(aim)
    with pytest.raises(InputError, match=r"policy.d: is no folder; make it one, of drop-ins, or remove it$"):
        read_policy(str(folder))
    assert len(read_policy(f"{folder}/policy.toml").texts) == 1  # beside a file it is anybody's


def test_what_cannot_be_read_to_its_end_is_named():
    with pytest.raises(InputError, match=r"^/proc/self/mem: cannot be read: Input/output error$"):
        read_text("/proc/self/mem")


def test_sizes(folder, monkeypatch):
    monkeypatch.setattr(policy_files, "MOST_FILES", 2)
    with pytest.raises(InputError, match=r"policy.d: holds 3 files; a policy has at most 2"):
        read_policy(str(folder))
    (folder / "big.toml").write_text("#" * (1 << 20))
    assert len(read_text(f"{folder}/big.toml")[1]) == 1 << 20
    (folder / "big.toml").write_text("#" * ((1 << 20) + 1))
    with pytest.raises(InputError, match=r"big.toml: is larger than 1 MiB; that is no policy"):
        read_text(f"{folder}/big.toml")


def test_text_is_utf8(folder):
    (folder / "x.toml").write_bytes(b"\xef\xbb\xbf# \xc3\xa4\n")
    assert read_text(f"{folder}/x.toml")[1] == "# ä\n"
    (folder / "x.toml").write_bytes(b"# a\n# b\n# \xe4\n")
    with pytest.raises(InputError, match=r"x.toml:3: is not UTF-8; save the file as UTF-8"):
        read_text(f"{folder}/x.toml")


def test_what_is_compressed_and_what_has_no_name(folder):
    (folder / "x.gz").write_bytes(gzip.compress(b"[guard]\n"))
    with pytest.raises(InputError, match=r"x.gz: is compressed with gzip; unpack it first"):
        read_policy(f"{folder}/x.gz")
    with pytest.raises(InputError, match=r"^the name of the file is empty; name one, or \"default\""):
        read_policy("")


def test_what_everybody_may_write_is_named(folder):
    (folder / "policy.toml").chmod(0o666)
    (folder / "policy.d").chmod(0o777)
    text = "everybody may write it and decide whom the guard kills; run chmod o-w "
    found = [note for note in read_policy(str(folder)).notes if "note.txt" not in note[0]]
    assert found == [(path, text + path) for path in (f"{folder}/policy.toml", f"{folder}/policy.d")]
    (folder / "policy.d").chmod(0o1777)  # others cannot replace what is not theirs
    assert f"{folder}/policy.d" not in dict(read_policy(str(folder)).notes)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read(folder):
    (folder / "policy.d").chmod(0)
    with pytest.raises(InputError, match="cannot be read: Permission denied; try with sudo"):
        read_policy(str(folder))


def test_what_cannot_be_listed(folder, monkeypatch):
    def refuse(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(InputError, match="cannot be read: Permission denied; try with sudo"):
        read_policy(str(folder))
    with pytest.raises(InputError, match=r"policy.d: cannot be read: Permission denied; try with sudo"):
        read_policy(f"{folder}/policy.toml")


def test_a_link_to_a_folder_of_another_tools_files_is_left_out(tmp_path):
    (tmp_path / "oomd.conf.d").mkdir()
    (tmp_path / "oomd.conf.d/10.conf").write_text("[OOM]\n")
    for name in ("a.d", "b.d"):  # each leads to what is above, and so to both again
        (tmp_path / "oomd.conf.d" / name).symlink_to(tmp_path)
    found = policy_files.read_folder(str(tmp_path))
    assert found == ((f"{tmp_path}/oomd.conf.d/10.conf", "[OOM]\n"),)
