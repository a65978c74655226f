"""To whom a signed SOAP message is addressed, where it says so (WS-Addressing 1.0 core, section 3: `wsa:To`).

A client may be registered with the same certificate at several gateways, and WS-Security signs no address of its own: a
signed `wsa:To` is what tells its messages apart. Stacks that follow a contract with actions, as ours are, send one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from yarl import URL

from schemas.errors import SignatureRejected, Text
from security.signature import Trusted

_TO: Final = ("{http://www.w3.org/2005/08/addressing}To", "{http://schemas.xmlsoap.org/ws/2004/08/addressing}To")
_ELSEWHERE: Final = Text(
    "Chữ ký của thông điệp bị từ chối: phần tử wsa:To đã ký nêu địa chỉ khác, không phải cổng này; địa chỉ của cổng là "
    "server.public_url trong cấu hình",
    "The signature of the message was rejected: the signed wsa:To names another address, not this gateway's; the "
    "gateway's address is server.public_url in its configuration",
)


def check_addressed(headers: Iterable[Trusted], addressed: Callable[[str], bool]) -> None:
    """Raise SignatureRejected (not-covered) where a signed header block names a host that `addressed` does not know.

    `addressed` is asked for an authority in lower case without a default port.
    """
    for block in headers:
        if block.tag in _TO and not addressed(authority_of((block.text or "").strip())):
            raise SignatureRejected(_ELSEWHERE, reason="not-covered")


def authority_of(address: str) -> str:
    """Return the authority of a URL, in lower case and without a default port; empty where it has none."""
    try:
        return URL(address).host_port_subcomponent or ""
    except ValueError:
        return ""
