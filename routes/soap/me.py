"""`POST /soap/me`: what a caller may ask, for those who speak SOAP only (quyền của bên gọi, qua SOAP).

The contract is as those of the databases: document/literal wrapped, one operation, `Me`. What it answers is what
`GET /v1/me` answers, in the names of this face; each grant also says which element is sent to which address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from aiohttp import web
from lxml import etree

from routes.direct import Whole
from routes.language import preferred
from routes.me import Describe
from routes.openapi_models import pascal
from routes.soap.addressed import heard, no_operation
from routes.soap.answers import element
from routes.soap.face import Means
from routes.soap.faults import content_type
from routes.soap.incoming import receive
from routes.soap.names import camel, camel_path, namespace
from routes.soap.published import add_contract
from routes.soap.replies import REPLY, envelope
from routes.soap.shared_types import add_list, add_value
from routes.soap.types import ITEM, document, xs
from routes.soap.wsdl import VERSIONS, Described, Version, contract, schema_of
from schemas.errors import Flaw, Invalid, Text
from security.request_signatures import CountOnce
from security.xml import Element, compile_schema

SERVICE: Final = "me"
_ELEMENT: Final = "Me"
_TITLE: Final = Text("Quyền của bên gọi", "What the caller may ask")
_NOTHING: Final = Text("Me không nhận dữ liệu nào", "Me asks nothing: the element must be empty")
_NONE: Final = {"nillable": "true"}
_MANY: Final = {"minOccurs": "0", "maxOccurs": "unbounded"}


def me_wsdl(public_url: str, versions: Sequence[Version] = VERSIONS) -> bytes:
    """Return the contract of the service, with a port for each of `versions`."""
    schema = schema_of(SERVICE)
    asked = xs(schema, "element", name=_ELEMENT)
    document(asked, *_TITLE)
    xs(xs(asked, "complexType"), "sequence")
    answered = xs(xs(xs(schema, "element", name=f"{_ELEMENT}Response"), "complexType"), "sequence")
    add_value(answered, "clientId", "Mã ứng dụng", "Id of the registered client")
    add_value(answered, "agency", "Mã cơ quan", "Code of its agency (QĐ 20/2020/QĐ-TTg)")
    credential = _items(answered, "credentials", "Thông tin xác thực", "Live credentials of the client")
    add_value(credential, "kind", "Loại", "secret, private-key-jwt, mtls, signature, xroad")
    add_value(credential, "id", "Mã", "Public id of the credential")
    add_value(credential, "notAfter", "Hết hạn", "When it ends, RFC 3339 in UTC; nil where it does not", **_NONE)
    _grant(_items(answered, "grants", "Quyền khai thác", "Live grants for what is served here"))
    return contract(SERVICE, _TITLE, schema, [Described(_ELEMENT, _TITLE)], public_url, versions)


def _items(sequence: Element, name: str, vi: str, en: str) -> Element:
    item = xs(add_list(sequence, name, vi, en), "element", name=ITEM, **_MANY)
    return xs(xs(item, "complexType"), "sequence")


def _grant(grant: Element) -> None:
    add_value(grant, "database", "Cơ sở dữ liệu", "Name of the database")
    add_value(grant, "operation", "Thao tác", "Name of the operation")
    add_value(grant, "address", "Địa chỉ", "Where the SOAP message is sent")
    add_value(grant, "namespace", "Không gian tên", "Namespace of the request")
    add_value(grant, "element", "Phần tử", "Local name of the request: the element of the Body")
    purpose = _items(grant, "purposes", "Mục đích khai thác", "What may be named in the header block Purpose")
    add_value(purpose, "code", "Mã", "Code of the purpose")
    add_value(purpose, "title", "Tên", "Vietnamese unless Accept-Language prefers English")
    fields = add_list(grant, "fields", "Các trường được cấp", "Paths of elements; one stands for all below it")
    xs(fields, "element", name=ITEM, type_="xs:string", **_MANY)
    add_value(grant, "dossierRequired", "Cần mã hồ sơ", "Whether Dossier must be given", "boolean")
    add_value(grant, "officerRequired", "Cần cán bộ", "Whether Officer must be given", "boolean")
    add_value(grant, "signatureRequired", "Cần chữ ký", "Whether requests must be signed by the caller", "boolean")
    add_value(grant, "rate", "Tần suất", "Requests per second")
    add_value(grant, "deadlineMs", "Hạn trả lời", "Milliseconds within which a look-up is answered", "long")
    add_value(grant, "expiresAt", "Hết hạn", "When the grant ends, RFC 3339 in UTC; nil where it does not", **_NONE)


def told(shown: Mapping[str, Any], public_url: str) -> dict[str, Any]:
    """Return what `GET /v1/me` shows as this face says it."""
    return {**shown, "grants": [_addressed(grant, public_url) for grant in shown["grants"]]}


def _addressed(grant: Mapping[str, Any], public_url: str) -> dict[str, Any]:
    names = {name: grant[name] for name in ("database", "operation")}
    addressed = {
        "address": f"{public_url}/soap/{grant['database']}",
        "namespace": namespace(grant["database"]),
        "element": pascal(grant["operation"]),
    }
    return {**names, **addressed, **grant, "fields": [camel_path(path) for path in grant["fields"]]}


def _written(name: str, value: Any) -> str:
    """Return a value of JSON as an element, its own exclusive C14N."""
    if isinstance(value, Mapping):
        inside = "".join(_written(camel(key), each) for key, each in value.items())
    elif isinstance(value, list):
        inside = "".join(_written(ITEM, each) for each in value)
    elif isinstance(value, bool):
        inside = "true" if value else "false"
    else:
        return element(name, None if value is None else str(value), prefix="")
    return f"<{name}>{inside}</{name}>"


def me_answer(shown: Mapping[str, Any], public_url: str) -> bytes:
    """Return the wrapper that answers, from what `GET /v1/me` shows."""
    wrapper = f"{_ELEMENT}Response"
    opened = f'<{wrapper} xmlns="{namespace(SERVICE)}">'
    return _written(wrapper, told(shown, public_url)).replace(f"<{wrapper}>", opened, 1).encode()


def add_me(router: web.UrlDispatcher, describe: Describe, means: Means, once: CountOnce, public_url: str) -> None:
    """Add the service and its contract; `once` takes note of the signature of a caller who signs."""
    add_contract(router, SERVICE, partial(me_wsdl, public_url))
    schema: etree.XMLSchema = compile_schema(me_wsdl(public_url))
    request_name = f"{{{namespace(SERVICE)}}}{_ELEMENT}"

    async def me(request: web.Request) -> web.Response:
        incoming = await receive(request, means.judges, means.max_body)
        if incoming.payload.tag != request_name:
            raise no_operation(incoming.payload, (request_name,))
        heard(request, incoming, SERVICE, _ELEMENT)
        if not schema.validate(incoming.payload):
            raise Invalid(flaws=[Flaw(f"/{_ELEMENT}", _NOTHING)])
        if incoming.signed is not None:
            await once(incoming.signed)
        language = preferred(request.headers.get("Accept-Language"))
        reply = request[REPLY]
        payload = me_answer(describe(incoming.caller, language), public_url)
        body = await envelope(payload, reply, means.signer)
        return Whole(body, {"Content-Type": content_type(reply.version), "Content-Language": language})

    router.add_post(f"/soap/{SERVICE}", me)
