"""Archives made to harm or to deceive: refused, quickly, whatever they try."""

import json
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest

from security.audit.canonical import canonical
from security.audit.packing import Package
from tests.test_verify_audit.made import judged, told
from tools import verify_audit


def members(raw: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(raw)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(content: dict[str, bytes], about: Callable[[zipfile.ZipInfo], None] = lambda info: None) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, raw in content.items():
            info = zipfile.ZipInfo(name, (2026, 11, 30, 23, 59, 58))
            about(info)
            archive.writestr(info, raw)
    return out.getvalue()


def renamed(raw: bytes) -> bytes:
    """One member's own header names it otherwise than the directory: what is read depends on the reader."""
    return raw.replace(b"keys.txt", b"kees.txt", 1)


def with_member(name: str) -> Callable[[bytes], bytes]:
    def change(raw: bytes) -> bytes:
        content = members(raw)
        manifest = json.loads(content["manifest.json"])
        manifest["files"][name] = {"sha256": "0" * 64, "size": 0}
        encoded = json.dumps(manifest, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        return packed({**content, name: b"", "manifest.json": encoded})

    return change


def in_directory(offset: int, form: str, value: int) -> Callable[[bytes], bytes]:
    """Something else in the first record of the directory."""

    def change(raw: bytes) -> bytes:
        at = raw.index(b"PK\1\2") + offset
        put = struct.pack(form, value)
        return raw[:at] + put + raw[at + len(put) :]

    return change


def in_header(offset: int) -> Callable[[bytes], bytes]:
    """One bit of the first member's own header: version, flags, method, time, date, checksum, sizes."""
    return lambda raw: raw[:offset] + bytes([raw[offset] ^ 1]) + raw[offset + 1 :]


def extra_in_headers_only(raw: bytes) -> bytes:
    """Something that the directory does not tell of."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members(raw).items():
            info = zipfile.ZipInfo(name)
            info.extra = b"\xfe\xca\0\0"
            archive.writestr(info, content)
            info.extra = b""
    return out.getvalue()


def extra_in_directory_only(raw: bytes) -> bytes:
    """Something that only the directory tells of."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members(raw).items():
            info = zipfile.ZipInfo(name)
            archive.writestr(info, content)
            info.extra = b"\xfe\xca\0\0"
    return out.getvalue()


def gap(raw: bytes) -> bytes:
    """Something hidden before the directory, and the end of the archive says where that is now."""
    at, end = raw.index(b"PK\1\2"), len(raw) - 6
    return raw[:at] + b"hidden" + raw[at:end] + struct.pack("<L", at + 6) + raw[-2:]


def twice(raw: bytes) -> bytes:
    out = BytesIO(raw)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(out, "a") as archive:
        archive.writestr("keys.txt", b"")
    return out.getvalue()


def streamed(raw: bytes) -> bytes:
    """Sizes behind the data, as a writer puts them that cannot go back."""

    class Pipe(BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise OSError("a pipe")

        def tell(self) -> int:
            raise OSError("a pipe")

    out = Pipe()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members(raw).items():
            archive.writestr(name, content)
    return out.getvalue()


HOSTILE: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda raw: raw[:-1],
    "half": lambda raw: raw[: len(raw) // 2],
    "something-before": lambda raw: b"PK" + raw,
    "something-behind": lambda raw: raw + b"\0",
    "something-between": lambda raw: raw[: (at := raw.index(b"PK\1\2"))] + b"hidden" + raw[at:],
    "comment": lambda raw: raw[:-2] + b"\1\0x",
    "name-differs": renamed,
    "name-twice": twice,
    "streamed": streamed,
    "up-and-out": with_member("../../evil"),
    "absolute": with_member("/etc/evil"),
    "backslash": with_member("..\\evil"),
    "drive": with_member("C:evil"),
    "hidden-file": with_member(".bashrc"),
    "folder": with_member("folder/"),
    "not-ascii": with_member("é.txt"),
    "nul": lambda raw: raw.replace(b"keys.txt", b"ke\0s.txt"),
    "unknown-member": with_member("extra.txt"),
    "not-in-manifest": lambda raw: packed({**members(raw), "extra.txt": b""}),
    "missing": lambda raw: packed({name: each for name, each in members(raw).items() if name != "keys.txt"}),
    "no-manifest": lambda raw: packed({name: each for name, each in members(raw).items() if name != "manifest.json"}),
    "manifest-not-canonical": lambda raw: packed(
        {**members(raw), "manifest.json": members(raw)["manifest.json"] + b" "}
    ),
    "manifest-a-list": lambda raw: packed({**members(raw), "manifest.json": b"[]"}),
    "manifest-empty": lambda raw: packed({**members(raw), "manifest.json": b""}),
    "encrypted": in_directory(8, "<H", 1),
    "patched": in_directory(8, "<H", 32),
    **{f"header-differs-at-{at}": in_header(at) for at in (4, 6, 8, 10, 12, 14, 18, 22)},
    "utf-8-names": in_directory(8, "<H", 0x800),
    "extra-in-headers-only": extra_in_headers_only,
    "extra-in-directory-only": extra_in_directory_only,
    "gap": gap,
    "bzip2": lambda raw: packed(members(raw), lambda info: setattr(info, "compress_type", zipfile.ZIP_BZIP2)),
    "lzma": lambda raw: packed(members(raw), lambda info: setattr(info, "compress_type", zipfile.ZIP_LZMA)),
    "method-99": in_directory(10, "<H", 99),
    "extra": lambda raw: packed(members(raw), lambda info: setattr(info, "extra", b"\xfe\xca\0\0")),
    "member-comment": lambda raw: packed(members(raw), lambda info: setattr(info, "comment", b"hidden")),
    "size-too-small": in_directory(24, "<L", 1),
    "size-too-large": in_directory(24, "<L", 0xFFFFFFF0),
    "packed-size": in_directory(20, "<L", 1),
    "offset": in_directory(42, "<L", 1),
    "crc": in_directory(16, "<L", 1),
    "disk": in_directory(34, "<H", 1),
    "name-too-long": in_directory(28, "<H", 60000),
    "empty": lambda raw: packed({}),
    "only-the-end": lambda raw: raw[-22:],
}


# What is said of them; of all others, that the first member is malformed.
SAID = {
    **dict.fromkeys(("half", "something-behind", "comment"), "malformed: ZIP"),
    **dict.fromkeys(("name-twice", "no-manifest", "empty"), "malformed: ZIP, a name twice, gaps or extras"),
    **dict.fromkeys(("gap", "member-comment", "disk"), "malformed: ZIP directory"),
    "cut": "it cannot be read: BadZipFile",
    "only-the-end": "it cannot be read: BadZipFile",
    "name-differs": "malformed: ZIP, keys.txt",
    "up-and-out": "malformed: ZIP, ../../evil",
    "absolute": "malformed: ZIP, /etc/evil",
    "backslash": "malformed: ZIP, ..\\evil",
    "drive": "malformed: ZIP, C:evil",
    "hidden-file": "malformed: ZIP, .bashrc",
    "folder": "malformed: ZIP, folder/",
    "not-ascii": "malformed: ZIP, é.txt",
    "nul": "malformed: ZIP, ke",
    "unknown-member": "malformed: export",
    "not-in-manifest": "the files in the ZIP are NOT those of the manifest: extra.txt",
    "missing": "the files in the ZIP are NOT those of the manifest: keys.txt",
    "manifest-not-canonical": "malformed: manifest.json",
    "manifest-a-list": "it cannot be read: TypeError",
    "manifest-empty": "it cannot be read: JSONDecodeError",
    "name-too-long": "malformed: ZIP, frontier.jsonPK\\u0001\\u0002\\u0014\\u0003\\u0014",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_archives_are_refused(made: Path, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "hostile.zip"
    file.write_bytes(HOSTILE[kind]((made / "small.zip").read_bytes()))
    said = SAID.get(kind, "malformed: ZIP, frontier.json")
    expected = (1, "fails") if "NOT" in said else (2, "unreadable")
    status, ((kind_of_fact, text),) = judged(file, key=made / "keys.txt")
    assert (status, kind_of_fact) == expected
    # What Python itself says is left to it.
    assert text == said or (said.startswith("it cannot be read") and text.startswith(f"{said}: "))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_an_archive_that_was_unpacked_and_packed_again_is_as_good(made: Path, tmp_path: Path, method: int) -> None:
    file = tmp_path / "again.zip"
    for name in ("small.zip", "bundle.zip"):
        content = members((made / name).read_bytes())
        file.write_bytes(packed(dict(reversed(content.items())), lambda info: setattr(info, "compress_type", method)))
        assert judged(file, key=made / "keys.txt")[0] == 0


def test_an_archive_of_large_numbers_is_read(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ZIP64, which entries of more than 4 GiB need, written with everything counted as large."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    file, out = tmp_path / "large.zip", BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, raw in members((made / "small.zip").read_bytes()).items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(raw)
    raw = out.getvalue()
    assert b"PK\6\6" in raw
    file.write_bytes(raw)
    assert judged(file, key=made / "keys.txt")[0] == 0
    end = raw.index(b"PK\6\6")
    for at in range(end, len(raw)):
        file.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        assert judged(file, key=made / "keys.txt")[0] == 2, at - end


def bomb(content: bytes, claimed: int) -> bytes:
    """A member that grows to more than it says."""
    raw = packed({"manifest.json": b"x"})
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    data = packer.compress(content) + packer.flush()
    head = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 33, 1, len(data), claimed, 13, 0) + b"manifest.json"
    at = raw.index(b"PK\1\2")
    record = bytearray(raw[at : at + 59])
    record[10:12] = struct.pack("<H", 8)
    record[12:16] = struct.pack("<2H", 0, 33)
    record[16:28] = struct.pack("<3L", 1, len(data), claimed)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 59, len(head) + len(data), 0)
    return head + data + bytes(record) + end


@pytest.mark.parametrize("claimed", [10, 200 << 20], ids=["says-little", "says-much"])
def test_a_bomb_costs_little(made: Path, tmp_path: Path, claimed: int) -> None:
    file = tmp_path / "bomb.zip"
    file.write_bytes(bomb(bytes(200 << 20), claimed))
    assert file.stat().st_size < 1 << 20
    limited = (
        f"import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_AS, ({150 << 20}, {150 << 20}));"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-I", "-c", limited, verify_audit.__file__, str(file), "--key", str(made / "keys.txt")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (2, "")
    assert "MemoryError" not in done.stdout


def test_a_bundle_of_many_large_members_is_not_read(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = members((made / "bundle.zip").read_bytes())
    manifest, more = json.loads(content["manifest.json"]), {f"revocation/{n}.der": bytes(1000) for n in range(40)}
    digest = sha256(bytes(1000)).hexdigest()
    manifest["files"] |= {name: {"sha256": digest, "size": 1000} for name in more}
    file = tmp_path / "many.zip"
    file.write_bytes(packed({**content, **more, "manifest.json": canonical(manifest)}))
    assert judged(file, key=made / "keys.txt")[0] == 0
    monkeypatch.setattr(verify_audit, "LARGEST_FILE", 10_000)
    assert judged(file, key=made / "keys.txt") == (2, [("unreadable", "malformed: bundle")])


@pytest.mark.parametrize("name", ["..\\x", "-rf", "a b", "é", "\u202e", "\x1b[2J", "a\tb", ".hidden", "C:"])
def test_no_member_has_a_name_that_harms_whoever_unpacks_it(made: Path, tmp_path: Path, name: str) -> None:
    content, member = members((made / "bundle.zip").read_bytes()), f"revocation/{name}.der"
    manifest = json.loads(content["manifest.json"])
    manifest["files"][member] = {"sha256": sha256(b"").hexdigest(), "size": 0}
    encoded = json.dumps(manifest, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    file = tmp_path / "named.zip"
    file.write_bytes(packed({**content, member: b"", "manifest.json": encoded}))
    status, facts = judged(file, key=made / "keys.txt")
    assert (status, [kind for kind, _ in facts]) == (2, ["unreadable"])


def test_an_archive_has_only_so_many_members(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = members((made / "small.zip").read_bytes())
    for most, expected in ((len(content), 0), (len(content) - 1, 2)):
        monkeypatch.setattr(verify_audit, "MOST_MEMBERS", most)
        assert judged(made / "small.zip", key=made / "keys.txt")[0] == expected
    monkeypatch.undo()
    many = {f"{n:04}-{'x' * 240}": b"" for n in range(5000)}
    (tmp_path / "many.zip").write_bytes(packed(many))
    assert judged(tmp_path / "many.zip", key=made / "keys.txt")[1] == [("unreadable", "malformed: ZIP")]


def test_memory_does_not_grow_with_the_entries(made: Path, tmp_path: Path) -> None:
    """Entries are looked at block by block: a member of many blocks passes through `blocks` one at a time."""
    file = tmp_path / "long.zip"
    with file.open("wb") as out, Package(out) as package:
        with package.member("entries.jsonl") as write:
            for _ in range(8):
                write(bytes(verify_audit.BLOCK))
        package.finish({})
    with file.open("rb") as opened:
        archive = verify_audit.Archive(opened)
        assert {len(block) for block in archive.blocks("entries.jsonl")} == {verify_audit.BLOCK}
        with pytest.raises(verify_audit.Unreadable):
            list(verify_audit.batches_of_lines(archive.blocks("entries.jsonl"), verify_audit.LARGEST_ENTRY))


def test_names_from_a_file_cannot_talk_to_the_terminal(made: Path, tmp_path: Path) -> None:
    content = members((made / "bundle.zip").read_bytes())
    manifest = json.loads(content["manifest.json"])
    manifest["absent"]["revocation/answer.der"] = "\u001b[2J\u202e\r\nHOLDS: everything"
    (tmp_path / "loud.zip").write_bytes(packed({**content, "manifest.json": canonical(manifest)}))
    (tmp_path / "keys.txt").write_bytes((made / "keys.txt").read_bytes())
    status, out = told("loud.zip", "--lang", "en", folder=tmp_path)
    assert status == 0
    assert "\\u001b[2J\\u202e\\u000d\\u000aHOLDS" in out
    assert not {"\u001b", "\u202e", "\r"} & set(out)
