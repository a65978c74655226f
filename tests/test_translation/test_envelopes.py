"""What stands around a record (HTTP, envelopes, namespaces, faults) is understood as standards say, or refused."""

import asyncio
import json
from typing import Any

import pytest

from config.settings import Endpoint
from schemas.errors import (
    Ambiguous,
    GatewayError,
    NoRecord,
    UpstreamRefused,
    UpstreamUnavailable,
    UpstreamUnreadable,
)
from tests.test_oracles.asking import gateway_to
from tests.test_resilience.doubles import request, scripted
from tests.test_translation.foreign import (
    ENVELOPE,
    MEDIA,
    SPACE,
    XML_KINDS,
    XSI,
    Flat,
    Kind,
    Source,
    Version,
    asked,
    binding_of,
    database_of,
    envelope,
    expected,
    http,
    listening,
    payload,
    same,
    xml_answer,
)

VERSIONS: tuple[Version, ...] = ("1.1", "1.2")
NAMED = "<Ten>a</Ten>"


def soap_kind(version: Version) -> Kind:
    return "soap-1.1" if version == "1.1" else "soap-1.2"


async def told(version: Version, answer: bytes, **endpoint: Any) -> Any:
    """What is read of an HTTP answer to a SOAP question."""
    return await asked(database_of(binding_of(soap_kind(version))), answer, **endpoint)


async def taken(version: Version, answer: bytes, **members: Any) -> None:
    same(await told(version, answer), expected("soap-1.1", **(members or {"name": "a"})))


async def refused(
    version: Version, answer: bytes, says: str = "", kind: type[GatewayError] = UpstreamUnreadable
) -> None:
    with pytest.raises(kind) as failure:
        await told(version, answer)
    assert type(failure.value) is kind
    assert says in failure.value.detail.en


def json_database() -> Any:
    return database_of(binding_of("rest"), Flat)


# --- HTTP ---

JSON_BODY = b'{"Thu": {"Ten": "a"}}'


@pytest.mark.parametrize(
    "media",
    [
        b"",
        b"text/xml",
        b'text/xml; charset="utf-8"',
        b"text/xml;charset=UTF-8",
        b"text/xml;\tcharset=utf-8",
        b"\ttext/xml",
        b"application/xml",
        b"text/xml; charset=iso-8859-1",
    ],
    ids=repr,
)
async def test_the_media_type_decides_nothing(media: bytes) -> None:
    # What is no UTF-8 is refused by its bytes, and a document that says another encoding by its declaration.
    body = envelope(payload("<Ten>Nguyễn</Ten>"))
    same(await told("1.1", http(body, media)), expected("soap-1.1", name="Nguyễn"))
    same(await asked(json_database(), http(JSON_BODY, media)), expected("rest", name="a"))


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-32", "windows-1258", "iso-8859-1"])
async def test_other_encodings_than_utf8_are_refused(coding: str) -> None:
    body = envelope(payload("<Ten>Nguyên</Ten>")).decode()
    encoded = body.encode(coding)
    await refused("1.1", http(encoded, f"text/xml; charset={coding}".encode()))
    declared = f'<?xml version="1.0" encoding="{coding}"?>{body}'
    await refused("1.1", http(declared.encode(coding)))
    # The declaration lies, or the bytes do: nobody guesses which.
    await refused("1.1", http(declared.encode()))
    with pytest.raises(UpstreamUnreadable):
        await asked(json_database(), http('{"Thu": {"Ten": "ê"}}'.encode(coding)))


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_byte_order_mark_is_passed_over(version: Version) -> None:
    mark, body = b"\xef\xbb\xbf", envelope(payload(NAMED), version)
    await taken(version, http(mark + body, MEDIA[version]))
    await taken(version, http(mark + b'<?xml version="1.0" encoding="UTF-8"?>\r\n' + body, MEDIA[version]))
    await refused(version, http(mark + mark + body, MEDIA[version]))


async def test_a_byte_order_mark_is_passed_over_in_json() -> None:
    mark = b"\xef\xbb\xbf"
    same(await asked(json_database(), http(mark + JSON_BODY)), expected("rest", name="a"))
    document = json.dumps({"data": '\ufeff<?xml version="1.0"?><kq><Thu><Ten>a</Ten></Thu></kq>'}).encode()
    for body in (document, mark + document):
        same(await asked(database_of(binding_of("xml-in-json")), http(body)), expected("xml-in-json", name="a"))
    with pytest.raises(UpstreamUnreadable):
        await asked(json_database(), http(mark + mark + JSON_BODY))


@pytest.mark.parametrize("status", [b"200 OK", b"202 Accepted"])
@pytest.mark.parametrize("kind", [*XML_KINDS, "rest"])
async def test_no_body_is_no_answer(kind: Kind, status: bytes) -> None:
    database = database_of(binding_of(kind), Flat)
    for answer in (http(b"", status=status), http(b" \r\n", status=status)):
        with pytest.raises(UpstreamUnreadable):
            await asked(database, answer)


@pytest.mark.parametrize("kind", [*XML_KINDS, "rest"])
async def test_204_is_what_was_declared_or_no_answer(kind: Kind) -> None:
    answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    with pytest.raises(NoRecord):
        await asked(database_of(binding_of(kind), Flat), answer)
    with pytest.raises(UpstreamUnreadable):
        await asked(database_of(binding_of(kind), Flat, faults={}), answer)


@pytest.mark.parametrize(
    "body",
    [
        b"--b\r\nContent-Type: text/xml\r\n\r\n%b\r\n--b--\r\n",
        b"\r\n--b\r\nContent-Type: application/xop+xml; charset=utf-8; type=text/xml\r\n\r\n%b\r\n--b--\r\n",
    ],
)
@pytest.mark.parametrize(
    "media",
    [
        b'multipart/related; boundary=b; type="text/xml"',
        b"multipart/related; boundary=b",
        b"multipart/mixed; boundary=b",
        b"text/xml",
    ],
)
async def test_parts_are_never_half_read(media: bytes, body: bytes) -> None:
    await refused("1.1", http(body % envelope(payload(NAMED)), media), "MIME parts")


async def test_repeated_headers_change_nothing() -> None:
    more = b"X-Road-Id: 1\r\nX-Road-Id: 2\r\nContent-Type: text/html\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"
    await taken("1.1", http(envelope(payload(NAMED)), more=more))


@pytest.mark.parametrize(
    "more",
    [b"X-A: 1\r\n  2\r\n", b"X-A: 1\r\n\t2\r\n", b"X-A : 1\r\n", b"Content-Length: 5\r\n", b"X\x00A: 1\r\n"],
    ids=["folded", "folded-by-a-tab", "space-before-the-colon", "two-lengths", "nul"],
)
async def test_header_lines_that_readers_disagree_about_are_refused(more: bytes) -> None:
    # RFC 9112, section 5: a fold is obsolete and a user agent may take it for spaces; ours refuses it.
    await refused("1.1", http(envelope(payload(NAMED)), more=more))


async def test_an_answer_may_come_byte_by_byte() -> None:
    whole = http(envelope(payload("<Ten>Nguyễn</Ten>")), more=b"X-A: 1\r\n")

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        for place in range(len(whole)):
            writer.write(whole[place : place + 1])
            await writer.drain()

    async with (
        scripted(script) as url,
        gateway_to(database_of(binding_of("soap-1.1")), Endpoint(url=url)) as gateway,
    ):
        same(await gateway.ask("thing", {"number": "1"}), expected("soap-1.1", name="Nguyễn"))


async def test_chunks_may_split_letters() -> None:
    body = envelope(payload("<Ten>Nguyễn</Ten>"))
    chunks = b"".join(b"1\r\n%b\r\n" % body[place : place + 1] for place in range(len(body)))
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    same(await told("1.1", answer), expected("soap-1.1", name="Nguyễn"))


# --- envelopes ---


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_envelope_of_the_other_version_is_refused_by_name(version: Version) -> None:
    other: Version = "1.2" if version == "1.1" else "1.1"
    await refused(
        version, http(envelope(payload(NAMED), other)), f"a SOAP {other} envelope, SOAP {version} is declared"
    )


_WITH_BLOCK = '<s:Envelope xmlns:s="{e}"><s:Header><x xmlns="urn:x"%s/></s:Header><s:Body>{p}</s:Body></s:Envelope>'
_MANDATORY = ' s:mustUnderstand="1"'
ENVELOPES = {
    "default-namespace": '<Envelope xmlns="{e}"><Body>{p}</Body></Envelope>',
    "header": '<s:Envelope xmlns:s="{e}"><s:Header/><s:Body>{p}</s:Body></s:Envelope>',
    "white-space": '<s:Envelope xmlns:s="{e}">\n <s:Body>\n  {p}\n </s:Body>\n</s:Envelope>\n\n',
    "attributes": '<s:Envelope xmlns:s="{e}"><s:Body a="1" xmlns:w="urn:w" w:Id="b">{p}</s:Body></s:Envelope>',
    "unknown-block": _WITH_BLOCK % "",
    "not-mandatory": _WITH_BLOCK % ' s:mustUnderstand="0"',
    "for-somebody-else": _WITH_BLOCK % f'{_MANDATORY} s:actor="urn:you" s:role="urn:you"',
}


@pytest.mark.parametrize("form", ENVELOPES)
@pytest.mark.parametrize("version", VERSIONS)
async def test_envelopes_that_are_taken(version: Version, form: str) -> None:
    text = ENVELOPES[form].format(e=ENVELOPE[version], p=payload(NAMED))
    await taken(version, http(text.encode()))


NO_ENVELOPES = {
    "no-envelope": "{p}",
    "other-root": '<x><s:Body xmlns:s="{e}">{p}</s:Body></x>',
    "no-namespace": "<Envelope><Body>{p}</Body></Envelope>",
    "empty": '<s:Envelope xmlns:s="{e}"/>',
    "empty-body": '<s:Envelope xmlns:s="{e}"><s:Body/></s:Envelope>',
    "text-only": '<s:Envelope xmlns:s="{e}"><s:Body>a</s:Body></s:Envelope>',
    "two-payloads": '<s:Envelope xmlns:s="{e}"><s:Body>{p}{p}</s:Body></s:Envelope>',
    "two-bodies": '<s:Envelope xmlns:s="{e}"><s:Body/><s:Body>{p}</s:Body></s:Envelope>',
    "body-in-header": '<s:Envelope xmlns:s="{e}"><s:Header><s:Body>{p}</s:Body></s:Header></s:Envelope>',
    "header-after-body": '<s:Envelope xmlns:s="{e}"><s:Body>{p}</s:Body><s:Header/></s:Envelope>',
    "something-after-body": '<s:Envelope xmlns:s="{e}"><s:Body>{p}</s:Body><x/></s:Envelope>',
    "garbage-after": '<s:Envelope xmlns:s="{e}"><s:Body>{p}</s:Body></s:Envelope>x',
    "another-after": '<s:Envelope xmlns:s="{e}"><s:Body>{p}</s:Body></s:Envelope><x/>',
    "cut-off": '<s:Envelope xmlns:s="{e}"><s:Body>{p}</s:Body>',
    "white-space-before": ' <?xml version="1.0"?><s:Envelope xmlns:s="{e}"><s:Body>{p}</s:Body></s:Envelope>',
    "page": "<html><body>Đăng nhập</body></html>",
    "mandatory": _WITH_BLOCK % _MANDATORY,
    "mandatory-by-a-word": _WITH_BLOCK % ' s:mustUnderstand=" true "',
    "mandatory-for-the-next-of-1.1": _WITH_BLOCK % f'{_MANDATORY} s:actor="http://schemas.xmlsoap.org/soap/actor/next"',
    "mandatory-for-the-next-of-1.2": _WITH_BLOCK % f'{_MANDATORY} s:role="{ENVELOPE["1.2"]}/role/next"',
    "mandatory-for-the-last": _WITH_BLOCK % f'{_MANDATORY} s:role="{ENVELOPE["1.2"]}/role/ultimateReceiver"',
}


@pytest.mark.parametrize("form", NO_ENVELOPES)
@pytest.mark.parametrize("version", VERSIONS)
async def test_envelopes_that_are_refused(version: Version, form: str) -> None:
    text = NO_ENVELOPES[form].format(e=ENVELOPE[version], p=payload(NAMED))
    says = "must be understood" if form.startswith("mandatory") else ""
    await refused(version, http(text.encode()), says)


# --- namespaces ---

PAYLOADS = {
    "default": f'<HoiResponse xmlns="{SPACE}"><Thu><Ten>a</Ten></Thu></HoiResponse>',
    "prefix": f'<a:HoiResponse xmlns:a="{SPACE}"><a:Thu><a:Ten>a</a:Ten></a:Thu></a:HoiResponse>',
    "two-prefixes": f'<a:HoiResponse xmlns:a="{SPACE}" xmlns:b="{SPACE}"><b:Thu><a:Ten>a</a:Ten></b:Thu>'
    "</a:HoiResponse>",
    "declared-again": f'<a:HoiResponse xmlns:a="{SPACE}"><Thu xmlns="{SPACE}"><a:Ten xmlns:a="{SPACE}">a</a:Ten></Thu>'
    "</a:HoiResponse>",
    "prefix-of-another": f'<a:HoiResponse xmlns:a="{SPACE}"><a:Thu><b:Ten xmlns:a="urn:x" xmlns:b="{SPACE}">a</b:Ten>'
    "</a:Thu></a:HoiResponse>",
    "strange-prefix": f'<Đ.-_1:HoiResponse xmlns:Đ.-_1="{SPACE}"><Đ.-_1:Thu><Đ.-_1:Ten>a</Đ.-_1:Ten></Đ.-_1:Thu>'
    "</Đ.-_1:HoiResponse>",
    "unknown-neighbour": f'<HoiResponse xmlns="{SPACE}"><Thu><Ten>a</Ten><Ten xmlns="urn:x"><Ten>b</Ten></Ten></Thu>'
    "</HoiResponse>",
    "schema-location": f'<HoiResponse xmlns="{SPACE}" xmlns:xsi="{XSI}" xsi:schemaLocation="{SPACE} http://x/y.xsd"><Thu>'
    "<Ten>a</Ten></Thu></HoiResponse>",
    "declared-type": f'<HoiResponse xmlns="{SPACE}" xmlns:xsi="{XSI}" xmlns:xs="http://www.w3.org/2001/XMLSchema"><Thu>'
    '<Ten xsi:type="xs:string">a</Ten></Thu></HoiResponse>',
}


@pytest.mark.parametrize("form", PAYLOADS)
async def test_prefixes_say_nothing(form: str) -> None:
    await taken("1.1", http(envelope(PAYLOADS[form])))


async def test_a_derived_type_is_read_as_far_as_it_is_declared() -> None:
    below = "<Ten>a</Ten><SoTien>1.50</SoTien><GhiChu>b</GhiChu>"
    inside = f'<Phan xmlns:f="urn:foreign:1" xsi:type="f:PhanRong">{below}</Phan>'
    answer = await told("1.1", http(envelope(payload(inside))))
    same(answer, expected("soap-1.1", part={"name": "a", "amount": "1.50"}))


OUTSIDE = {
    "no-namespace": "<HoiResponse><Thu><Ten>a</Ten></Thu></HoiResponse>",
    "wrong-namespace": '<HoiResponse xmlns="urn:foreign:2"><Thu><Ten>a</Ten></Thu></HoiResponse>',
    "children-without-namespace": f'<a:HoiResponse xmlns:a="{SPACE}"><Thu><Ten>a</Ten></Thu></a:HoiResponse>',
    "other-answer": f'<Hoi xmlns="{SPACE}"><So>1</So></Hoi>',
    "other-order": payload("<SoTien>1</SoTien><Ten>a</Ten>"),
    "unknown-in-the-same-namespace": payload("<Ten>a</Ten><Moi/>"),
    "unknown-attribute": payload("<Ten>a</Ten>", " la='1'"),
    "text-beside-elements": payload("a<Ten>a</Ten>"),
    "no-boolean": payload("<HieuLuc>TRUE</HieuLuc>"),
    "nil-where-it-may-not": f'<HoiResponse xmlns="{SPACE}" xmlns:xsi="{XSI}"><Ma xsi:nil="true"/></HoiResponse>',
    "type-that-is-none": payload("<Ten xsi:type='x'>a</Ten>"),
    "type-of-something-else": payload(f"<Phan xmlns:f='{SPACE}' xsi:type='f:Thu'><Ten>a</Ten></Phan>"),
}


@pytest.mark.parametrize("form", OUTSIDE)
async def test_what_the_contract_does_not_allow_is_refused(form: str) -> None:
    await refused("1.1", http(envelope(OUTSIDE[form])), "does not follow the XSD")


async def test_unknown_elements_are_passed_over_where_no_contract_forbids_them() -> None:
    inside = '<Moi a="1"><Ten>x</Ten></Moi><Ten>a</Ten><Ten xmlns="urn:x">b</Ten>'
    answer = await asked(database_of(binding_of("xml-in-json")), xml_answer("xml-in-json", inside))
    same(answer, expected("xml-in-json", name="a"))


# --- records and faults ---


async def test_none_one_and_several_records() -> None:
    thing = "<Thu><Ten>a</Ten></Thu>"
    for inside, error in (("", NoRecord), ("<Thu/>", NoRecord), (thing * 2, Ambiguous)):
        body = envelope(f'<HoiResponse xmlns="{SPACE}">{inside}</HoiResponse>')
        await refused("1.1", http(body), kind=error)
    await taken("1.1", http(envelope(f'<HoiResponse xmlns="{SPACE}"><Thu/>{thing}<Thu/></HoiResponse>')))
    nil = f'<HoiResponse xmlns="{SPACE}" xmlns:xsi="{XSI}"><Thu xsi:nil="true"/></HoiResponse>'
    await refused("1.1", http(envelope(nil)), kind=NoRecord)


def fault(version: Version, code: str, detail: str = "") -> str:
    if version == "1.1":
        return f"<soap:Fault><faultcode>{code}</faultcode><faultstring>Lỗi</faultstring>{detail}</soap:Fault>"
    inside = detail.replace("detail>", "soap:Detail>")
    return (
        f"<soap:Fault><soap:Code><soap:Value>{code}</soap:Value></soap:Code><soap:Reason>"
        f'<soap:Text xml:lang="vi">Lỗi</soap:Text></soap:Reason>{inside}</soap:Fault>'
    )


DEEP = f'<detail><a xmlns="urn:x"><b><MaLoi xmlns="{SPACE}"> 01 </MaLoi></b></a></detail>'
BLAME = {
    "soap:Client": UpstreamRefused,
    "soap:Sender": UpstreamRefused,
    "soap:Server": UpstreamUnavailable,
    "soap:Receiver": UpstreamUnavailable,
    "soap:VersionMismatch": UpstreamRefused,
    "soap:MustUnderstand": UpstreamRefused,
    "Server.ServerProxy.ServiceFailed": UpstreamUnavailable,
}


@pytest.mark.parametrize("status", [b"200 OK", b"500 Internal Server Error", b"400 Bad Request"])
@pytest.mark.parametrize("code", BLAME)
@pytest.mark.parametrize("spoken", VERSIONS)
@pytest.mark.parametrize("version", VERSIONS)
async def test_a_fault_is_a_fault_at_any_status_and_of_either_version(
    version: Version, spoken: Version, code: str, status: bytes
) -> None:
    body = envelope(fault(spoken, code), spoken)
    await refused(version, http(body, MEDIA[spoken], status), "SOAP fault", kind=BLAME[code])


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_code_of_a_source_is_found_however_deep_it_lies(version: Version) -> None:
    class Known(UpstreamRefused):
        """What the source's own code means."""

    database = database_of(binding_of(soap_kind(version)), faults={"01": Known})
    with pytest.raises(Known):
        await asked(database, http(envelope(fault(version, "soap:Server", DEEP), version), status=b"500 No"))


async def test_a_record_that_speaks_of_faults_is_no_fault() -> None:
    await taken("1.1", http(envelope(payload("<Ten>Fault</Ten>"))), name="Fault")
    nested = f'<Thu><Ten>a</Ten><x:Fault xmlns:x="{ENVELOPE["1.1"]}"><faultcode>x:Server</faultcode></x:Fault></Thu>'
    await taken("1.1", http(envelope(f'<HoiResponse xmlns="{SPACE}">{nested}</HoiResponse>')))


async def test_every_question_has_a_request_of_its_own() -> None:
    source = Source(http(envelope(payload(NAMED))))
    async with (
        listening(source) as url,
        gateway_to(database_of(binding_of("soap-1.1")), Endpoint(url=url)) as gateway,
    ):
        for number in ("00", "1e5", "0x1F", " a  b ", 'a & <b> "c" ]]>', "Nguyễn", "\t\r\n"):
            await gateway.ask("thing", {"number": number})
    bodies = [heard.partition(b"\r\n\r\n")[2].decode() for heard in source.heard]
    assert [body[body.index("<So>") + 4 : body.index("</So>")] for body in bodies] == [
        "00", "1e5", "0x1F", " a  b ", 'a &amp; &lt;b&gt; "c" ]]&gt;', "Nguyễn", "\t&#xD;\n",
    ]  # fmt: skip
