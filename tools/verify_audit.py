#!/usr/bin/env python3
with open(__file__, "rb") as itself:
    # One statement, first of all: the beginning of a file that was cut off would check nothing and end with 0.
    if __name__ == "__main__" and not itself.read().rstrip().endswith(b"# The end of verify_audit.py"):
        raise SystemExit(print("verify_audit.py bị cắt cụt, hãy lấy lại; it was cut off, get it anew") or 2)
__doc__ = """Check evidence of an LGSP gateway without the gateway (kiểm tra bằng chứng, không cần cổng).

    python3 verify_audit.py FILE... --key FILE [--checkpoint FILE]... [--lang vi|en] [--json]

FILE is a receipt (the whole answer, or its member `receipt`), an inclusion proof, a consistency proof, a checkpoint, an
export or archive of the log, the bundle of one exchange, or a report with several (ZIP); what is in it tells. The key
file holds C2SP verifier keys, one a line: those of the log, all its generations, and those of witnesses. It is where
trust begins: take it from somebody other than whoever gave you the evidence. With --checkpoint every FILE must also
be shown to be of one history with that checkpoint, by an export or a consistency proof among the FILEs.

Exit status: 0 all that the files claim is shown; 1 something does not hold, or is not shown; 2 wrong use, or a file
that cannot be read. NOTE lines say what is not this tool's business, and what does that; they do not change the status.

One file, Python 3.9 or later, the standard library alone, also with `python3 -I -S`; it fetches, extracts and writes
nothing. Standards: RFC 9162 (Merkle tree), RFC 8032 (Ed25519), RFC 8785 (canonical JSON), C2SP signed-note,
tlog-checkpoint and tlog-cosignature.
"""

import argparse
import base64
import functools
import hashlib
import io
import json
import os
import re
import struct
import sys
import time
import zipfile
from collections import namedtuple

LARGEST_FILE = 64 << 20  # of what is read at once; entries and checkpoints of exports are read in blocks
LARGEST_NOTE, MOST_LINES = 64 << 10, 256
LARGEST_ENTRY, BLOCK = 4 << 20, 1 << 20
LARGEST_INTEGER = 2**53 - 1  # RFC 7493: what every reader of JSON keeps exact


class Told(Exception):
    """What stops a check: the key of a text in TEXTS and what to fill in."""

    def __init__(self, text, **values):
        super().__init__(text)
        self.text, self.values = text, values


class Wrong(Told):
    """It was read and does not hold."""


class Unreadable(Told):
    """It cannot be read as what it claims to be."""


# --- Ed25519: verification as in RFC 8032 section 5.1.7, without cofactor, all encodings canonical -------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)
NEUTRAL = (0, 1, 1, 0)  # a point is (X, Y, Z, T): x = X/Z, y = Y/Z, x*y = T/Z


def added(one, other):
    """The sum of two points (RFC 8032 section 5.1.4); these formulas hold for every pair of points."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c = 2 * one[3] * other[3] * D % P
    d = 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def decoded_point(raw):
    """RFC 8032 section 5.1.3; None for what is no point or not its canonical encoding."""
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if len(raw) != 32 or y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P != u:
        x = x * ROOT_OF_MINUS_1 % P
    if v * x * x % P != u or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


def multiples(point):
    """For each of the 64 digits of a number in base 16: the point times 0..15 at that place."""
    table = []
    for _ in range(64):
        row = [NEUTRAL]
        for _ in range(16):
            row.append(added(row[-1], point))
        point = row.pop()
        table.append(row)
    return table


def times(number, table):
    """number * point, with the table of the point."""
    total = NEUTRAL
    for row in table:
        total = added(total, row[number & 15])
        number >>= 4
    return total


@functools.lru_cache(maxsize=1)
def base_multiples():
    """The table of the base point (RFC 8032 section 5.1: y = 4/5, x even)."""
    return multiples(decoded_point((4 * pow(5, -1, P) % P).to_bytes(32, "little")))


@functools.lru_cache(maxsize=256)
def negated_multiples(public):
    """The table of minus the public key; None where the key is not a point."""
    point = decoded_point(public)
    return None if point is None else multiples((P - point[0], point[1], 1, P - point[3]))


def is_signed(public, message, signature):
    """Whether this is the Ed25519 signature of the key over the message: R = S*B - k*A."""
    table = negated_multiples(public)
    s = int.from_bytes(signature[32:], "little")
    if table is None or len(signature) != 64 or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    x, y, z, _ = added(times(s, base_multiples()), times(k, table))
    inverse = pow(z, -1, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


# --- The Merkle tree of RFC 9162 section 2.1 -------------------------------------------------------------------------


def leaf_hash(entry):
    """The hash of an entry as a leaf: SHA-256(0x00, entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left, right):
    """The hash of a node: SHA-256(0x01, left, right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(peaks):
    """The root of the tree whose complete subtrees have these roots, the largest first."""
    if not peaks:
        return hashlib.sha256(b"").digest()
    root = peaks[-1]
    for left in peaks[-2::-1]:
        root = node_hash(left, root)
    return root


def root_by_inclusion(index, size, leaf, proof):
    """The root that an inclusion proof leads to (RFC 9162 section 2.1.3.2); None if it does not fit the numbers."""
    fn, sn, r = index, size - 1, leaf
    if not 0 <= index < size:
        return None
    for p in proof:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return r if sn == 0 else None


def is_consistent(first, first_root, second, second_root, proof):
    """Whether the proof shows the first tree to be the beginning of the second (RFC 9162 section 2.1.4.2)."""
    if not 0 < first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root
    if first & (first - 1) == 0:
        proof = [first_root, *proof]
    if not proof:
        return False
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = proof[0]
    for c in proof[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return fr == first_root and sr == second_root and sn == 0


# --- JSON: strict reading, canonical writing (RFC 8785) --------------------------------------------------------------


def read_json(raw):
    """The value of a JSON text in UTF-8: each name once, no numbers but integers that every reader keeps exact."""

    def members(pairs):
        found = dict(pairs)
        if len(found) != len(pairs):
            raise Unreadable("malformed", what="JSON, a name twice")
        return found

    def integer(text):
        if len(text) > 17 or text == "-0" or abs(int(text)) > LARGEST_INTEGER:
            refuse(text)
        return int(text)

    def refuse(_text):
        raise Unreadable("number")

    return json.loads(
        raw.decode("utf-8"), object_pairs_hook=members, parse_int=integer, parse_float=refuse, parse_constant=refuse
    )


def canonical(value):
    """The one encoding of a value (RFC 8785): names in the order of their UTF-16 units, no space, few escapes."""

    def ordered(value):
        if isinstance(value, dict):
            return {name: ordered(value[name]) for name in sorted(value, key=lambda name: name.encode("utf-16-be"))}
        return [ordered(each) for each in value] if isinstance(value, list) else value

    return json.dumps(ordered(value), ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def unpacked(text, size=None):
    """The bytes of a base64 text in its only spelling (RFC 4648 section 4), of this size."""
    raw = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    if packed(raw) != text or (size is not None and len(raw) != size):
        raise Unreadable("malformed", what="base64")
    return raw


def packed(raw):
    """Bytes as base64."""
    return base64.b64encode(raw).decode()


def hashes(texts):
    """A list of SHA-256 values in base64; no proof needs more than 128."""
    if not isinstance(texts, list) or len(texts) > 128:
        raise Unreadable("malformed", what="proof")
    return [unpacked(text, 32) for text in texts]


def number(value):
    """A size or an index."""
    if type(value) is not int or value < 0:
        raise Unreadable("malformed", what="index, size")
    return value


def has_members(document, needed, allowed=()):
    """Refuse a document that lacks a member, or has one that nothing is known about."""
    if not isinstance(document, dict) or not set(needed) <= set(document) <= {*needed, *allowed}:
        raise Unreadable("members", names=", ".join(needed))


# --- Keys and signed notes (C2SP signed-note, tlog-checkpoint, tlog-cosignature) -------------------------------------

LOG_KEY, WITNESS_KEY = 0x01, 0x04  # signature types: Ed25519 over the text; Ed25519 over a time and the text

Key = namedtuple("Key", "name kind public")  # of a log or a witness
Tree = namedtuple("Tree", "origin size root")  # the state of a log: which, of how many entries, the root over them
# A checkpoint that the log signed: who cosigned it and when, and who signed with a key that we do not have.
Note = namedtuple("Note", "tree text cosigned unknown")


def is_key_name(name):
    """signed-note: not empty, no space of any kind, no plus sign."""
    return bool(name) and "+" not in name and not any(each.isspace() for each in name)


def read_key(line):
    """A vkey, NAME+ID+KEY: the id is the beginning of SHA-256(name, LF, type and key). By name and id."""
    name, _, rest = line.partition("+")
    key_id, _, text = rest.partition("+")
    raw = unpacked(text, 33)
    table = negated_multiples(raw[1:])
    # A key of small order, which times eight is neutral, would vouch for whatever anybody writes.
    if not is_key_name(name) or raw[0] not in (LOG_KEY, WITNESS_KEY) or table is None or times(8, table)[0] == 0:
        raise Unreadable("malformed", what="vkey")
    if hashlib.sha256(name.encode() + b"\n" + raw).hexdigest()[:8] != key_id:
        raise Unreadable("malformed", what="vkey id")
    return (name, bytes.fromhex(key_id)), Key(name, raw[0], raw[1:])


def read_keys(raw):
    """A file of vkeys by name and id; empty lines and those with # are skipped."""
    lines = [line.strip() for line in text_of(raw.replace(b"\r\n", b"\n")).split("\n")]
    keys = dict(read_key(line) for line in lines if line and not line.startswith("#"))
    if not keys:
        raise Unreadable("malformed", what="no keys")
    return keys


def text_of(raw):
    """UTF-8 text without control characters but the line feed."""
    text = raw.decode("utf-8")
    if re.search("[\x00-\x09\x0b-\x1f]", text):
        raise Unreadable("malformed", what="text")
    return text


def read_note(text, keys):
    """Open a checkpoint: the log's signature must hold, none by a key we have may fail, those by others are named."""
    text = text_of(text if isinstance(text, bytes) else text.encode("utf-8"))
    body, _, signatures = text.rpartition("\n\n")
    lines, raw = body.split("\n"), (body + "\n").encode("utf-8")
    too_long = len(text) > LARGEST_NOTE or text.count("\n") > MOST_LINES
    if not signatures.endswith("\n") or len(lines) < 3 or "" in lines or too_long:
        raise Unreadable("malformed", what="checkpoint")
    if not re.fullmatch("0|[1-9][0-9]{0,18}", lines[1]) or int(lines[1]) >> 63:
        raise Unreadable("malformed", what="checkpoint size")
    tree = Tree(lines[0], int(lines[1]), unpacked(lines[2], 32))
    if tree.size == 0 and tree.root != root_of([]):
        raise Wrong("altered", size=0)
    cosigned, unknown, by_log = [], [], False
    for line in signatures[:-1].split("\n"):
        name, _, blob = line[2:].partition(" ")
        blob = unpacked(blob)
        if line[:2] != "— " or not is_key_name(name) or len(blob) < 5:
            raise Unreadable("malformed", what="signature line")
        key, signature, message = keys.get((name, blob[:4])), blob[4:], raw
        if key is None:
            unknown.append(name)
            continue
        if key.kind == WITNESS_KEY:
            at, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            message = b"cosignature/v1\ntime %d\n" % at + raw
            cosigned.append((name, at))
        if not is_signed(key.public, message, signature):
            raise Wrong("signature", name=name)
        by_log = by_log or (key.kind == LOG_KEY and name == tree.origin)
    if not by_log:
        raise Wrong("unsigned", origin=tree.origin)
    return Note(tree, raw, cosigned, unknown)


# --- ZIP archives with a manifest ------------------------------------------------------------------------------------

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
MOST_MEMBERS = 4096


class Archive:
    """A ZIP of stored or deflated members: what its manifest names and nothing else, without a gap between them."""

    def __init__(self, file):
        """Look at the container and its manifest; `blocks` holds the other members against it."""
        self.file = file
        self._look_at_end()
        self.zip = zipfile.ZipFile(self.file)
        self._look_at_members()
        raw = b"".join(self._stream("manifest.json", LARGEST_FILE))
        self.manifest = read_json(raw)
        if canonical(self.manifest) != raw:
            raise Unreadable("malformed", what="manifest.json")
        self.files = self.manifest["files"]
        for about in self.files.values():
            has_members(about, ("sha256", "size"))
        different = (set(self.members) - {"manifest.json"}) ^ set(self.files)
        if different:
            raise Wrong("files", names=", ".join(sorted(different)))

    def _look_at_end(self):
        """Refuse a directory that is too large to be read at once, before it is."""
        self.file.seek(max(0, self.file.seek(0, os.SEEK_END) - 98))
        self.end = self.file.read()
        self.is_zip64 = len(self.end) == 98 and self.end[:4] == b"PK\6\6" and self.end[56:60] == b"PK\6\7"
        directory = self.end[40:48] if self.is_zip64 else self.end[-10:-6]
        if int.from_bytes(directory, "little") > MOST_MEMBERS * 256:
            raise Unreadable("malformed", what="ZIP")

    def _look_at_members(self):
        infos = self.zip.infolist()
        self.members = {info.filename: info for info in infos}
        at = 0
        for info in infos:
            if (
                not NAME.fullmatch(info.orig_filename)
                or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
                or info.flag_bits
                or info.reserved
                or info.extra[:2] not in (b"", b"\1\0")  # nothing, or the sizes of a large file
                or len(info.extra) > 28
                or info.header_offset != at
            ):
                raise Unreadable("malformed", what=f"ZIP, {info.filename}")
            at = self._end_of(info)
        self.file.seek(at)
        for info in infos:  # `zipfile` is content with lengths that reach beyond the directory
            head, length = self.file.read(46), len(info.filename)
            if head[:4] != b"PK\1\2" or head[28:36] != struct.pack("<4H", length, len(info.extra), 0, 0):
                raise Unreadable("malformed", what="ZIP directory")
            self.file.seek(length + len(info.extra), os.SEEK_CUR)
        directory = sum(46 + len(info.filename) + len(info.extra) for info in infos)
        count = len(infos)  # no more than a directory of a megabyte has room for
        expected = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, directory, min(at, 0xFFFFFFFF), 0)
        if self.is_zip64:
            record = (b"PK\6\6", 44, 45, 45, 0, 0, count, count, directory, at)
            expected = struct.pack("<4sQ2H2L4Q4sLQL", *record, b"PK\6\7", 0, at + directory, 1) + expected
        told = count == len(self.members) <= MOST_MEMBERS and self.end.endswith(expected)
        if not told or "manifest.json" not in self.members:
            raise Unreadable("malformed", what="ZIP, a name twice, gaps or extras")

    def _end_of(self, info):
        """Where a member ends. Its own header must say what the directory says: readers differ in which they follow."""
        self.file.seek(info.header_offset)
        head = struct.unpack("<4s5H3L2H", self.file.read(30))
        name, extra = self.file.read(head[-2]), self.file.read(head[-1])
        year, month, day, hour, minute, second = info.date_time
        clock = (hour << 11 | minute << 5 | second >> 1, year - 1980 << 9 | month << 5 | day)
        sizes = (info.compress_size, info.file_size)
        # The version that is needed: 4.5 for what is large, which the directory alone may say of a far-off member.
        version = head[1] if (head[1], info.extract_version) == (20, 45) else info.extract_version
        stated = (b"PK\3\4", version, 0, info.compress_type, *clock, info.CRC)
        if extra == struct.pack("<HHQQ", 1, 16, *sizes[::-1]):  # ZIP64: here as well, or here instead
            extra, sizes = b"", sizes if head[7:9] == sizes else (0xFFFFFFFF, 0xFFFFFFFF)
        if head[:-2] != (*stated, *sizes) or name != info.filename.encode() or extra:
            raise Unreadable("malformed", what=f"ZIP, {info.filename}")
        return self.file.tell() + info.compress_size

    def _stream(self, name, limit):
        info = self.members[name]
        if info.file_size > limit:
            raise Unreadable("malformed", what=f"{name}, too large")
        with self.zip.open(info) as member:
            while True:
                block = member.read(BLOCK)
                if not block:
                    return
                yield block

    def blocks(self, name, limit=1 << 62):
        """The content of a member, block after block; raises at its end when it is not what the manifest names."""
        if name not in self.files:
            raise Wrong("files", names=name)
        digest, size = hashlib.sha256(), 0
        for block in self._stream(name, limit):
            digest.update(block)
            size += len(block)
            yield block
        if {"sha256": digest.hexdigest(), "size": size} != self.files[name]:
            raise Wrong("digest", name=name)

    def read(self, name):
        """The content of a small member."""
        return b"".join(self.blocks(name, LARGEST_FILE))


def batches_of_lines(blocks, longest):
    """Lists of lines, each without its line feed; the last line must have one."""
    rest = b""
    for block in blocks:
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        if len(rest) > longest:
            raise Unreadable("malformed", what="line, too long")
        yield lines
    if rest:
        raise Unreadable("malformed", what="last line")


def notes_of(blocks):
    """The checkpoints of a `checkpoints.txt`; between them stands a line of two hyphens."""
    lines = []
    for batch in batches_of_lines(blocks, LARGEST_NOTE):
        for line in batch:
            if line == b"--":
                yield b"\n".join([*lines, b""])
                lines = []
            elif len(lines) == MOST_LINES:
                raise Unreadable("malformed", what="checkpoint, too long")
            else:
                lines.append(line)
    yield b"\n".join([*lines, b""])


# --- Entries and their commitments -----------------------------------------------------------------------------------


def commitments(entry):
    """All commitments of an entry by the name that openings give them: `data`, `request_messages/0`, `subjects/0`..."""
    found, made = {}, dict(entry.get("commitments", {}))
    made["subjects"] = [each["commitment"] for each in entry.get("subjects", [])]
    if isinstance(entry.get("officer"), dict):
        made["officer"] = entry["officer"]["commitment"]
    for name, value in made.items():
        several = isinstance(value, list)
        found.update({f"{name}/{place}": each for place, each in enumerate(value)} if several else {name: value})
    return found


def committed(salt, content):
    """The commitment to a content: SHA-256(salt, content) in base64."""
    return packed(hashlib.sha256(salt + content).digest())


def stated(entry):
    """What an entry says about the members of its answer beside `data` and `receipt`: the only right values."""
    details, outcome = entry.get("details", {}), entry.get("outcome", {})
    exchange = {name: entry.get(name) for name in ("id", "database", "operation")}
    exchange.update(fields=entry.get("fields", []), signature=None)
    if "signer" in details:  # its certificate; its name is not there
        exchange["signature"] = {name: details.get(f"signer_{name}") for name in ("domain", "revocation")}
        exchange["signature"].update(status="valid", certificate=details["signer"], signed_at=details.get("signed_at"))
    said = {"exchange": exchange, "request_id": entry.get("request_id"), "status": outcome.get("status")}
    if outcome.get("code") != "ok":
        return {**said, "code": outcome.get("code"), "reason": outcome.get("reason")}
    # Something was handed in: `code` is that of its dossier.
    said.update(code=entry.get("dossier"), delivery=None if details.get("deliver") is False else entry.get("id"))
    said.update({name: details[name] for name in ("version", "adopted") if name in details})
    return {**said, "acknowledged_by": entry.get("caller", {}).get("client")}


def compared(told, said, within=""):
    """The members of an answer by path: whether each is what is said, None where nothing is said about it."""
    for name, value in told.items():
        if isinstance(value, dict) and isinstance(said.get(name), dict):
            yield from compared(value, said[name], f"{within}{name}.")
        else:
            yield within + name, canonical(value) == canonical(said[name]) if name in said else None


def told_by(entry):
    """What an entry says in one line."""
    said = [entry.get(name) for name in ("at", "kind", "database", "operation", "purpose", "dossier")]
    said += [entry.get("caller", {}).get("client"), entry.get("outcome", {}).get("code")]
    return ", ".join(str(each) for each in said if each is not None)


# --- What the files claim, each by itself and all together -----------------------------------------------------------

RECEIPT = ("log", "index", "leaf", "salt", "checkpoint")
EXPORTED = {"entries.jsonl", "frontier.json", "checkpoints.txt", "keys.txt"}
REPORTED = re.compile(r"report\.html|keys\.txt|consistency\.json|checkpoints/(begin|end)\.txt|bundles/[0-9]{12}\.zip")
BUNDLED = re.compile(
    r"(entry|proof|openings)\.json|(checkpoint|keys)\.txt|certificates\.pem|timestamp\.tsr|revocation/[^/]+\.der"
)
# As the gateway writes them, so that nobody reads another one first.
CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----\n((?:[^-\n]{64}\n)*[^-\n]{1,64}\n)-----END CERTIFICATE-----\n")


class Run:
    """One run over all files: what was found, and what one file says that another may show."""

    def __init__(self, keys, language):
        self.keys, self.language, self.facts, self.said, self.is_cosigned = keys, language, [], set(), False
        self.trees = {}  # (origin, size) -> {root: the file that has it}
        self.later = {}  # tree -> trees that it was shown to be the beginning of
        self.entries = {}  # (origin, index) -> (leaf, the entry or None), proven
        self.short, self.consistency, self.exports, self.demanded, self.opened = [], [], [], [], []

    def say(self, kind, file, text, **values):
        """Add a fact about a file, once."""
        fact = (kind, printable(file), printable(TEXTS[text][self.language].format(**values)))
        if fact not in self.said:
            self.said.add(fact)
            self.facts.append(fact)

    def attempt(self, file, check, *arguments):
        """Run a check; what stops it is a fact too."""
        try:
            check(file, *arguments)
        except Told as failure:
            kind = "fails" if isinstance(failure, Wrong) else "unreadable"
            self.say(kind, file, failure.text, **failure.values)
        except Exception as failure:  # noqa: BLE001 - whatever a damaged or hostile file made happen: it is not verified
            self.say("unreadable", file, "unreadable", why=f"{type(failure).__name__}: {failure}")

    def status(self):
        """The exit status."""
        kinds = {fact[0] for fact in self.facts}
        return 1 if kinds & {"fails", "unshown"} else 2 if "unreadable" in kinds or "holds" not in kinds else 0

    def key_file(self, file):
        """A file of --key."""
        self.keys.update(read_keys(read_small(file)))

    def checkpoint_file(self, file):
        """A file of --checkpoint."""
        self.demanded += [(file, tree) for tree in self.notes(file, read_small(file))]

    def file(self, file):
        """A FILE: recognise it by its content."""
        with open(file, "rb") as opened:
            is_archive = opened.read(2) == b"PK"
        raw = b"" if is_archive else read_small(file)
        if is_archive:
            self.archive(file)
        elif raw.lstrip()[:1] == b"{":
            self.document(file, read_json(raw))
        elif raw.lstrip()[:1] == b"<":
            raise Unreadable("malformed", what="XML (SOAP): soap_answer.py -> JSON")
        elif "\n\n\N{EM DASH} " in text_of(raw):
            self.notes(file, raw)
        else:
            for place, key in read_keys(raw).items():
                known = self.keys.get(place) == key
                self.say("holds" if known else "unshown", file, "key" if known else "no-key", name=key.name)

    def document(self, file, document):
        """A JSON document of the API."""
        if isinstance(document.get("receipt"), dict):
            self.receipt(file, document["receipt"], document)
        elif "salt" in document:
            self.receipt(file, document, None)
        elif "from" in document:
            has_members(document, ("from", "to", "proof"))
            sizes = number(document["from"]), number(document["to"])
            self.consistency.append((file, *sizes, hashes(document["proof"])))
        else:
            self.proof(file, document)

    def notes(self, file, raw):
        """One checkpoint, or several with lines of two hyphens between; return their trees."""
        notes = [read_note(text, self.keys) for text in notes_of([raw])]
        for note in notes:
            self.note(file, note)
        return [note.tree for note in notes]

    def note(self, file, note):
        """Say what a checkpoint shows, and keep its tree."""
        self.say("holds", file, "checkpoint", size=note.tree.size, origin=note.tree.origin)
        self.cosigned(file, {name: (note.tree.size, at) for name, at in note.cosigned})
        for name in note.unknown:
            self.say("note", file, "unknown", name=name)
        self.keep(file, note.tree)

    def cosigned(self, file, witnesses):
        """Say who saw the log at which size, and when."""
        for name, (size, at) in witnesses.items():
            self.is_cosigned = True
            # As RFC 3339 tells it; beyond the year 9999 as it is.
            when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) if at < 253402300800 else at
            self.say("holds", file, "seen", name=name, size=size, at=when)

    def keep(self, file, tree):
        """Keep a tree; two of one size with different roots prove that the log was forked or rewritten."""
        known = self.trees.setdefault((tree.origin, tree.size), {})
        if known and tree.root not in known:
            self.say("fails", file, "fork", origin=tree.origin, size=tree.size, other=", ".join(known.values()))
        if known.get(tree.root) in (None, *(each for each, _ in self.demanded)):  # a FILE counts before a --checkpoint
            known[tree.root] = file

    def stands(self, origin, index, leaf, entry):
        """Keep a proven entry; two different ones at one place prove the same as two roots."""
        before = self.entries.setdefault((origin, index), (leaf, entry))
        if before[0] != leaf:
            raise Wrong("two-entries", origin=origin, index=index)
        self.entries[origin, index] = (leaf, before[1] or entry)

    def included(self, file, note, index, leaf, proof, entry=None):
        """Check an inclusion proof towards a checkpoint."""
        tree = note.tree
        if root_by_inclusion(index, tree.size, leaf, proof) != tree.root:
            raise Wrong("not-included", index=index, size=tree.size)
        self.note(file, note)
        self.stands(tree.origin, index, leaf, entry)
        self.say("holds", file, "included", index=index, origin=tree.origin, size=tree.size)

    def proof(self, file, document, entry=None):
        """An inclusion proof of the API."""
        has_members(document, ("index", "size", "leaf", "proof", "checkpoint"))
        note, leaf = read_note(document["checkpoint"], self.keys), unpacked(document["leaf"], 32)
        if note.tree.size != number(document["size"]) or (entry is not None and leaf_hash(entry) != leaf):
            raise Wrong("contradiction")
        self.included(file, note, number(document["index"]), leaf, hashes(document["proof"]), entry)
        return note.tree

    def receipt(self, file, receipt, answer):
        """A receipt, short or full, with the answer that it came in or alone."""
        is_full = "entry" in receipt
        has_members(receipt, (*RECEIPT, "entry", "proof") if is_full else RECEIPT)
        note, index = read_note(receipt["checkpoint"], self.keys), number(receipt["index"])
        leaf = unpacked(receipt["leaf"], 32)
        salt = None if receipt["salt"] is None else unpacked(receipt["salt"], 32)
        if receipt["log"] != note.tree.origin or index >= note.tree.size:
            raise Wrong("contradiction")
        if not is_full:
            self.note(file, note)
            for other, *place, stated_leaf, _, _ in self.short:
                if place == [note.tree.origin, index] and stated_leaf != leaf:
                    self.say("fails", file, "two-receipts", other=other, index=index)
            self.short.append((file, note.tree.origin, index, leaf, salt, answer))
            return
        entry = unpacked(receipt["entry"])
        if leaf_hash(entry) != leaf:
            raise Wrong("contradiction")
        self.included(file, note, index, leaf, hashes(receipt["proof"]), entry)
        self.answer(file, read_json(entry), salt, answer)

    def answer(self, file, entry, salt, answer):
        """Hold an answer against its entry, and name what the entry says nothing about."""
        self.say("note", file, "entry", said=told_by(entry))
        if answer is None:
            self.say("note", file, "no-answer")
            return
        told = {name: value for name, value in answer.items() if name != "receipt"}
        # What has no member `data` is committed to as a whole, but for its receipt.
        commitment, is_whole = commitments(entry).get("data"), "data" not in told
        content = told if is_whole else told.pop("data")
        is_nothing = commitment is salt is None and (is_whole or content is None)
        if not is_nothing and (salt is None or committed(salt, canonical(content)) != commitment):
            raise Wrong("not-opened", name="data")
        proven = {} if is_whole and commitment is not None else dict(compared(told, stated(entry)))
        wrong, unproven = ([name for name in proven if proven[name] is verdict] for verdict in (False, None))
        if wrong:
            raise Wrong("exchange", names="`, `".join(wrong))
        if commitment is not None:
            self.say("holds", file, "opened", name="data")
        if unproven:
            self.say("note", file, "unproven", names=", ".join(unproven))

    def archive(self, file):
        """An export, a bundle or a report; exports wait until everything else was read."""
        self.opened.append(open(file, "rb"))
        archive = Archive(self.opened[-1])
        manifest = archive.manifest
        if manifest.get("format") == "lgsp-audit-report/1":
            has_members(manifest, ("format", "origin", "since", "before", "files"), ("absent",))
            self.report(file, archive)
        elif manifest.get("format") == "lgsp-audit-export/1":
            has_members(manifest, ("format", "origin", "first", "last", "root", "files"))
            tree = Tree(manifest["origin"], number(manifest["last"]), unpacked(manifest["root"], 32))
            self.exports.append((number(manifest["first"]), tree, file, archive))
        else:
            self.bundle(file, archive)

    def export(self, file, archive, first, last):
        """Grow the tree from the frontier over the entries up to the tree `last`; meet what other files ask for."""
        peaks = hashes(read_json(archive.read("frontier.json")))
        if not first < last.size or len(peaks) != bin(first).count("1") or not set(archive.files) <= EXPORTED:
            raise Unreadable("malformed", what="export")
        if "keys.txt" in archive.files:
            archive.read("keys.txt")
        # Where to stop and look: at checkpoints of its own, at trees of other files, behind entries of short receipts.
        sizes = {size for origin, size in self.trees if origin == last.origin}
        sizes |= {size for begin, tree, _, _ in self.exports for size in (begin, tree.size)}
        asked = {index for _, origin, index, *_ in self.short if origin == last.origin}
        stops = sorted({each for each in sizes | {index + 1 for index in asked} if first < each <= last.size})
        notes = (read_note(text, self.keys) for text in notes_of(archive.blocks("checkpoints.txt")))
        note, covered, checked, cosigned = next(notes), None, 0, {}
        met, found = [Tree(last.origin, first, root_of(peaks))], []
        size, stop, sha256 = first, min(stops[0], note.tree.size), hashlib.sha256
        for lines in batches_of_lines(archive.blocks("entries.jsonl"), LARGEST_ENTRY):
            if lines and note is None:  # what no checkpoint covers; it could be a bomb of line feeds
                raise Wrong("range", first=first, last=last.size - 1, end=size)
            for line in lines:
                # RFC 9162 section 2.1.2: a leaf joins the complete subtrees to its left.
                node, above = sha256(b"\x00" + line).digest(), size
                while above & 1:
                    node, above = sha256(b"\x01" + peaks.pop() + node).digest(), above >> 1
                peaks.append(node)
                size += 1
                if size != stop:
                    continue
                tree = Tree(last.origin, size, root_of(peaks))
                if note is not None and size == note.tree.size:
                    if note.tree != tree:
                        raise Wrong("altered", size=size)
                    covered, checked = tree, checked + 1
                    cosigned.update({name: (size, at) for name, at in note.cosigned})
                    note = next(notes, None)
                if stops and size == stops[0]:
                    del stops[0]
                    met.append(tree)
                    found += [(size - 1, line)] if size - 1 in asked else []
                stop = min([*stops[:1], *([note.tree.size] if note else [])], default=0)
        if size != last.size or note is not None or not met[-1] == covered == last:
            raise Wrong("range", first=first, last=last.size - 1, end=size - 1)
        self.say("holds", file, "export", first=first, last=last.size - 1, size=last.size, origin=last.origin)
        self.say("holds", file, "agree", count=checked)
        self.cosigned(file, cosigned)
        for tree in met if first else met[1:]:
            self.keep(file, tree)
            self.later.setdefault(tree, set()).add(last)
        for index, line in found:
            self.stands(last.origin, index, leaf_hash(line), line)

    def report(self, file, archive):
        """A report: bundles of entries, checkpoints at both ends of its period, and that one continues the other."""
        ends, trees, manifest = {}, set(), archive.manifest
        for name in sorted(archive.files, key=lambda name: (name[:8] == "bundles/", name)):
            content, label = archive.read(name), f"{file}/{name}"
            if not REPORTED.fullmatch(name):
                raise Unreadable("malformed", what="report")
            if name.startswith("bundles/"):
                trees.add(self.bundle(label, Archive(io.BytesIO(content)), int(name[8:20])))
            elif name.startswith("checkpoints/"):
                (ends[name[12:]],) = self.notes(label, content)
            elif name == "consistency.json":
                self.document(label, read_json(content))
        last = ends.pop("end.txt")
        if not trees <= {last} or {manifest["origin"]} != {last.origin, *(tree.origin for tree in ends.values())}:
            raise Wrong("contradiction")
        spans = {each[1:3] for each in self.consistency if each[0] == f"{file}/consistency.json"}
        if spans != {(tree.size, last.size) for tree in ends.values()}:
            raise Unreadable("malformed", what="report")
        self.say("note", file, "reported", since=manifest["since"], before=manifest["before"])
        self.absent(file, archive, REPORTED)

    def bundle(self, file, archive, index=None):
        """The bundle of one exchange, which is of this index."""
        large = sum(info.file_size for info in archive.members.values()) > 4 * LARGEST_FILE
        if large or not all(BUNDLED.fullmatch(name) for name in archive.files):
            raise Unreadable("malformed", what="bundle")
        manifest, content = archive.manifest, {name: archive.read(name) for name in archive.files}
        has_members(manifest, ("format", "index", "files"), ("origin", "absent"))
        if manifest["format"] != "lgsp-audit-bundle/1":
            raise Unreadable("malformed", what="manifest.json, format")
        entry, note = content["entry.json"], read_note(content["checkpoint.txt"], self.keys)
        document = read_json(content["proof.json"])
        tree = self.proof(file, document, entry)
        named = (number(manifest["index"]), manifest.get("origin", tree.origin), note.tree)
        if named != (document["index"], tree.origin, tree) or index not in (None, document["index"]):
            raise Wrong("contradiction")
        self.note(file, note)
        self.say("note", file, "entry", said=told_by(read_json(entry)))
        self.openings(file, commitments(read_json(entry)), content.get("openings.json"))
        self.signers(file, read_json(entry).get("details", {}), content.get("certificates.pem", b""))
        digest = hashlib.sha256(note.text)
        if "timestamp.tsr" in content and digest.digest() not in content["timestamp.tsr"]:
            raise Wrong("contradiction")
        for name in sorted(content):
            for pattern, command in COMMANDS:
                if re.match(pattern, name):
                    self.say("note", file, "beyond", name=name, command=command.format(name, digest.hexdigest()))
        self.absent(file, archive, BUNDLED)
        return tree

    def signers(self, file, details, pem):
        """Hold certificates to the entry, which names those of who signed; the first is the one that OpenSSL judges."""
        named = [details[name] for name in ("signer", "caller_signer") if name in details]
        if CERTIFICATE.sub(b"", pem):
            raise Unreadable("malformed", what="certificates.pem")
        there = [b"".join(each.split()).decode() for each in CERTIFICATE.findall(pem)]
        there = ["sha256:" + hashlib.sha256(unpacked(each)).hexdigest() for each in there]
        if there and there[0] not in named:
            raise Wrong("other-signer")
        for name in named:
            self.say(*(("holds", file, "signer") if name in there else ("note", file, "no-signer")), name=name)

    def absent(self, file, archive, possible):
        """Repeat what an archive says that it does not have."""
        for name, reason in archive.manifest.get("absent", {}).items():
            if not possible.fullmatch(name) or name in archive.files:
                raise Unreadable("malformed", what="manifest.json, absent")
            self.say("note", file, "absent", name=name, reason=reason)

    def openings(self, file, stated, raw):
        """Recompute the commitments of an entry whose salt and content were handed over."""
        document = {"format": "lgsp-openings/1", "openings": []} if raw is None else read_json(raw)
        has_members(document, ("format", "openings"))
        if document["format"] != "lgsp-openings/1":
            raise Unreadable("malformed", what="openings.json, format")
        by_field, fields = stated.pop("fields", None), {}  # the fields that were opened: place -> pointer
        for each in document["openings"]:
            if "pointer" in each:
                self.field(file, by_field, each, fields)
                continue
            has_members(each, ("name", "salt", "content"))
            # Taken off, so that none is opened twice.
            commitment = stated.pop(each["name"], None)
            if committed(unpacked(each["salt"], 32), unpacked(each["content"])) != commitment:
                raise Wrong("not-opened", name=each["name"])
            self.say("holds", file, "opened", name=each["name"])
        for name in [*stated, *(["fields"] if by_field and not fields else [])]:
            self.say("note", file, "closed", name=name)

    def field(self, file, stated, opening, before):
        """Recompute the commitment to the fields of an answer from one of them and the hashes of all."""
        has_members(opening, ("pointer", "value", "salt", "place", "leaves"))
        pointer, place, leaves = opening["pointer"], number(opening["place"]), opening["leaves"]
        leaves = [unpacked(each, 32) for each in leaves]
        content = unpacked(opening["salt"], 32) + canonical([pointer, opening["value"]])
        is_leaf = leaves[place : place + 1] == [hashlib.sha256(content).digest()]
        if place in before or pointer in before.values() or not is_leaf or committed(b"", b"".join(leaves)) != stated:
            raise Wrong("not-opened", name=f"fields, {pointer}")
        before[place] = pointer
        self.say("holds", file, "field", pointer=pointer, value=canonical(opening["value"]).decode())

    def together(self):
        """Check what needs everything else to have been read."""
        self.exports.sort(key=lambda each: (str(each[1].origin), each[0], each[1][1:]))
        for first, last, file, archive in self.exports:
            self.attempt(file, self.export, archive, first, last)
        for each in self.consistency:
            self.attempt(each[0], self.consistent, *each[1:])
        for one, two in zip(self.exports, self.exports[1:]):
            self.attempt(two[2], self.continued, one, two)
        for each in self.short:
            self.attempt(each[0], self.recorded, *each[1:])
        for file, tree in self.demanded:
            self.attempt(file, self.belongs, tree)
        logs = {tree.origin for _, tree in self.demanded}
        for origin, _ in self.trees:
            if logs and origin not in logs:
                self.say("unshown", "--checkpoint", "other-log", origin=origin)
        if self.trees and not self.demanded and not self.is_cosigned:
            self.say("note", "--checkpoint", "alone")
        for each in self.opened:
            each.close()

    def consistent(self, file, first, second, proof):
        """A consistency proof between two trees that other files have."""
        ones = [Tree(*place, root) for place in self.trees if place[1] == first for root in self.trees[place]]
        pairs = [(one, Tree(one[0], second, root)) for one in ones for root in self.trees.get((one[0], second), ())]
        for one, two in pairs:
            if not is_consistent(first, one.root, second, two.root, proof):
                raise Wrong("inconsistent", first=first, second=second)
            self.later.setdefault(one, set()).add(two)
            self.say("holds", file, "consistent", first=first, second=second, origin=one.origin)
        if not pairs:
            self.say("unshown", file, "need-checkpoints", first=first, second=second)

    def continued(self, file, one, two):
        """Two exports in a row."""
        (_, tree, before, _), (first, following, _, _) = one, two
        if tree.origin == following.origin and first > tree.size:
            self.say("unshown", file, "gap", other=before, first=tree.size, last=first - 1)
        elif tree.origin == following.origin:
            if not self.share_history(tree, following):
                raise Wrong("not-continued", other=before)
            self.say("holds", file, "continued", other=before)

    def recorded(self, file, origin, index, leaf, salt, answer):
        """A short receipt: another file has to prove it."""
        if (origin, index) not in self.entries:
            self.say("unshown", file, "short", index=index, path=f"GET /v1/audit/entries/{index}/proof")
            return
        proven, entry = self.entries[origin, index]
        if proven != leaf:
            raise Wrong("other-entry", index=index)
        self.say("holds", file, "recorded", index=index)
        if entry is not None:
            self.answer(file, read_json(entry), salt, answer)
        elif answer is not None:
            self.say("unshown", file, "no-entry", index=index)

    def share_history(self, one, two):
        """Whether both were shown to be beginnings of one tree: then the smaller is the beginning of the larger."""

        def reach(tree):
            reached, ahead = set(), [tree]
            while ahead:
                each = ahead.pop()
                ahead += self.later.get(each, set()) - reached
                reached.add(each)
            return reached

        return bool(reach(one) & reach(two))

    def belongs(self, file, tree):
        """Every tree of the FILEs has to be of one history with a checkpoint that was given with --checkpoint."""
        places = [place for place in self.trees if place[0] == tree.origin]
        for other in [Tree(*place, root) for place in places for root in self.trees[place]]:
            first, second = sorted((tree.size, other.size))
            if first != second:  # of one size: either the same, or `keep` has told the fork
                shown = first == 0 or self.share_history(tree, other)
                kind, text = ("holds", "one-history") if shown else ("unshown", "two-histories")
                path = f"GET /v1/audit/consistency?from={first}&to={second}"
                self.say(kind, file, text, first=first, second=second, path=path)
        if {source for place in places for source in self.trees[place].values()} == {file}:
            self.say("unshown", file, "nothing")


# --- What is said ----------------------------------------------------------------------------------------------------

LABELS = {
    "holds": ("ĐÚNG", "HOLDS"),
    "fails": ("SAI", "FAILS"),
    "unshown": ("CHƯA CHỨNG MINH", "NOT SHOWN"),
    "unreadable": ("KHÔNG ĐỌC ĐƯỢC", "UNREADABLE"),
    "note": ("GHI CHÚ", "NOTE"),
}
RESULTS = (
    ("KẾT LUẬN: mọi điều các tệp khẳng định đều được chứng minh", "RESULT: everything that the files claim is shown"),
    ("KẾT LUẬN: có điều sai, hoặc chưa được chứng minh", "RESULT: something does not hold, or is not shown"),
    ("KẾT LUẬN: có tệp không đọc được, nên chưa kiểm tra", "RESULT: a file cannot be read, so it was not checked"),
)

# What stands in a bundle and is not for this tool: pattern, and the command after unpacking ({0} the file, {1} the
# SHA-256 of the text of checkpoint.txt that was time-stamped).
COMMANDS = (
    (r"certificates\.pem", "openssl verify -CAfile ROOT.pem -untrusted {0} {0}"),
    (r"revocation/(?!.*ocsp)", "openssl crl -inform DER -in {0} -noout -text -CAfile CA.pem"),
    (r"revocation/(?!.*crl)", "openssl ocsp -respin {0} -resp_text -CAfile ROOT.pem -verify_other certificates.pem"),
    (r"timestamp\.tsr", "openssl ts -verify -in {0} -digest {1} -CAfile TSA.pem"),
)

TEXTS = {
    # Does not hold
    "signature": ("chữ ký của {name} trên mốc kiểm tra SAI", "the signature of {name} on the checkpoint is BAD"),
    "unsigned": ("không có chữ ký của {origin} bằng khóa trong --key", "no signature of {origin} by a key of --key"),
    "fork": (
        "nhật ký {origin} có HAI lịch sử ở {size} bản ghi, xem {other}: giữ mọi tệp, đó là bằng chứng",
        "the log {origin} has TWO histories of {size} entries, see {other}: keep all files, they are the evidence",
    ),
    "two-entries": (
        "nhật ký {origin} có HAI bản ghi ở vị trí {index}: giữ mọi tệp, đó là bằng chứng",
        "the log {origin} has TWO entries at index {index}: keep all files, they are the evidence",
    ),
    "two-receipts": ("{other} nêu bản ghi KHÁC ở vị trí {index}", "{other} names ANOTHER entry at index {index}"),
    "other-entry": (
        "nhật ký có bản ghi KHÁC ở vị trí {index}: giữ biên nhận này, đó là bằng chứng",
        "the log has ANOTHER entry at index {index}: keep this receipt, it is the evidence",
    ),
    "not-included": (
        "chứng minh KHÔNG dẫn từ bản ghi {index} đến gốc của mốc {size}",
        "the proof does NOT lead from entry {index} to the root of the checkpoint of {size}",
    ),
    "contradiction": ("các phần của tệp TRÁI NHAU", "the parts of the file CONTRADICT each other"),
    "exchange": ("`{names}` TRÁI với bản ghi", "`{names}` CONTRADICTS the entry"),
    "not-opened": (
        "{name}: KHÔNG phải nội dung mà bản ghi cam kết, hoặc thiếu salt",
        "{name}: NOT the content that the entry commits to, or its salt is missing",
    ),
    "altered": (
        "các bản ghi KHÔNG cho gốc của mốc {size}: có bản ghi trước đó bị sửa, bớt hoặc thêm",
        "the entries do NOT give the root of the checkpoint of {size}: some before it were changed, removed or added",
    ),
    "range": (
        "manifest nêu bản ghi {first} đến {last}, gốc và mốc của chúng; nội dung KHÁC, hết ở {end}",
        "the manifest names entries {first} to {last}, root and checkpoint; the content DIFFERS, it ends at {end}",
    ),
    "inconsistent": (
        "chứng minh KHÔNG cho thấy mốc {second} nối tiếp mốc {first}",
        "the proof does NOT show that the checkpoint of {second} continues that of {first}",
    ),
    "not-continued": ("KHÔNG nối tiếp {other}", "it does NOT continue {other}"),
    "other-signer": ("certificates.pem KHÔNG của bên ký", "certificates.pem is NOT of the signer that the entry names"),
    "files": ("ZIP KHÔNG khớp manifest: {names}", "the files in the ZIP are NOT those of the manifest: {names}"),
    "digest": ("{name} KHÔNG phải tệp mà manifest nêu", "{name} is NOT the file that the manifest names"),
    # Cannot be read
    "malformed": ("sai dạng: {what}", "malformed: {what}"),
    "members": ("phải có đúng các trường {names}", "the members must be {names}"),
    "number": (
        "JSON có số không phải số nguyên trong 2^53: cổng không ghi số như vậy",
        "the JSON has a number that is no integer within 2^53: the gateway writes no such numbers",
    ),
    "unreadable": ("không đọc được: {why}", "it cannot be read: {why}"),
    # Not shown
    "short": (
        "bản ghi {index} nằm trong nhật ký: cần biên nhận `Lgsp-Receipt: full`, {path} hoặc bản xuất",
        "that entry {index} stands in the log: it takes a receipt `Lgsp-Receipt: full`, {path} or an export",
    ),
    "no-entry": (
        "câu trả lời là của bản ghi {index}: cần chính bản ghi đó (biên nhận đầy đủ hoặc bản xuất)",
        "that the answer is that of entry {index}: it takes the entry itself (full receipt or export)",
    ),
    "need-checkpoints": (
        "mốc {second} nối tiếp mốc {first}: cần cả hai mốc đó (FILE hoặc --checkpoint)",
        "that the checkpoint of {second} continues that of {first}: it takes both of them (FILE or --checkpoint)",
    ),
    "two-histories": (
        "mốc {first} và mốc {second} cùng một lịch sử: cần {path} hoặc bản xuất",
        "that the checkpoints of {first} and {second} are of one history: it takes {path} or an export",
    ),
    "nothing": ("không FILE nào thuộc nhật ký của mốc này", "no FILE is of the log of this checkpoint"),
    "other-log": ("mốc của {origin}, log của một FILE", "a checkpoint of {origin}, the log of one of the FILEs"),
    "gap": (
        "bản ghi {first} đến {last}, giữa tệp này và {other}: cần bản xuất của chúng",
        "entries {first} to {last} between this file and {other}: it takes an export of them",
    ),
    "no-key": ("khóa {name} đáng tin: --key không có nó", "that the key {name} can be trusted: --key does not have it"),
    # Holds
    "key": ("khóa {name} có trong --key", "the key {name} is among those of --key"),
    "checkpoint": ("mốc {size} bản ghi do {origin} ký", "checkpoint of {size} entries, signed by the log {origin}"),
    "seen": ("{name} làm chứng mốc {size} lúc {at}", "the witness {name} cosigned the checkpoint of {size} at {at}"),
    "included": (
        "bản ghi {index} nằm trong nhật ký {origin} có {size} bản ghi (RFC 9162)",
        "entry {index} stands in the log {origin} of {size} entries (RFC 9162)",
    ),
    "recorded": ("tệp khác chứng minh bản ghi {index}", "entry {index} stands in the log, as another file proves"),
    "opened": ("{name}: đúng nội dung mà bản ghi cam kết", "{name}: the content that the entry commits to"),
    "signer": ("bản ghi nêu chứng thư {name}, có ở đây", "the entry names the certificate {name}, which is here"),
    "field": ("trường {pointer} là {value}: đúng cam kết", "field {pointer} is {value}: as the entry commits to"),
    "export": (
        "các bản ghi {first} đến {last} cho đúng gốc của mốc {size} do nhật ký {origin} ký",
        "entries {first} to {last} give the root of the checkpoint of {size}, signed by the log {origin}",
    ),
    "agree": ("số mốc kiểm tra khớp các bản ghi: {count}", "checkpoints that agree with the entries: {count}"),
    "consistent": (
        "mốc {second} của {origin} nối tiếp mốc {first}: không bản ghi nào trước đó bị đổi",
        "the checkpoint of {second} of {origin} continues that of {first}: no earlier entry was changed",
    ),
    "continued": ("nối tiếp {other}", "it continues {other}"),
    "one-history": ("mốc {first}, {second} cùng lịch sử", "the checkpoints of {first} and {second} are of one history"),
    # Notes
    "entry": (
        "bản ghi viết: {said}; cán bộ, mục đích và hồ sơ là lời của bên gọi",
        "the entry says: {said}; officer, purpose and dossier are the caller's word",
    ),
    "unknown": ("--key không có khóa để kiểm tra chữ ký của {name}", "--key has no key to check a signature of {name}"),
    "unproven": ("bản ghi KHÔNG chứng minh: {names}", "the entry does NOT prove: {names}"),
    "no-answer": (
        "chỉ có biên nhận: dữ liệu đã trả lời và salt không được so, hãy đưa cả câu trả lời",
        "only the receipt is here: the data answered and the salt were not compared, give the whole answer for that",
    ),
    "alone": (
        "không có nhân chứng: chỉ một mốc lấy từ nơi khác cho biết nhật ký không bị cắt bớt hay có lịch sử thứ hai",
        "no witness: only a checkpoint from elsewhere shows that the log was not cut short and has no second history",
    ),
    "closed": ("{name}: cam kết không được mở ở đây", "{name}: this commitment is not opened here"),
    "beyond": (
        "{name} KHÔNG được kiểm tra ở đây; sau khi giải nén: {command}",
        "{name} is NOT checked here; after unpacking: {command}",
    ),
    "reported": (
        "báo cáo về kỳ {since} đến {before}: KHÔNG chứng minh lời trong report.html, và rằng không còn bản ghi khác",
        "a report on {since} to {before}: NOT proven are the words of report.html, and that there are no other entries",
    ),
    "no-signer": ("gói KHÔNG có chứng thư bên ký {name}", "the bundle has NO certificate {name} of the signer"),
    "absent": ("gói nói rằng không có {name}: {reason}", "the bundle says that it has no {name}: {reason}"),
}


def printable(text):
    """A text of unknown origin, so that a terminal shows it and does nothing else."""
    shown = "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)
    return shown if len(shown) <= 2000 else f"{shown[:2000]}..."


def read_small(file):
    """The bytes of a file that is no archive."""
    with open(file, "rb") as opened:
        raw = opened.read(LARGEST_FILE + 1)
    if len(raw) > LARGEST_FILE:
        raise Unreadable("malformed", what="file, too large")
    return raw


def main(arguments):
    """Check the files; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="verify_audit.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="+", metavar="FILE")
    parser.add_argument("--key", required=True, action="append", metavar="FILE", help="verifier keys that are trusted")
    parser.add_argument("--checkpoint", default=[], action="append", metavar="FILE", help="must be of the same history")
    parser.add_argument("--lang", choices=("vi", "en"), help="default: as LANG says, or else Vietnamese")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_intermixed_args(arguments)
    spoken = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    run = Run({}, int((given.lang or spoken[:2]) == "en"))
    for file in given.key:
        run.attempt(file, run.key_file)
    if not run.facts:  # with keys that cannot be read there is nothing to check
        for file in given.file:
            run.attempt(file, run.file)
        for file in given.checkpoint:
            run.attempt(file, run.checkpoint_file)
        run.together()
    status = run.status()
    result = RESULTS[status][run.language]
    if given.json:
        facts = [{"kind": kind, "file": file, "text": text} for kind, file, text in run.facts]
        print(json.dumps({"status": status, "result": result, "facts": facts}, ensure_ascii=False, indent=1))
    else:
        for kind, file, text in run.facts:
            print(f"{LABELS[kind][run.language]}: {file}: {text}")
        print(result)
    return status


if __name__ == "__main__":
    try:
        os.fstat(1)  # where it is closed nothing can be told
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except (KeyboardInterrupt, OSError):  # also: nobody reads on, no space left
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 2
    sys.exit(code)
# The end of verify_audit.py
