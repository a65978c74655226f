"""What a source may say of a record, drawn at random: as a document of XML or JSON, and as what must be read of it.

The forms of single values are tested on their own; here they are asked, text by text.
"""

import json
import re
from dataclasses import dataclass
from random import Random
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from schemas.exchange import Notice
from schemas.fields import Branch, Leaf, Shape
from schemas.forms import Unmapped

Tree = dict[str, Any]
Path = tuple[str, ...]

SPACE = "urn:source"
TEXTS = (
    "", " ", "\t\n", "\u00a0", "0", "1", "2", "01", "02", "99", "DN", "true", "false", "Y", "N", "X9", "-0", "12.50",
    "1e3", "20240229", "199012", "1975", "29/02/2024", "31/02/2024", "12/1990", "2024-02-29", "2024-13-01",
    "20240229101112", "20249929101112", "Nguyê\u0303n Thi\u0323", "Ng & <b>\"Đ\"</b> ]]> 'x'", "𠮷", "001090000001",
)  # fmt: skip


class Said:
    """What the source says at one place: nothing, nil (JSON's null) or a text."""

    def __init__(self, random: Random) -> None:
        self.kind = random.choice(["absent", "nil", "text", "text", "text"])
        self.text = random.choice(TEXTS) if self.kind == "text" else None


class Source:
    """One record as the source says it: texts by path, records by path, and beside them what we must read."""

    def __init__(self, shape: Shape, random: Random, at: str = "/data") -> None:
        self.texts: dict[Path, Said] = {}
        self.lists: dict[Path, list[str]] = {}
        self.records: dict[Path, list[Source]] = {}
        self.data: Tree = {}
        self.notices: list[Notice] = []
        for member in shape.members:
            where = f"{at}/{member.name}"
            if isinstance(member, Branch):
                self._branch(member, random, where)
            elif member.many:
                texts = [random.choice(TEXTS) for _ in range(random.randrange(4))]
                self.lists[member.paths[0]] = texts
                self.data[member.name] = [self._read(member, [text], f"{where}/{n}") for n, text in enumerate(texts)]
            else:
                heard = [self.texts.setdefault(path, Said(random)) for path in member.paths]
                texts = [one.text for one in heard]
                known = any(text is not None for text in texts)
                self.data[member.name] = self._read(member, texts, where) if known else None

    def _branch(self, member: Branch, random: Random, where: str) -> None:
        count = random.randrange(4) if member.many else random.randrange(2)
        found = [Source(member.shape, random, f"{where}/{n}" if member.many else where) for n in range(count)]
        # An element or object that holds nothing is a way of saying that there is none; tested on its own.
        found = [one for one in found if one.speaks] if all(one.speaks for one in found) else []
        self.records[member.path] = found
        for one in found:
            self.notices += one.notices
        data = [one.data for one in found]
        self.data[member.name] = data if member.many else data[0] if data else None

    @property
    def speaks(self) -> bool:
        """Whether anything at all is written of this record."""
        return (
            any(one.kind != "absent" for one in self.texts.values())
            or any(self.lists.values())
            or any(self.records.values())
        )

    def _read(self, member: Leaf, texts: list[str | None], where: str) -> Any:
        try:
            return member.form.read(*texts)
        except Unmapped as unmapped:
            self.notices.append(Notice(unmapped.code, where, unmapped.original))
            return None


def xml_of(source: Source, name: str, random: Random) -> str:
    """Write a record as an element, with unknown neighbours, white space, references and CDATA here and there."""
    attributes, tree = "", _Node()
    for path, one in source.texts.items():
        if path[-1].startswith("@"):
            attributes += f" {path[-1][1:]}={quoteattr(one.text)}" if one.text is not None else ""
        elif one.kind == "nil":
            tree.put(path, f'<{path[-1]} xsi:nil="{random.choice(["true", "1"])}"/>')
        elif one.text is not None:
            tree.put(path, f"<{path[-1]}>{_written(one.text, random)}</{path[-1]}>")
    for path, texts in source.lists.items():
        for text in texts:
            tree.put(path, f"<{path[-1]}>{_written(text, random)}</{path[-1]}>")
    for path, records in source.records.items():
        for record in records:
            tree.put(path, xml_of(record, path[-1], random))
        if not records and random.random() < 0.5:
            tree.put(
                path, random.choice([f"<{path[-1]}/>", f'<{path[-1]} xsi:nil="true"/>', f"<{path[-1]}> </{path[-1]}>"])
            )
    return f"<{name}{attributes}>{tree.xml(random)}</{name}>"


class _Node:
    """Children by name, in the order in which they came."""

    def __init__(self) -> None:
        self.below: dict[str, _Node] = {}
        self.here: list[str] = []

    def put(self, path: Path, element: str) -> None:
        if len(path) == 1:
            self.here.append(element)
        else:
            self.below.setdefault(path[0], _Node()).put(path[1:], element)

    def xml(self, random: Random) -> str:
        parts = self.here + [f"<{name}>{node.xml(random)}</{name}>" for name, node in self.below.items()]
        parts += [f'<MoiThem a="1">{random.random()}<Ten>x</Ten></MoiThem>', '<Ten xmlns="urn:other">y</Ten>']
        # Names come in any order, the items of a list in their own.
        names = sorted({_name(part) for part in parts})
        random.shuffle(names)
        parts.sort(key=lambda part: names.index(_name(part)))
        return "\n ".join(parts) if random.random() < 0.5 else "".join(parts)


def _name(element: str) -> str:
    return element[1:].partition(">")[0].partition(" ")[0].rstrip("/")


def _written(text: str, random: Random) -> str:
    """Character data in one of the ways that XML has."""
    way = random.randrange(3)
    if way == 0 and "]]>" not in text and text:
        return f"<![CDATA[{text}]]>"
    if way == 1:
        return "".join(f"&#{ord(letter)};" for letter in text)
    return escape(text)


def json_of(source: Source, random: Random) -> Tree:
    """Write a record as an object; a list of one may lose its list, a single record may get one."""
    made: Tree = {"moiThem": [{"a": None}]}
    for path, one in source.texts.items():
        if one.kind == "nil":
            _put(made, path, None)
        elif one.text is not None:
            _put(made, path, _scalar(one.text, random))
    for path, texts in source.lists.items():
        values = [_scalar(text, random) for text in texts]
        _put(made, path, values[0] if len(values) == 1 and random.random() < 0.5 else values)
    for path, records in source.records.items():
        below: list[Any] = [json_of(record, random) for record in records]
        if not below:
            _put(made, path, random.choice([None, "", []]))
        else:
            _put(made, path, below[0] if len(below) == 1 and random.random() < 0.5 else below)
    return made


def _put(made: Tree, path: Path, value: Any) -> None:
    for segment in path[:-1]:
        made = made.setdefault(segment, {})
    made[path[-1]] = value


def _scalar(text: str, random: Random) -> Any:
    """The text, or the number or truth value that is written with the same signs."""
    if random.random() < 0.5 and (text in ("true", "false") or re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", text)):
        return Bare(text)
    return text


@dataclass(frozen=True)
class Bare:
    """A JSON value without quotation marks, written exactly as it came."""

    text: str


def bytes_of(tree: Tree, random: Random) -> bytes:
    """JSON, with characters as they are or as escapes."""
    text = json.dumps(_marked(tree), ensure_ascii=random.random() < 0.5)
    return re.sub(r'"(?:\\ue000|\ue000)(.*?)(?:\\ue000|\ue000)"', r"\1", text).encode()


def _marked(value: Any) -> Any:
    """Put a sign that nobody else uses around what loses its quotation marks."""
    if isinstance(value, Bare):
        return f"\ue000{value.text}\ue000"
    if isinstance(value, dict):
        return {name: _marked(item) for name, item in value.items()}
    return [_marked(item) for item in value] if isinstance(value, list) else value
