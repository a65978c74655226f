"""ZIP files that verify by themselves: a manifest names each member with size and SHA-256 (gói tự kiểm tra được)."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import BinaryIO, Final, Self

from security.audit.canonical import JSON, canonical

MANIFEST: Final = "manifest.json"
# Always the same, so that the same evidence gives the same file.
_DATE: Final = (1980, 1, 1, 0, 0, 0)
# Most of an entry is commitments, which nothing makes smaller: more effort would only cost time.
_LEVEL: Final = 1


class Package:
    """Writes one ZIP of deflated members into `out`, which must be seekable; used in a `with`, ended by `finish`.

    `tools/verify_audit.py` refuses members with anything else about them: no comments, no data behind the members, no
    names but plain ASCII ones.
    """

    def __init__(self, out: BinaryIO) -> None:
        if not out.seekable():
            raise ValueError("package: needs a file that can be written in two places")
        self._zip = zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)
        self._files: dict[str, JSON] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Without its manifest, which `finish` adds, it is a ZIP that nobody takes for evidence.
        self._zip.close()

    @contextmanager
    def member(self, name: str, *, large: bool = True) -> Iterator[Callable[[bytes], None]]:
        """Begin a member, `large` if it may pass 2 GiB; yields what takes its content, part by part."""
        if name in self._files or name == MANIFEST:
            raise ValueError(f"package: {name} is there already")
        digest, size = sha256(), 0
        with self._zip.open(_about(name), "w", force_zip64=large) as member:

            def write(part: bytes) -> None:
                nonlocal size
                digest.update(part)
                size += len(part)
                member.write(part)

            yield write
        self._files[name] = {"sha256": digest.hexdigest(), "size": size}

    def add(self, name: str, content: bytes) -> None:
        """Add a whole member."""
        with self.member(name, large=False) as write:
            write(content)

    def add_json(self, name: str, value: object) -> None:
        """Add a value as JSON."""
        self.add(name, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())

    def finish(self, about: Mapping[str, JSON]) -> None:
        """Write the manifest, which holds `about` and the list of the members; nothing can follow it."""
        with self._zip.open(_about(MANIFEST), "w") as member:
            member.write(canonical({**about, "files": self._files}))


def _about(name: str) -> zipfile.ZipInfo:
    if not name.isascii():
        raise ValueError("package: names are ASCII")
    about = zipfile.ZipInfo(name, _DATE)
    about.compress_type = zipfile.ZIP_DEFLATED
    return about
