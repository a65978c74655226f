"""Files of keys and PINs are taken only where nobody else could read them or put others in their place."""

import os
from pathlib import Path

import pytest

from security import private_files
from security.private_files import KeyRefused, read_private

OURS = os.geteuid()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    path = folder / "key.pem"
    path.write_bytes(b"secret")
    path.chmod(0o600)
    return path


def refused(path: Path, said: str) -> None:
    with pytest.raises(KeyRefused, match=said) as caught:
        read_private(path)
    assert caught.value.step


def test_only_the_owner_may_read(key: Path) -> None:
    for mode in (0o600, 0o400, 0o700):
        key.chmod(mode)
        assert read_private(key) == b"secret"
    for mode in (0o640, 0o620, 0o610, 0o604, 0o602, 0o601):
        key.chmod(mode)
        refused(key, rf"mode {mode:04o}.*run chmod 600")


def test_what_is_no_file_is_refused(key: Path) -> None:
    os.mkfifo(key.with_name("pipe"), 0o600)
    refused(key.with_name("pipe"), "not a regular file")
    refused(key.parent, "not a regular file")
    refused(key.with_name("missing"), "No such file or directory.*put the file there")
    refused(key / "below", "Not a directory")


@pytest.mark.parametrize("mode", [0o757, 0o777, 0o703])
def test_a_directory_that_others_may_write_is_refused(key: Path, mode: int) -> None:
    for place in (key.parent, key.parent.parent):
        place.chmod(mode)
        refused(key, f"they may write in {place}: run chmod go-w {place}")
        # In a sticky directory nobody moves what belongs to somebody else.
        place.chmod(mode | 0o1000)
        assert read_private(key) == b"secret"
        place.chmod(0o700)


def test_a_group_may_write_only_where_it_is_our_own(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key.parent.chmod(0o770)
    monkeypatch.setattr(os, "getegid", lambda: key.parent.stat().st_gid)
    assert read_private(key) == b"secret"
    if key.parent.stat().st_gid == 0:
        os.chown(key.parent, -1, 12345)
    monkeypatch.setattr(os, "getegid", lambda: 54321)
    refused(key, "could be replaced by others")


def test_files_and_directories_of_other_users_are_refused(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if OURS == 0:
        # What belongs to root is as good as ours for everybody.
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
        assert read_private(key) == b"secret"
        for place in (key, key.parent):
            os.chown(place, 54321, -1)
            refused(key, f"{place} belongs to user 54321, and this runs as user 12345")
            os.chown(place, 12345, -1)
            assert read_private(key) == b"secret"
    else:
        monkeypatch.setattr(os, "geteuid", lambda: OURS + 1)
        refused(key, f"belongs to user {OURS}, and this runs as user {OURS + 1}")


def test_every_link_on_the_way_counts(key: Path, tmp_path: Path) -> None:
    """A link in a directory of others leads wherever they like, though directory and file at its end are ours."""
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    (outside / "link").symlink_to(key)
    (tmp_path / "first").symlink_to("outside/../outside/link")
    assert read_private(tmp_path / "first") == b"secret"
    (tmp_path / "folder").symlink_to(outside)
    assert read_private(tmp_path / "folder" / "link") == b"secret"
    outside.chmod(0o777)
    for way in ("outside/link", "first", "folder/link"):
        refused(tmp_path / way, f"they may write in {outside}")
    outside.chmod(0o700)
    (tmp_path / "circle").symlink_to("circle")
    refused(tmp_path / "circle", "cannot be read")


def test_a_relative_path_is_one_from_here(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(key.parent)
    assert read_private(Path("key.pem")) == b"secret"
    assert read_private(Path("../keys/key.pem")) == b"secret"
    key.parent.chmod(0o777)
    refused(Path("key.pem"), "could be replaced")


def test_links_have_to_be_ours_as_well(key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = tmp_path / "link"
    link.symlink_to(key)
    genuine, asked = private_files._check_owner, []
    monkeypatch.setattr(
        private_files, "_check_owner", lambda path, status: (asked.append((path, status.st_ino)), genuine(path, status))
    )
    assert read_private(link) == b"secret"
    assert {(link, link.lstat().st_ino), (key, key.stat().st_ino), (key.parent, key.parent.stat().st_ino)} <= {*asked}
