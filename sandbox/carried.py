"""What somebody changed in the `gateway.toml` of a demo stays when the demo writes it anew (giữ thay đổi).

Beside it stands what the demo wrote last. What differs from that was changed by somebody and is carried into what the
demo writes now, with its new ports; where both changed the same lines, theirs stand.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from pathlib import Path


def kept(path: Path, made: str) -> str | None:
    """Write a file that the demo makes; return what to tell about it, None where nobody had changed it.

    Raises OSError, UnicodeDecodeError.
    """
    before = path.with_name(path.name + ".made")
    standing = path.read_text(encoding="utf-8") if path.exists() else None
    text, told = made, None
    if standing is not None and standing != made:
        if not before.exists():
            # Whether it is as an earlier release made it, nobody knows.
            aside = path.with_name(path.name + ".before")
            _write(aside, standing)
            told = f"{path.name} was written anew; the one before is {aside}: copy from it what you had changed"
        elif standing != (base := before.read_text(encoding="utf-8")):
            text = merged(base, standing, made)
            told = f"{path.name}: what was changed in it stands; what the demo itself writes is in {before}"
    _write(path, text)
    _write(before, made)
    return told


def merged(base: str, theirs: str, ours: str) -> str:
    """Carry what `theirs` changed in `base` into `ours`, by lines; where both changed the same, theirs stands."""
    old, new, changed = (text.splitlines(keepends=True) for text in (base, ours, theirs))
    # Which line of theirs each line of the base is, where they left it alone.
    stands = {
        block.a + step: block.b + step
        for block in SequenceMatcher(None, old, changed, autojunk=False).get_matching_blocks()
        for step in range(block.size)
    }
    lines: list[str] = list(changed)
    # From the end, so that places before a change stay what they are.
    for kind, first, last, start, end in reversed(SequenceMatcher(None, old, new, autojunk=False).get_opcodes()):
        if kind == "equal":
            continue
        if first == last:
            # Behind the line that it follows, where that is still there.
            place = stands.get(first - 1, -1) + 1 if first else 0
            if place or not first:
                lines[place:place] = new[start:end]
            continue
        places = [stands.get(number) for number in range(first, last)]
        if places[0] is not None and places == list(range(places[0], places[0] + len(places))):
            lines[places[0] : places[0] + len(places)] = new[start:end]
        elif last - first == end - start:
            for offset, each in enumerate(places):
                if each is not None:
                    lines[each] = new[start + offset]
    return "".join(lines)


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.touch(mode=0o600)
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
