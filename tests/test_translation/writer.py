"""Writes a thing as any stack might: prefixes, references, CDATA, white space, quotes, nil in all spellings; JSON too.

It knows XML and JSON and nothing of the gateway. All that it may choose says the same.
"""

import json
import re
from random import Random
from typing import Any

from tests.test_translation.foreign import SPACE, XSI

Tree = dict[str, Any]
STATUS = {"open": "1", "closed": "2", None: None}


def as_source(thing: Tree) -> Tree:
    """The thing by the names and codes of the source, in the order of its contract."""
    valid = thing["valid"]
    return {
        "Ten": thing["name"],
        "SoTien": thing["amount"],
        "SoLuong": None if thing["count"] is None else str(thing["count"]),
        "HieuLuc": None if valid is None else str(valid).lower(),
        "Ngay": thing["day"],
        "TrangThai": STATUS[thing["status"]],
        "CoQuan": None if thing["office"] is None else {"Ma": thing["office"]},
        "Phan": thing["part"] and _part(thing["part"]),
        "DanhSach": {"Muc": [_part(part) for part in thing["parts"]]},
        "Nhan": thing["labels"],
    }


def _part(part: Tree) -> Tree:
    return {"Ten": part["name"], "SoTien": part["amount"]}


class XmlWriter:
    """Writes elements of one namespace, or of none."""

    def __init__(self, random: Random, space: str) -> None:
        self.random = random
        self.space = space
        self.nil = random.choice(["xsi", "i", "_x.1-"])
        self.prefix = random.choice(["", "a", "Đ1", "soap"]) if space else ""

    def element(self, name: str, value: Any, prefix: str = "", attributes: tuple[str, ...] = ()) -> str:
        """One element; `prefix` is what stands for the namespace where it is written."""
        random, declared = self.random, list(attributes)
        if self.space and random.random() < 0.2:
            prefix = random.choice(["", "b", "c.d"])
            declared.append(f"xmlns{':' if prefix else ''}{prefix}={self.quoted(self.space)}")
        if random.random() < 0.1:
            declared.append(f"xmlns:unused={self.quoted('urn:unused')}")
        if value is None:
            nil = random.choice(["true", "1", " true", "\n1 "])
            declared += [f"xmlns:{self.nil}={self.quoted(XSI)}", f"{self.nil}:nil={self.quoted(nil)}"]
        inside = "" if value is None else self.text(value) if isinstance(value, str) else self.members(value, prefix)
        random.shuffle(declared)
        tag = f"{prefix}:{name}" if prefix else name
        opening = tag + "".join(random.choice([" ", "\n\t", "  "]) + one for one in declared) + random.choice(["", " "])
        if not inside and random.random() < 0.5:
            return f"<{opening}/>"
        return f"<{opening}>{inside}</{tag}{random.choice(['', ' '])}>"

    def members(self, tree: Tree, prefix: str) -> str:
        random, parts = self.random, []
        for name, value in tree.items():
            for item in value if isinstance(value, list) else [value]:
                if item is None and random.random() < 0.5:
                    continue
                parts.append(self.element(name, item, prefix))
        space = random.choice(["", "\n  ", " \t\r\n"])
        return space + space.join(parts) + space if parts else ""

    def quoted(self, text: str) -> str:
        """An attribute's value in either kind of quotation marks."""
        mark = self.random.choice("\"'")
        text = re.sub("[&<\t\n\r" + mark + "]", lambda found: f"&#{ord(found[0])};", text)
        return f"{mark}{text}{mark}"

    def text(self, text: str) -> str:
        """Character data, letter by letter or in CDATA sections."""
        if text and self.random.random() < 0.3 and "\r" not in text:
            place = self.random.randrange(len(text) + 1)
            return "".join(self.section(half) for half in (text[:place], text[place:]))
        return "".join(map(self.letter, text))

    def section(self, text: str) -> str:
        return f"<![CDATA[{text.replace(']]>', ']]]]><![CDATA[>')}]]>"

    def letter(self, letter: str) -> str:
        names = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}
        ways = [names.get(letter, letter), f"&#{ord(letter)};", f"&#x{ord(letter):x};", f"&#x000{ord(letter):X};"]
        return self.random.choice(ways[1:] if letter == "\r" else ways)


def xml(thing: Tree, random: Random, space: str) -> tuple[str, str]:
    """The element `Thu` of a thing, and how its namespace was declared for it."""
    writer = XmlWriter(random, space)
    mark = () if thing["mark"] is None else (f"dau={writer.quoted(thing['mark'])}",)
    if not space:
        return writer.element("Thu", as_source(thing), "", mark), ""
    declared = f"xmlns{':' if writer.prefix else ''}{writer.prefix}={writer.quoted(space)}"
    inside = writer.element("Thu", as_source(thing), writer.prefix, mark)
    name = f"{writer.prefix}:HoiResponse" if writer.prefix else "HoiResponse"
    return f"<{name} {declared}>{inside}</{name}>", declared


def soap(thing: Tree, random: Random, version_space: str) -> bytes:
    """An envelope around it."""
    payload, _ = xml(thing, random, SPACE)
    prefix = random.choice(["soap:", "SOAP-ENV:", "s:", ""])
    declared = f'xmlns{":" if prefix else ""}{prefix.rstrip(":")}="{version_space}"'
    head = random.choice(["", '<?xml version="1.0"?>', "<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>\n"])
    header = random.choice(["", f"<{prefix}Header/>", f"<{prefix}Header><x xmlns='urn:x'>1</x></{prefix}Header>"])
    body = f"<{prefix}Envelope {declared}>{header}<{prefix}Body>{payload}</{prefix}Body></{prefix}Envelope>"
    return (random.choice(["", "\ufeff"]) + head + body + random.choice(["", "\n"])).encode()


_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class JsonWriter:
    """Writes JSON; what may be a number or a truth value sometimes is one."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def value(self, value: Any) -> str:
        random = self.random
        space = random.choice(["", " ", "\r\n\t"])
        if value is None:
            return "null"
        if isinstance(value, str):
            if random.random() < 0.5 and (_NUMBER.fullmatch(value) or value in ("true", "false")):
                return value
            return '"' + "".join(map(self.letter, value)) + '"'
        if isinstance(value, list):
            if len(value) == 1 and random.random() < 0.5:
                return self.value(value[0])
            return f"[{space}{','.join(map(self.value, value))}{space}]"
        members = [(name, item) for name, item in value.items() if item is not None or random.random() < 0.5]
        random.shuffle(members)
        members.append(("moi", "x"))
        return "{" + ",".join(f"{space}{self.value(name)}{space}:{self.value(item)}" for name, item in members) + "}"

    def letter(self, letter: str) -> str:
        plain = json.dumps(letter, ensure_ascii=False)[1:-1]
        return self.random.choice([plain, plain, json.dumps(letter)[1:-1]])


def rest(thing: Tree, random: Random) -> bytes:
    """An object with it at `Thu`."""
    body = JsonWriter(random).value({"Thu": as_source(thing)})
    return (random.choice(["", "\ufeff"]) + body + random.choice(["", "\r\n"])).encode()
