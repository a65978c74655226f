"""The signature base of a request (RFC 9421 section 2.5): the exact text that a caller's signature covers.

Covered can be header fields and `@method`, `@authority`, `@path`, `@query`. Component parameters (`sf`, `bs`, `key`,
`req`, `tr`) and all other derived components are refused: each is a second way to say what a plain one says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from security.signature import Rejected
from security.structured_fields import InnerList, written

DERIVED: Final = ("@method", "@authority", "@path", "@query")

_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
# What a field may hold here; a line break would let one component pretend to be two.
_VALUE = re.compile(r"[\t -~]*")
_METHOD = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_TARGET = re.compile(r"/[!-\"$->@-~]*(?:\?[!-\"$-~]*)?")
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9!$%&'()*+,;=._~-]+)(?::([0-9]*))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_SELF = frozenset({"signature", "signature-input"})


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it came over the wire.

    `scheme` is http or https as the caller spoke it, `authority` the Host header, `target` the request target in origin
    form (path and query, nothing decoded), `fields` the lines of each header by lower-case name, in order.
    """

    method: str
    scheme: str
    authority: str
    target: str
    fields: Mapping[str, Sequence[str]]
    body: bytes = b""

    def covered(self, name: str) -> str:
        """The value of one component; Rejected: altered where the header is not there, malformed for everything else.

        Names of headers that we do not ask for are the caller's, so no message repeats one.
        """
        if name.startswith("@"):
            return self._derived(name)
        if _NAME.fullmatch(name) is None or name in _SELF:
            raise Rejected("malformed", "a covered component is not a header that can be covered")
        lines = self.fields.get(name)
        if not lines:
            raise Rejected("altered", "a header that the signature covers was not sent")
        # A value that a sender folded over several lines reaches us with the fold replaced, if at all.
        value = ", ".join(line.strip(" \t") for line in lines)
        if _VALUE.fullmatch(value) is None:
            raise Rejected("malformed", "a covered header holds more than printable ASCII")
        return value

    def _derived(self, name: str) -> str:
        if name == "@method":
            if _METHOD.fullmatch(self.method) is None:
                raise Rejected("malformed", "the method is not a token")
            return self.method
        if name == "@authority":
            return self._normal_authority()
        if name not in DERIVED:
            raise Rejected("malformed", f"of derived components only {', '.join(DERIVED)} are accepted")
        if _TARGET.fullmatch(self.target) is None:
            raise Rejected("malformed", "the request target is not a path with an optional query")
        path, _, query = self.target.partition("?")
        return path if name == "@path" else "?" + query

    def _normal_authority(self) -> str:
        found = _AUTHORITY.fullmatch(self.authority.lower())
        if found is None:
            raise Rejected("malformed", "the Host header is not a host with an optional port")
        host, port = found.groups()
        return host if not port or port.lstrip("0") == _DEFAULT_PORTS.get(self.scheme) else f"{host}:{port}"


def fields_of(headers: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Headers as `HttpRequest.fields` holds them."""
    fields: dict[str, list[str]] = {}
    for name, value in headers:
        fields.setdefault(name.lower(), []).append(value)
    return fields


def signature_base(request: HttpRequest, covered: InnerList) -> bytes:
    """The bytes that a signature with this list of components and these parameters signs.

    The list is written anew, so that only one text of it counts however it was sent. Rejected as `HttpRequest.covered`,
    and malformed for a component that is no string, has parameters or is listed twice.
    """
    lines = [f'"{name}": {request.covered(name)}' for name in component_names(covered)]
    return "\n".join((*lines, f'"@signature-params": {written(covered)}')).encode("ascii")


def component_names(covered: InnerList) -> list[str]:
    """The plain names of the components, in order; Rejected("malformed") as `signature_base`."""
    names: list[str] = []
    for value, parameters in covered.items:
        if not isinstance(value, str) or parameters:
            raise Rejected(
                "malformed", "a covered component is not a plain name: component parameters are not accepted"
            )
        names.append(value)
    if len(set(names)) != len(names):
        raise Rejected("malformed", "a component is covered twice")
    return names
