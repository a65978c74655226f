"""Grants decide: stage `authorised` picks the grant of an exchange, demands what it demands, and masks the answer.

Deny by default: without grant or purpose nothing is asked upstream, and what is not granted is not told. Rules of the
contract, section 2: a purpose always, dossier and officer where the grant says so, `fields=` asks for less.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, Final

from pydantic import BaseModel

from schemas.codes.agencies import check_dossier_code
from schemas.errors import (
    DossierRequired,
    Flaw,
    Invalid,
    OfficerRequired,
    PurposeRefused,
    PurposeRequired,
    Refused,
    SignatureRejected,
    Text,
)
from schemas.exchange import Answer, Data, Database, Exchange, Grant, Handler, Notice
from schemas.fields import Branch, Shape, shape_of
from schemas.identifiers import check_officer
from schemas.purposes import PURPOSES

# What of a record is shown, by member name: None shows everything below.
Tree = Mapping[str, "Tree | None"]

WHOLE: Final = "*"
_NAME: Final = re.compile(r"[A-Za-z_./-]{1,64}")
_FOR_EVIDENCE: Final = 0.3

_EXPIRED = Text("Quyền khai thác đã hết hạn", "The grant has expired")
_UNKNOWN_PURPOSE = Text("Không có mã mục đích này", "There is no such purpose")
_UNSIGNED = Text("Quyền khai thác yêu cầu bên gọi ký yêu cầu", "The grant asks for a signed request")
_UNKNOWN_FIELD = Text("Thao tác này không có trường đó", "The operation has no such field")
NO_DOSSIER: Final = Text("Không đúng dạng mã hồ sơ", "Not of the form of a dossier code")
NO_OFFICER: Final = Text(
    "Tài khoản cán bộ gồm 1-64 ký tự A-Z a-z 0-9 . _ @ -", "An officer is 1-64 of A-Z a-z 0-9 . _ @ -"
)
_DOSSIER = Flaw("", NO_DOSSIER, header="Lgsp-Dossier")
_OFFICER = Flaw("", NO_OFFICER, header="Lgsp-Officer")


@dataclass(frozen=True, slots=True)
class Mask:
    """A compiled selection of fields: `tree` drives it, `fields` names it with the shortest dotted paths.

    `flat` tells that whatever is shown of a record is shown with everything below it.
    """

    tree: Tree
    fields: tuple[str, ...]
    flat: bool

    def apply(self, data: Data) -> Data:
        """Return what of `data` may be told; members that the mask does not name are left out, null stays null.

        What may be told as a whole is returned as it is and not copied.
        """
        return data if self.flat and data.keys() <= self.tree.keys() else _shown(data, self.tree)

    def covers(self, pointer: str) -> bool:
        """Tell whether all that a JSON pointer into the response body points at is disclosed.

        A pointer at the body or at `/data` as a whole speaks of the record and not of a value in it: it is covered.
        """
        if not pointer:
            return True
        _, head, *tokens = pointer.split("/")
        if head != "data":
            return False
        tree: Tree | None = self.tree
        for token in tokens:
            if token.isdecimal():  # a position in a list; no field is named by digits
                continue
            if tree is None:
                return True
            if token not in tree:
                return False
            tree = tree[token]
        return tree is None or not tokens


def _shown(data: Data, tree: Tree) -> Data:
    return {
        name: value if (below := tree[name]) is None else _part(value, below)
        for name, value in data.items()
        if name in tree
    }


def _part(value: Any, tree: Tree) -> Any:
    if isinstance(value, list):
        return [_part(item, tree) for item in value]
    return _shown(value, tree) if isinstance(value, dict) else None


def _leaves(shape: Shape, prefix: str = "") -> Iterator[str]:
    for member in shape.members:
        if isinstance(member, Branch):
            yield from _leaves(member.shape, f"{prefix}{member.name}.")
        else:
            yield prefix + member.name


def _below(leaf: str, chosen: frozenset[str]) -> bool:
    """Tell whether a leaf's path or one of its parents is chosen."""
    return leaf in chosen or any(leaf[:at] in chosen for at, letter in enumerate(leaf) if letter == ".")


def _prune(shape: Shape, kept: frozenset[str], prefix: str = "") -> tuple[dict[str, Tree | None], list[str], bool]:
    """Give the tree of the kept leaves, its shortest paths, and whether everything in the shape is kept."""
    tree: dict[str, Tree | None] = {}
    fields: list[str] = []
    whole = True
    for member in shape.members:
        path = prefix + member.name
        if not isinstance(member, Branch):
            if path in kept:
                tree[member.name] = None
                fields.append(path)
            else:
                whole = False
            continue
        below, names, full = _prune(member.shape, kept, path + ".")
        if full and below:
            tree[member.name] = None
            fields.append(path)
        elif below:
            tree[member.name] = below
            fields.extend(names)
        whole = whole and full
    return tree, fields, whole


def mask_of(answer: type[BaseModel], granted: frozenset[str], asked: Iterable[str] | None) -> Mask:
    """Compile the mask for what is granted and asked; raises Invalid (pointer `fields`) for a path nobody declared.

    A path stands for everything below it. A path that exists but is not granted is left out without an error: the
    answer's own list of fields tells the caller what it was given.
    """
    return _granted_mask(answer, granted) if asked is None else _asked_mask(answer, granted, frozenset(asked))


# Without bound, because what is granted is chosen by whoever runs the gateway: clients by the thousand, each with
# fields of its own, must not push each other's masks out.
@cache
def _granted_mask(answer: type[BaseModel], granted: frozenset[str]) -> Mask:
    return _compiled(answer, granted, None)


# Callers choose `asked`, so the cache is bounded; the paths in it are known ones and therefore few.
@lru_cache(maxsize=4096)
def _asked_mask(answer: type[BaseModel], granted: frozenset[str], asked: frozenset[str]) -> Mask:
    unknown = sorted(asked - frozenset(shape_of(answer).paths()))
    if not asked or unknown:
        # A name with a digit or a blank in it may be anything, a person's number too: it is not repeated.
        shown = [name for name in unknown if _NAME.fullmatch(name)]
        named = f": {', '.join(shown[:5])}" if shown else ""
        text = Text(f"{_UNKNOWN_FIELD.vi}{named}", f"{_UNKNOWN_FIELD.en}{named}")
        raise Invalid(flaws=(Flaw("", text, parameter="fields"),))
    return _compiled(answer, granted, asked)


def _compiled(answer: type[BaseModel], granted: frozenset[str], asked: frozenset[str] | None) -> Mask:
    shape = shape_of(answer)
    kept = frozenset(
        leaf for leaf in _leaves(shape) if _below(leaf, granted) and (asked is None or _below(leaf, asked))
    )
    tree, fields, _ = _prune(shape, kept)
    return Mask(tree, tuple(fields), flat=all(below is None for below in tree.values()))


def choose(grants: Sequence[Grant], purpose: str | None, at: datetime) -> Grant:
    """Pick the grant that covers a purpose at a time.

    Raises Refused (no grant, or reason `expired`), PurposeRequired, PurposeRefused (reason `unknown`, `not-covered`).
    """
    lapsed = False
    if purpose in PURPOSES:
        for grant in grants:
            if purpose in grant.purposes:
                if grant.expires_at is None or at < grant.expires_at:
                    return grant
                lapsed = True
    if not grants:
        raise Refused(reason="no-grant")
    if not purpose or purpose.isspace():
        raise PurposeRequired
    if purpose not in PURPOSES:
        raise PurposeRefused(_UNKNOWN_PURPOSE, reason="unknown")
    if not lapsed:
        raise PurposeRefused(reason="not-covered")
    raise Refused(_EXPIRED, reason="expired")


def _demand(exchange: Exchange, grant: Grant) -> None:
    """Check dossier, officer and signature; what is sent without being required must still have the right form."""
    if exchange.dossier is None:
        if grant.dossier_required:
            raise DossierRequired
    else:
        # The value may be personal: the errors name the header, never what stood in it.
        try:
            check_dossier_code(exchange.dossier)
        except ValueError:
            raise Invalid(flaws=(_DOSSIER,)) from None
    if exchange.officer is None:
        if grant.officer_required:
            raise OfficerRequired
    else:
        try:
            check_officer(exchange.officer)
        except ValueError:
            raise Invalid(flaws=(_OFFICER,)) from None
    if grant.signature_required and exchange.signed is None:
        raise SignatureRejected(_UNSIGNED, reason="not-covered")


@lru_cache(maxsize=256)
def _until_evidence(deadline_ms: int) -> float:
    """Return the seconds of a promised time for the source.

    The rest is kept for the evidence, which has to be durable before the caller is answered.
    """
    seconds = deadline_ms / 1000
    return seconds - min(_FOR_EVIDENCE, seconds / 10)


def disclosed(warnings: tuple[Notice, ...], mask: Mask) -> tuple[Notice, ...]:
    """Drop the warnings that speak of what the caller is not told."""
    return tuple(warning for warning in warnings if mask.covers(warning.pointer))


def authorised(handler: Handler) -> Handler:
    """Let pass what a grant covers, with `grant` and the deadline of that grant set, and reduce the answer to it.

    Sets `well_formed` once dossier and officer were found to be so.
    """

    async def authorise(exchange: Exchange) -> Answer:
        operation = exchange.operation
        grants = exchange.caller.grants.get((exchange.database.name, operation.name), ())
        grant = choose(grants, exchange.purpose, exchange.asked_at)
        _demand(exchange, grant)
        exchange.well_formed = True
        mask = mask_of(operation.answer, grant.fields, exchange.asked_fields)
        exchange.deadline = asyncio.get_running_loop().time() + _until_evidence(grant.deadline_ms)
        exchange.grant = grant
        answer = await handler(exchange)
        answer.data = mask.apply(answer.data)
        if answer.warnings:
            answer.warnings = disclosed(answer.warnings, mask)
        answer.fields = mask.fields
        answer.archive, answer.provable = grant.archive, grant.provable
        return answer

    return authorise


def field_paths(databases: Iterable[Database], database: str, operation: str, fields: Iterable[str]) -> frozenset[str]:
    """Check the field paths of a grant against the declared operation and return them; `*` becomes today's top members.

    Raises ValueError naming what does not exist. `databases` is passed in because security knows no adapter.
    """
    found = next((item for item in databases if item.name == database), None)
    declared = found.operation(operation) if found else None
    if declared is None:
        raise ValueError(f"there is no operation {database}/{operation}")
    shape = shape_of(declared.answer)
    chosen = frozenset(fields)
    if WHOLE in chosen:
        # Expanded when granted: a field that is declared later is not disclosed by an old grant.
        chosen = chosen - {WHOLE} | {member.name for member in shape.members}
    unknown = sorted(chosen - frozenset(shape.paths()))
    if unknown:
        raise ValueError(f"{database}/{operation} has no field {', '.join(unknown)}")
    return chosen
