"""Envelopes, namespaces and faults of a foreign source are understood as the standards say, or refused."""

import pytest

from config.settings import Endpoint
from schemas.errors import (
    Ambiguous,
    NoRecord,
    UpstreamRefused,
    UpstreamUnavailable,
)
from tests.test_oracles.asking import gateway_to
from tests.test_translation.foreign import (
    ENVELOPE,
    MEDIA,
    SPACE,
    XSI,
    Source,
    Version,
    asked,
    binding_of,
    database_of,
    envelope,
    expected,
    http,
    kind_of,
    listening,
    payload,
    refused,
    same,
    taken,
    told,
    xml_answer,
)

VERSIONS: tuple[Version, ...] = ("1.1", "1.2")
NAMED = "<Ten>a</Ten>"


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

    database = database_of(binding_of(kind_of(version)), faults={"01": Known})
    with pytest.raises(Known):
        await asked(database, http(envelope(fault(version, "soap:Server", DEEP), version), status=b"500 No"))


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_fault_never_says_that_nobody_matches(version: Version) -> None:
    # Nobody signs a fault: by `01` a foreign hand could make a citizen disappear.
    for side, kind in (("Server", UpstreamUnavailable), ("Client", UpstreamRefused)):
        code = side if version == "1.1" else {"Server": "Receiver", "Client": "Sender"}[side]
        body = envelope(fault(version, f"soap:{code}", DEEP), version)
        await refused(version, http(body, MEDIA[version], b"500 No"), "SOAP fault 01", kind=kind)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_fault_is_repeated_in_known_words_only(version: Version) -> None:
    for code, own in (("soap:Client", "001077012345"), ("soap:001077012345", "02"), ("soap:Sender.001077012345", "A1")):
        body = envelope(fault(version, code, DEEP.replace("01", own)), version)
        with pytest.raises(UpstreamRefused) as caught:
            await told(version, http(body, MEDIA[version], b"500 No"))
        said = caught.value.detail
        assert said.en in {f"The source answered SOAP fault {shown}" for shown in ("Client", "Sender", "?")}
        assert "001077012345" not in said.vi


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
