"""Requests as a careful information system writes them, for tests to send and to spoil.

`soap_request()` is a whole right envelope; its parts are arguments, and `spoiled(envelope, old, new)` replaces a piece
that must be there. `REST_TARGET` and `REST_HEADERS` are a right REST request for the same two parties.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

from tests.test_xroad.double.vocabulary import IDENTIFIERS, SOAP, XROAD, Identifier

CLIENT = Identifier.of("VN/GOV/G01/DVC")
SERVICE = Identifier.of("VN/GOV/G02/LGSP/FindPerson/v1")
NUMBER = "0b5e2c1c-4c43-4d4e-9a3c-8a6c3f0c1d11"
BODY_OF_REQUEST = '<p:FindPerson xmlns:p="urn:example:people"><p:name>Nguyễn Văn Ánh</p:name></p:FindPerson>'
BODY_OF_ANSWER = '<p:FindPersonResponse xmlns:p="urn:example:people"><p:found>2</p:found></p:FindPersonResponse>'
REST_TARGET = "/r1/VN/GOV/G02/LGSP/people/v1/person/search?name=Nguy%E1%BB%85n&page=1"
REST_HEADERS = (
    ("X-Road-Client", "VN/GOV/G01/DVC"),
    ("X-Road-Id", NUMBER),
    ("X-Road-UserId", "VN001085012345"),
    ("X-Road-Issue", "H26.12-261130-0001"),
    ("Accept", "application/json"),
)

_NAMES = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode", "serviceCode", "serviceVersion")


def identifier_field(name: str, identifier: Identifier) -> str:
    """A `client` or `service` field; prefixes `xrd` and `id` are declared elsewhere."""
    kind = "SERVICE" if identifier.service else "SUBSYSTEM" if identifier.subsystem else "MEMBER"
    values = (
        *(identifier.instance, identifier.member_class, identifier.member_code),
        *(identifier.subsystem, identifier.service, identifier.version),
    )
    parts = "".join(f"<id:{tag}>{escape(each)}</id:{tag}>" for tag, each in zip(_NAMES, values, strict=True) if each)
    return f'<xrd:{name} id:objectType="{kind}">{parts}</xrd:{name}>'


def fields(
    client: Identifier = CLIENT,
    service: Identifier = SERVICE,
    number: str = NUMBER,
    user: str | None = "VN001085012345",
    issue: str | None = "H26.12-261130-0001",
) -> str:
    """The X-Road fields in the order of the document."""
    optional = "".join(
        f"<xrd:{name}>{escape(value)}</xrd:{name}>" for name, value in (("userId", user), ("issue", issue)) if value
    )
    return (
        identifier_field("client", client)
        + identifier_field("service", service)
        + f"<xrd:id>{escape(number)}</xrd:id>{optional}<xrd:protocolVersion>4.0</xrd:protocolVersion>"
    )


def soap_request(body: str = BODY_OF_REQUEST, header: str | None = None) -> bytes:
    """An envelope; `header` defaults to `fields()`, and other header blocks may stand beside them."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<soap:Envelope xmlns:soap="{SOAP}" xmlns:xrd="{XROAD}" xmlns:id="{IDENTIFIERS}">'
        f"<soap:Header>{fields() if header is None else header}</soap:Header>"
        f"<soap:Body>{body}</soap:Body></soap:Envelope>"
    ).encode()


def spoiled(envelope: bytes, old: str, new: str) -> bytes:
    """Replace one piece of an envelope; raise AssertionError if it is not there once."""
    assert envelope.count(old.encode()) == 1, old
    return envelope.replace(old.encode(), new.encode())
