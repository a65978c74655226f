"""What stands in the Body: questions that break the contract are refused at their place, hostile XML as such."""

import pytest

from tests.test_soap_face.conftest import SECRET, Refused
from tests.test_soap_face.gate import Gate, request
from tests.test_soap_face.messages import SOAP, VERSIONS, answer_of, envelope, person

BOTH = pytest.mark.parametrize("version", VERSIONS)
XSI = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance"'
POPULATION = "urn:lgsp:population:1"
ID = f"<personalId>{SECRET}</personalId>"
NAME = "<fullName>Nguyễn Văn An</fullName>"
RELATION = f'<Relation xmlns="{POPULATION}">%s</Relation>'
BOTH_IDS = "<personalId>%s</personalId><relativeId>%s</relativeId>"

AT_ID, AT_NAME = ["/Person/personalId"], ["/Person/fullName"]
BORN = "<birthDate>1990</birthDate>"

# The payload, the code, and where it is wrong ("" is the whole message, None says nothing of a place).
WRONG = {
    "no-such-operation": (f'<Persons xmlns="{POPULATION}">{ID}</Persons>', "not-found", None),
    "other-namespace": (f'<Person xmlns="urn:lgsp:population:2">{ID}</Person>', "not-found", None),
    "no-namespace": (f"<Person>{ID}</Person>", "not-found", None),
    "of-another-database": ('<Parcel xmlns="urn:lgsp:land:1"/>', "not-found", None),
    "the-answer": (f'<PersonResponse xmlns="{POPULATION}"/>', "not-found", None),
    "nothing-asked": (person(""), "invalid", ["/Person"]),
    "unknown-member": (person(f"{ID}<x{SECRET}>1</x{SECRET}>"), "invalid", ["/Person"]),
    "member-of-no-namespace": (person(f'<personalId xmlns="">{SECRET}</personalId>'), "invalid", AT_ID),
    "twice": (person(ID + ID), "invalid", AT_ID),
    "wrong-order": (person(f"{BORN}{NAME}"), "invalid", AT_NAME),
    "nested": (person(f"<personalId><x>{SECRET}</x></personalId>"), "invalid", AT_ID),
    "text-between": (person(f"{SECRET}{ID}"), "invalid", ["/Person"]),
    "text-after": (person(f"{ID}{SECRET}"), "invalid", ["/Person"]),
    "empty": (person("<personalId/>"), "invalid", AT_ID),
    "white-space": (person("<personalId>   </personalId>"), "invalid", AT_ID),
    "blanks-around": (person(f"<personalId> {SECRET} </personalId>"), "invalid", AT_ID),
    "line-end-after": (person(f"<personalId>{SECRET}\n</personalId>"), "invalid", AT_ID),
    "a-digit-less": (person(f"<personalId>{SECRET[:-1]}</personalId>"), "invalid", AT_ID),
    "other-digits": (person("<personalId>٠٠١٠٨٥٠٩٩٩٩٩</personalId>"), "invalid", AT_ID),
    "no-such-day": (person(f"{NAME}<birthDate>1990-02-30</birthDate>"), "invalid", ["/Person/birthDate"]),
    "control-character": (person(f"<fullName>a&#x7f;b</fullName>{BORN}"), "invalid", AT_NAME),
    "too-long": (person(f"<fullName>{'a' * 501}</fullName>{BORN}"), "invalid", AT_NAME),
    "nil-with-text": (person(f'<personalId {XSI} i:nil="true">{SECRET}</personalId>{NAME}'), "invalid", ["/Person"]),
    "attribute": (person(f'<personalId note="{SECRET}">{SECRET}</personalId>'), "invalid", ["/Person"]),
    "missing": (RELATION % f"<personalId>{SECRET}</personalId>", "invalid", ["/Relation/relativeId"]),
    "nil-on-required": (
        RELATION % f'<personalId {XSI} i:nil="true"/><relativeId>{SECRET}</relativeId>',
        "invalid",
        ["/Relation/personalId"],
    ),
    "two-wrong": (RELATION % BOTH_IDS % ("1", "2"), "invalid", ["/Relation/personalId", "/Relation/relativeId"]),
    "unknown-word": (
        RELATION % (BOTH_IDS % (SECRET, SECRET) + "<relation>uncle</relation>"),
        "invalid",
        ["/Relation/relation"],
    ),
    "xop-include": (
        person('<personalId><x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:a"/></personalId>'),
        "invalid",
        AT_ID,
    ),
}  # fmt: skip


@BOTH
@pytest.mark.parametrize("name", WRONG)
def test_what_breaks_the_contract(gate: Gate, version: str, name: str) -> None:
    payload, code, pointers = WRONG[name]
    reply = gate.ask("population", payload, version)
    refused = Refused(reply, version)
    assert refused.code == code
    assert refused.fault.code == ("Client" if version == "1.1" else "Sender")
    assert reply.status == (500 if version == "1.1" else 400)
    if pointers is None:
        assert "errors" not in refused.fault.problem
    else:
        assert refused.pointers == pointers
    (entry,) = gate.entries(refused.fault.problem["requestId"])
    assert entry["database"] == "population"
    assert entry["outcome"]["code"] == code
    assert SECRET not in str(entry)


@BOTH
def test_sentences_name_elements(gate: Gate, version: str) -> None:
    payload = person(f"{ID}<oldIdCard>123456789</oldIdCard>")
    refused = Refused(gate.ask("population", payload, version, {"Accept-Language": "en"}), version)
    assert refused.fault.problem["errors"][0]["detail"] == "give personalId or oldIdCard, not both"


def test_who_may_not_ask_is_not_taught_how_to(gate: Gate) -> None:
    payload = '<Parcel xmlns="urn:lgsp:land:1"/>'
    refused = Refused(gate.ask("land", payload, headers={"Authorization": gate.basic("limited")}), "1.1")
    assert (refused.code, refused.fault.problem["reason"]) == ("refused", "no-grant")
    assert "errors" not in refused.fault.problem


@BOTH
@pytest.mark.parametrize(
    "inside",
    [
        "<personalId>{0}</personalId>",
        "<!-- optional: --><personalId>{0}</personalId><!--x-->",
        "<personalId>{1}<!-- in between -->{2}</personalId>",
        "<personalId><![CDATA[{0}]]></personalId>",
        "<personalId>{1}<![CDATA[{2}]]></personalId>",
        "<personalId>&#48;{3}</personalId>",
        "<personalId>{0}</personalId><oldIdCard i:nil='true'/>",
        "<personalId>{0}</personalId><oldIdCard i:nil=' 1 '></oldIdCard>",
        "<personalId i:nil='false'>{0}</personalId>",
        "<personalId>{0}</personalId><fullName i:nil='true'><!-- none --></fullName>",
    ],
)
def test_the_same_question_however_it_is_written(gate: Gate, known: str, version: str, inside: str) -> None:
    text = inside.format(known, known[:5], known[5:], known[1:])
    payload = person(text).replace("<Person ", f"<Person {XSI} ", 1)
    reply = gate.ask("population", payload, version)
    assert reply.status == 200, reply.body
    assert answer_of(reply.body, version).findtext("{*}data/{*}personalId") == known


def hostile(version: str) -> dict[str, tuple[bytes, str]]:
    """Documents and the reason why each is not read."""
    start = f'<e:Envelope xmlns:e="{SOAP[version]}"><e:Body>'.encode()
    end = b"</e:Body></e:Envelope>"
    whole = envelope(person(ID), version)
    return {
        "doctype": (b'<!DOCTYPE x SYSTEM "file:///etc/passwd">' + whole, "doctype"),
        "entity": (b'<!DOCTYPE x [<!ENTITY a "b">]>' + whole.replace(SECRET.encode(), b"&a;"), "doctype"),
        "bomb": (
            b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>' + whole,
            "doctype",
        ),
        "undeclared-entity": (whole.replace(SECRET.encode(), b"&nbsp;"), "not-well-formed"),
        "instruction": (b'<?xml-stylesheet href="x"?>' + whole, "instruction"),
        "instruction-inside": (whole.replace(b"<personalId>", b"<?x y?><personalId>"), "instruction"),
        "deep": (start + b"<a>" * 100 + b"</a>" * 100 + end, "too-deep"),
        "deeper": (start + b"<a>" * 5000 + b"</a>" * 5000 + end, "not-well-formed"),
        "many-attributes": (start + b"<a %b/>" % b" ".join(b'a%d="1"' % n for n in range(2000)) + end, "too-many"),
        "many-elements": (start + b"<a/>" * 60_000 + end, "too-many"),
        "many-namespaces": (
            start + b"<a %b/>" % b" ".join(b'xmlns:a%d="u"' % n for n in range(2000)) + end,
            "too-many",
        ),
        "nul": (whole.replace(SECRET.encode(), b"\0"), "encoding"),
        "nul-reference": (whole.replace(SECRET.encode(), b"&#0;"), "not-well-formed"),
        "invalid-utf-8": (whole.replace(SECRET.encode(), b"\xc3\x28"), "encoding"),
        "overlong-utf-8": (whole.replace(SECRET.encode(), b"\xc0\xb0"), "encoding"),
        "surrogate": (whole.replace(SECRET.encode(), b"\xed\xa0\x80"), "encoding"),
        "utf-16": (whole.decode().encode("utf-16"), "encoding"),
        "utf-16-declared": (b'<?xml version="1.0" encoding="UTF-16"?>' + whole, "encoding"),
        "latin-1-declared": (b'<?xml version="1.0" encoding="ISO-8859-1"?>' + whole, "encoding"),
        "xml-1.1": (b'<?xml version="1.1"?>' + whole, "encoding"),
        "cut-off": (whole[:-5], "not-well-formed"),
        "more-after": (whole + b"<x/>", "not-well-formed"),
        "text-after": (whole + SECRET.encode(), "not-well-formed"),
        "unbound-prefix": (whole.replace(b"<personalId>", b"<p:personalId>"), "not-well-formed"),
        "twice-the-same-attribute": (whole.replace(b"<personalId>", b'<personalId a="1" a="2">'), "not-well-formed"),
    }


@BOTH
@pytest.mark.parametrize("name", hostile("1.1"))
def test_hostile_xml(gate: Gate, version: str, name: str) -> None:
    document, reason = hostile(version)[name]
    reply = gate.send("/soap/population", document, version=version)
    refused = Refused(reply, version)
    assert (refused.code, refused.fault.problem["reason"]) == ("malformed", reason)
    assert reply.status == (500 if version == "1.1" else 400)
    assert "receipt" in refused.fault.problem


@BOTH
def test_a_huge_text_is_no_reason_to_fail(gate: Gate, version: str) -> None:
    """Within the bound of a body, whatever stands in it is judged like any other."""
    payload = person(f"<fullName>{'Nguyễn ' * 80_000}</fullName><birthDate>1990</birthDate>")
    assert Refused(gate.ask("population", payload, version), version).code == "invalid"


@BOTH
def test_a_body_over_the_bound(gate: Gate, version: str) -> None:
    payload = person(f"<fullName>{'a' * 1_100_000}</fullName>")
    reply = gate.ask("population", payload, version)
    assert reply.status == 413
    refused = Refused(reply, version)
    assert (refused.fault.code, refused.code) == ("Client" if version == "1.1" else "Sender", "too-large")
    assert "receipt" in refused.fault.problem


def test_without_a_known_caller_nothing_is_read(gate: Gate) -> None:
    """Who is unknown learns nothing of the message, and leaves no entry of its own."""
    counted = gate.counted()
    document = hostile("1.1")["nul"][0]
    headers = {"Authorization": None, "X-Request-Id": "nobody"}
    reply = gate.send("/soap/population", document, headers)
    refused = Refused(reply, "1.1")
    assert (reply.status, refused.code, refused.fault.problem["reason"]) == (401, "unauthenticated", "missing")
    assert "receipt" not in refused.fault.problem
    assert gate.entries("nobody") == []
    assert gate.counted() == counted + 1


def test_requests_one_after_the_other_on_one_connection(gate: Gate, question: str) -> None:
    """Whatever was wrong with one, the next one is read from its beginning."""
    usual = {"Content-Type": "text/xml", "Authorization": gate.basic(), "Lgsp-Purpose": "inspection"}
    good = request("/soap/population", envelope(question), usual)
    with gate.wire() as wire:
        for name, (document, _) in hostile("1.1").items():
            assert wire.ask(request("/soap/population", document, usual)).status == 500, name
            assert wire.ask(good).status == 200, name
