"""Archives at the bounds of what is read: sizes, gaps, extras, and members that are not what the manifest names."""

import json
import struct
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from security.audit.canonical import canonical
from tests.test_verify_audit.made import judged, refusal
from tests.test_verify_audit.test_hostile_claims import repack
from tests.test_verify_audit.test_hostile_zips import members, packed
from tools import verify_audit
from tools.verify_audit import Archive, batches_of_lines, notes_of


def archive(tmp_path: Path, **content: bytes) -> Archive:
    repack(tmp_path / "some.zip", content, {})
    return Archive(BytesIO((tmp_path / "some.zip").read_bytes()))


def moved(raw: bytes, at: int, put: bytes) -> bytes:
    """The archive with bytes put in before its last member, and every offset behind them as it is then."""
    out, after = BytesIO(raw), len(put)
    with zipfile.ZipFile(out) as opened:
        infos, start = opened.infolist(), opened.start_dir
    directory = b""
    for info in infos:
        head = raw[start + len(directory) :][: 46 + len(info.filename)]
        offset = info.header_offset + (after if info.header_offset >= at else 0)
        directory += head[:42] + struct.pack("<L", offset) + head[46:]
    end = raw[-22:-6] + struct.pack("<LH", start + after, 0)
    return raw[:at] + put + raw[at:start] + directory + end


def last_of(raw: bytes) -> int:
    with zipfile.ZipFile(BytesIO(raw)) as opened:
        return opened.infolist()[-1].header_offset


def test_nothing_is_hidden_between_two_members(made: Path, tmp_path: Path) -> None:
    raw = packed(members((made / "small.zip").read_bytes()))
    for put, expected in ((b"", 0), (b"hidden", 2)):
        (tmp_path / "gap.zip").write_bytes(moved(raw, last_of(raw), put))
        with zipfile.ZipFile(tmp_path / "gap.zip") as opened:
            assert opened.testzip() is None
        assert judged(tmp_path / "gap.zip", key=made / "keys.txt")[0] == expected


@pytest.mark.parametrize(
    ("extra", "is_taken"),
    [
        (struct.pack("<HH3Q", 1, 24, 0, 0, 0), True),
        (struct.pack("<HH3Q", 1, 24, 0, 0, 0) + b"\0", False),
        (struct.pack("<HHQ", 2, 8, 0), False),
    ],
    ids=["28-bytes", "29-bytes", "another"],
)
def test_only_the_sizes_of_a_large_file_stand_beside_a_name(
    made: Path, tmp_path: Path, extra: bytes, is_taken: bool
) -> None:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        for name, content in members((made / "small.zip").read_bytes()).items():
            info = zipfile.ZipInfo(name)
            opened.writestr(info, content)
            info.extra = extra
    (tmp_path / "extra.zip").write_bytes(out.getvalue())
    status, facts = judged(tmp_path / "extra.zip", key=made / "keys.txt")
    assert (status, facts[0][1] == "malformed: ZIP, frontier.json") == ((0, False) if is_taken else (2, True))


def test_a_member_of_four_gigabytes_is_measured_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with a hole, of which nothing but the container is read."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 0)
    out, size = BytesIO(), 1 << 32
    with zipfile.ZipFile(out, "w") as opened:
        opened.writestr(zipfile.ZipInfo("large"), b"x")
        files = {"large": {"sha256": "", "size": size}}
        opened.writestr(zipfile.ZipInfo("manifest.json"), canonical({"files": files}))
        start, second = opened.fp.tell(), opened.getinfo("manifest.json").header_offset  # type: ignore[union-attr]
    raw = bytearray(out.getvalue())
    hole, more = second - 1, size - 1

    def put(at: int, form: str, *values: int) -> None:
        raw[at : at + struct.calcsize(form)] = struct.pack(form, *values)

    put(30 + 5 + 4, "<QQ", size, size)
    first = start + 46 + 5
    put(first + 4, "<QQ", size, size)
    put(raw.index(b"manifest.json", first) + 13 + 4 + 16, "<Q", second + more)
    end = raw.index(b"PK\6\6")
    put(end + 48, "<Q", start + more)
    put(end + 56 + 8, "<Q", end + more)
    put(len(raw) - 6, "<L", 0xFFFFFFFF)
    with (tmp_path / "large.zip").open("wb+") as file:
        file.write(raw[:hole])
        file.seek(size, 1)
        file.write(raw[second:])
        archive = Archive(file)
        assert archive.files == files
        assert archive.members["large"].file_size == size


def test_a_directory_has_a_largest_size(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused before it is read, whichever of the two ends says how large it is."""
    content, file = members((made / "small.zip").read_bytes()), tmp_path / "end.zip"

    def refused(raw: bytes, at: int, form: str, size: int) -> bool:
        put = struct.pack(form, size)
        file.write_bytes(raw[:at] + put + raw[at + len(put) :])
        status, facts = judged(file, key=made / "keys.txt")
        assert status == 2
        return facts == [("unreadable", "malformed: ZIP")]

    plain = packed(content)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    large = packed(content)
    for raw, at, form in ((plain, len(plain) - 10, "<L"), (large, large.index(b"PK\6\6") + 40, "<Q")):
        assert not refused(raw, at, form, 1 << 20)
        for size in ((1 << 20) + 1, 1 << 24, 1 << 31):
            assert refused(raw, at, form, size)
    for bit in range(32, 64):
        assert refused(large, large.index(b"PK\6\6") + 40, "<Q", 1 << bit)


def test_a_member_has_a_largest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = archive(tmp_path, a=b"12345")
    monkeypatch.setattr(verify_audit, "BLOCK", 2)
    for limit, is_taken in ((5, True), (4, False)):
        monkeypatch.setattr(verify_audit, "LARGEST_FILE", limit)
        if is_taken:
            assert some.read("a") == b"12345"
        else:
            assert refusal(some.read, "a") == "malformed: a, too large"
    assert b"".join(some.blocks("a")) == b"12345"


def test_a_member_is_what_the_manifest_names(tmp_path: Path) -> None:
    some = archive(tmp_path, a=b"12345", b="é".encode())
    assert refusal(some.read, "c") == "the files in the ZIP are NOT those of the manifest: c"
    for about in ({"sha256": some.files["b"]["sha256"], "size": 5}, {**some.files["a"], "size": 6}):
        some.files["a"] = about
        assert refusal(some.read, "a") == "a is NOT the file that the manifest names"


def test_all_that_differs_from_the_manifest_is_named(made: Path, tmp_path: Path) -> None:
    content = members((made / "small.zip").read_bytes())
    manifest = json.loads(content["manifest.json"])
    del manifest["files"]["keys.txt"], content["entries.jsonl"]
    (tmp_path / "other.zip").write_bytes(packed({**content, "manifest.json": canonical(manifest)}))
    said = "the files in the ZIP are NOT those of the manifest: entries.jsonl, keys.txt"
    assert judged(tmp_path / "other.zip", key=made / "keys.txt") == (1, [("fails", said)])
    manifest["files"]["keys.txt"] = {"sha256": "", "size": 0, "more": 1}
    (tmp_path / "other.zip").write_bytes(packed({**content, "manifest.json": canonical(manifest)}))
    said = "the members must be sha256, size"
    assert judged(tmp_path / "other.zip", key=made / "keys.txt") == (2, [("unreadable", said)])


def everything(check: Callable[..., object], *arguments: object) -> list[object]:
    return list(check(*arguments))  # type: ignore[call-overload, no-any-return]


def test_lines_are_whole_and_not_too_long() -> None:
    assert everything(batches_of_lines, [b"a\nbb", b"b\n\n", b"", b"c\n"], 2) == [[b"a"], [b"bbb", b""], [], [b"c"]]
    assert refusal(everything, batches_of_lines, [b"a\nbbb", b"b\n"], 2) == "malformed: line, too long"
    for blocks in ([b"a"], [b"a\nb"], [b"a\n", b"b"]):
        assert refusal(everything, batches_of_lines, blocks, 2) == "malformed: last line"


def test_checkpoints_stand_between_hyphens() -> None:
    assert everything(notes_of, [b"a\nb\n", b"--\n\nc\n--", b"\n--\n--d\n---\n"]) == [
        b"a\nb\n",
        b"\nc\n",
        b"",
        b"--d\n---\n",
    ]
    lines = b"a\n" * 256
    assert everything(notes_of, [lines + b"--\n" + lines]) == [lines, lines]
    assert refusal(everything, notes_of, [lines, b"a\n"]) == "malformed: checkpoint, too long"


def test_the_keys_of_an_export_are_those_that_the_manifest_names(made: Path, tmp_path: Path) -> None:
    content = members((made / "small.zip").read_bytes())
    (tmp_path / "other.zip").write_bytes(packed({**content, "keys.txt": content["keys.txt"][:-1] + b"#"}))
    said = "keys.txt is NOT the file that the manifest names"
    assert judged(tmp_path / "other.zip", key=made / "keys.txt") == (1, [("fails", said)])


def test_a_bundle_has_a_largest_size(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = members((made / "bundle.zip").read_bytes())
    manifest = json.loads(content.pop("manifest.json"))
    del manifest["files"]
    content |= {f"revocation/{n}.der": bytes(2000) for n in range(10)}
    for more in range(4):
        repack(tmp_path / "large.zip", {**content, "revocation/list.der": bytes(more)}, manifest)
        size = sum(map(len, members((tmp_path / "large.zip").read_bytes()).values()))
        if size % 4 == 0:
            break
    for largest, expected in ((size // 4, 0), (size // 4 - 1, 2)):
        monkeypatch.setattr(verify_audit, "LARGEST_FILE", largest)
        assert judged(tmp_path / "large.zip", key=made / "keys.txt")[0] == expected
