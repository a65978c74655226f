"""Whatever is sent as a signature ends in a reason of the published list."""

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from security.http_signature import signature_of, verify_request
from security.signature import Reason, Rejected
from security.signature_base import HttpRequest, fields_of
from security.structured_fields import BareItem, InnerList, Item, Unreadable, dictionary, written
from tests.test_request_signatures.callers import CREATED, NOW, REQUEST, Holder, nobody, signed

COMPONENTS = (
    '"@method" "@authority" "@path" "@query" "content-type" "content-digest" '
    '"lgsp-purpose" "lgsp-dossier" "lgsp-officer"'
)
TIMES = f";created={CREATED};expires={CREATED + 60}"
TEXTS = ';nonce="n";keyid="k"'
VALUE = ":" + "A" * 88 + ":"


def refused(line: str, value: str = f"a={VALUE}", request: HttpRequest = REQUEST) -> str:
    fields = {
        **request.fields,
        "content-digest": ["sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"],
        "signature-input": [line],
        "signature": [value],
    }
    with pytest.raises(Rejected) as rejected:
        verify_request(replace(request, fields=fields), nobody, NOW)
    return rejected.value.reason


def test_without_a_fault_the_signer_is_asked_for() -> None:
    """The base of all cases below: nothing else is wrong with them."""
    with pytest.raises(AssertionError, match="nobody should have asked"):
        refused(f"a=({COMPONENTS}){TIMES}{TEXTS}")


MALFORMED = {
    "empty": "",
    "blank": " ",
    "no list": "a",
    "an item": 'a="x"',
    "a number": "a=1",
    "not closed": f"a=({COMPONENTS}",
    "closed twice": f"a=({COMPONENTS})){TIMES}{TEXTS}",
    "no blanks": f"a=({COMPONENTS.replace(' ', '')}){TIMES}{TEXTS}",
    "tabulators": "a=(" + COMPONENTS.replace(" ", "\t") + f"){TIMES}{TEXTS}",
    "nested": f"a=(({COMPONENTS})){TIMES}{TEXTS}",
    "no quotes": f"a=({COMPONENTS.replace(chr(34), '')}){TIMES}{TEXTS}",
    "single quotes": f"a=({COMPONENTS.replace(chr(34), chr(39))}){TIMES}{TEXTS}",
    "label in upper case": f"A=({COMPONENTS}){TIMES}{TEXTS}",
    "another label": f"b=({COMPONENTS}){TIMES}{TEXTS}",
    "two signatures": f"a=({COMPONENTS}){TIMES}{TEXTS}, b=({COMPONENTS}){TIMES}{TEXTS}",
    "one twice": f"a=({COMPONENTS}){TIMES}{TEXTS}, a=({COMPONENTS}){TIMES}{TEXTS}",
    "a comma at the end": f"a=({COMPONENTS}){TIMES}{TEXTS},",
    "something behind": f"a=({COMPONENTS}){TIMES}{TEXTS} b",
    "a component twice": f'a=({COMPONENTS} "@method"){TIMES}{TEXTS}',
    "a header twice": f'a=({COMPONENTS} "lgsp-purpose"){TIMES}{TEXTS}',
    "its own signature": f'a=({COMPONENTS} "signature"){TIMES}{TEXTS}',
    "its own input": f'a=({COMPONENTS} "signature-input"){TIMES}{TEXTS}',
    "its own parameters": f'a=({COMPONENTS} "@signature-params"){TIMES}{TEXTS}',
    "an unknown derived component": f'a=({COMPONENTS} "@nothing"){TIMES}{TEXTS}',
    "the target URI": f'a=({COMPONENTS} "@target-uri"){TIMES}{TEXTS}',
    "the request target": f'a=({COMPONENTS} "@request-target"){TIMES}{TEXTS}',
    "the scheme": f'a=({COMPONENTS} "@scheme"){TIMES}{TEXTS}',
    "the status": f'a=({COMPONENTS} "@status"){TIMES}{TEXTS}',
    "a query parameter": f'a=({COMPONENTS} "@query-param";name="fields"){TIMES}{TEXTS}',
    "an empty component": f'a=({COMPONENTS} ""){TIMES}{TEXTS}',
    "a line break": f'a=({COMPONENTS} "x\n\\"@method\\""){TIMES}{TEXTS}',
    "a component with a colon": f'a=({COMPONENTS} "x: y"){TIMES}{TEXTS}',
    "a header in upper case": f'a=({COMPONENTS} "X-Request-Id"){TIMES}{TEXTS}',
    "a component of another letter": f'a=({COMPONENTS} "lgsp-öfficer"){TIMES}{TEXTS}',
    "a number as component": f"a=({COMPONENTS} 1){TIMES}{TEXTS}",
    "bytes as component": f"a=({COMPONENTS} :AAAA:){TIMES}{TEXTS}",
    **{
        f"parameter {name}": f'a=({COMPONENTS.replace("purpose" + chr(34), "purpose" + chr(34) + name)}){TIMES}{TEXTS}'
        for name in (";sf", ";bs", ";tr", ";req", ';key="a"', ";req=?0", ";x")
    },
    **{f"without {name}": f"a=({COMPONENTS})" + f"{TIMES}{TEXTS}".replace(part, "") for name, part in {
        "created": f";created={CREATED}", "expires": f";expires={CREATED + 60}",
        "nonce": ';nonce="n"', "keyid": ';keyid="k"'}.items()},
    **{f"created {value}": f"a=({COMPONENTS});created={value};expires={CREATED + 60}{TEXTS}" for value in (
        "", "-1", "-999999999999999", "1e9", f"{CREATED}.0", f'"{CREATED}"', "?1", ":AAAA:", "9999999999999999",
        "99999999999999999999999999999", "now", "0x10", "+1", f"@{CREATED}", "١٢٣", f"{CREATED};created={CREATED}")},
    **{f"expires {value}": f"a=({COMPONENTS});created={CREATED};expires={value}{TEXTS}" for value in (
        str(CREATED), str(CREATED - 1), "0", "-1", "?0", '"never"')},
    **{f"nonce {value[:9]}": f'a=({COMPONENTS}){TIMES};nonce={value};keyid="k"' for value in (
        '""', "n", "1", ":AAAA:", '"' + "n" * 257 + '"', '"\\n"', '"ñ"', '"n', "?1", '"\x00"', '"\x7f"')},
    **{f"keyid {value[:9]}": f'a=({COMPONENTS}){TIMES};nonce="n";keyid={value}' for value in (
        '""', "k", "1", '"' + "k" * 257 + '"')},
    "a tag": f'a=({COMPONENTS}){TIMES}{TEXTS};tag="other"',
    "an unknown parameter": f"a=({COMPONENTS}){TIMES}{TEXTS};x",
    "an algorithm that is a number": f"a=({COMPONENTS}){TIMES}{TEXTS};alg=1",
    "an empty algorithm": f'a=({COMPONENTS}){TIMES}{TEXTS};alg=""',
    "33 components": "a=(" + " ".join([COMPONENTS, *(f'"x{n}"' for n in range(24))]) + f"){TIMES}{TEXTS}",
    "3000 components": "a=(" + " ".join(f'"x{n}"' for n in range(3000)) + f"){TIMES}{TEXTS}",
    "a megabyte of components": "a=(" + '"@method" ' * 100_000 + f"){TIMES}{TEXTS}",
    "a megabyte of opened lists": "a=" + "(" * 1_000_000,
    "a megabyte of blanks": "a=(" + " " * 1_000_000,
    "a megabyte of backslashes": 'a="' + "\\" * 1_000_000,
    "4 KB of backslashes": 'a="' + "\\" * 4000,
    "4 KB of a string that does not end": 'a="' + "x" * 4000,
    "4 KB of parameters": "a=()" + ";" * 4000,
    "4 KB of commas": "," * 4000,
    "4 KB of labels": "a," * 2000,
    "4 KB of blanks": " " * 4000,
    "4 KB of digits": "a=" + "1" * 4000,
}  # fmt: skip


@pytest.mark.parametrize("line", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_input_is_refused_as_such(line: str) -> None:
    assert refused(line) == "malformed"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a",
        "a=?1",
        'a="QUFB"',
        "a=QUFB",
        "a=(:QUFB:)",
        "a=:QUFB:;x=1",
        "a=:QUF:",
        "a=:QUFB",
        "a=:QU FB:",
        "a=:QUF-:",
        "a=:QR==:",
        "a=:QQ=:",
        "a=:=:",
        f"b={VALUE}",
        f"a={VALUE}, b={VALUE}",
        f"a={VALUE}, a={VALUE}",
        "a=:" + "A" * 8000 + ":",
        "a=:" + "A" * 4_000_000,
    ],
)
def test_a_malformed_value_is_refused_as_such(value: str) -> None:
    assert refused(f"a=({COMPONENTS}){TIMES}{TEXTS}", value) == "malformed"


@pytest.mark.parametrize("name", ["signature", "signature-input"])
def test_one_of_the_two_headers_is_no_signature(p256: Holder, name: str) -> None:
    sent = signed(REQUEST, p256)
    fields = {other: lines for other, lines in sent.fields.items() if other != name}
    with pytest.raises(Rejected, match=r"malformed: .* is missing"):
        verify_request(replace(sent, fields=fields), nobody, NOW)


@pytest.mark.parametrize(
    ("created", "expires"),
    [
        (999_999_999_999_999, 999_999_999_999_999 - 1),
        (999_999_999_999_998, 999_999_999_999_999),
        (0, 999_999_999_999_999),
    ],
)
def test_no_number_is_too_large_to_be_judged(created: int, expires: int) -> None:
    reason = refused(f"a=({COMPONENTS});created={created};expires={expires}{TEXTS}")
    assert reason == ("malformed" if expires <= created else "stale")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"authority": ""}, "malformed"),
        ({"authority": "user@gateway.example.vn"}, "malformed"),
        ({"authority": "a b"}, "malformed"),
        ({"authority": "a\n"}, "malformed"),
        ({"authority": "a:b"}, "malformed"),
        ({"authority": "máy.vn"}, "malformed"),
        ({"authority": "a/b"}, "malformed"),
        ({"target": ""}, "malformed"),
        ({"target": "*"}, "malformed"),
        ({"target": "http://other.example.vn/v1/population/person"}, "malformed"),
        ({"target": "v1/population/person"}, "malformed"),
        ({"target": "/v1/population/person#x"}, "malformed"),
        ({"target": "/v1/population/person?a#x"}, "malformed"),
        ({"target": "/v1/tìm"}, "malformed"),
        ({"target": "/v1/a b"}, "malformed"),
        ({"target": '/v1\n"@query": ?'}, "malformed"),
        ({"method": ""}, "malformed"),
        ({"method": "GET POST"}, "malformed"),
        ({"method": "POST\n"}, "malformed"),
        ({"fields": REQUEST.fields | {"lgsp-purpose": ["a\r\nb"]}}, "malformed"),
        ({"fields": REQUEST.fields | {"lgsp-purpose": ["hồ sơ"]}}, "malformed"),
        ({"fields": REQUEST.fields | {"lgsp-purpose": ["a\x00"]}}, "malformed"),
        ({"fields": REQUEST.fields | {"lgsp-purpose": ["\udcff"]}}, "malformed"),
    ],
)
def test_a_request_that_has_no_signature_base_is_refused(change: dict[str, object], reason: str) -> None:
    assert refused(f"a=({COMPONENTS}){TIMES}{TEXTS}", request=replace(REQUEST, **change)) == reason  # type: ignore[arg-type]


noise = st.text(st.sampled_from('ab=(),;:"\\ \t@-_*?0123456789AZ/+é\n'), max_size=60)
fragments = st.sampled_from(
    [
        "a",
        "=",
        "(",
        ")",
        '"@method"',
        '"@path"',
        " ",
        ";",
        "created",
        "=1",
        ":QUFB:",
        ":",
        ",",
        '"',
        "?1",
        "?0",
        "-1",
        "*",
    ]
)


@settings(max_examples=200, deadline=None)
@given(
    line=st.one_of(noise, st.lists(fragments, max_size=25).map("".join)), value=st.one_of(noise, st.just(f"a={VALUE}"))
)
def test_any_text_ends_in_a_reason(line: str, value: str) -> None:
    assert refused(line, value) in get_args(Reason)


@settings(max_examples=200, deadline=None)
@given(text=st.one_of(noise, st.lists(fragments, max_size=25).map("".join)))
def test_what_is_read_is_written_as_it_is_understood(text: str) -> None:
    try:
        members = dictionary([text], 4096)
    except Unreadable:
        return
    again = ", ".join(f"{key}={written(member)}" for key, member in members.items())
    assert dictionary([again], 4096) == members


keys = st.sampled_from(["a", "z9", "*", "*a", "a-b", "a_b.c*", "created"])
bare: st.SearchStrategy[BareItem] = st.one_of(
    st.text('ab "\\,;=()~!', max_size=12),
    st.integers(-999_999_999_999_999, 999_999_999_999_999),
    st.binary(max_size=20),
    st.booleans(),
)
parameters = st.dictionaries(keys, bare, max_size=4)
items = st.builds(Item, bare, parameters)
members = st.one_of(items, st.builds(InnerList, st.lists(items, max_size=4).map(tuple), parameters))


@settings(max_examples=100, deadline=None)
@given(members=st.dictionaries(keys, members, max_size=4), cut=st.integers(0, 4))
def test_what_is_written_is_read_back(members: dict[str, Item | InnerList], cut: int) -> None:
    texts = [f"{key}={written(member)}" for key, member in members.items()]
    # Several lines of a field are one list.
    lines = [line for line in (", ".join(texts[:cut]), " ,\t".join(texts[cut:])) if line]
    assert dictionary(lines, 4096) == members


def test_a_list_has_one_text() -> None:
    made = InnerList((Item('a"\\', {"x": True, "y": False}), Item(-7, {})), {"z": b"\0"})
    assert written(made) == '("a\\"\\\\";x;y=?0 -7);z=:AA==:'
    assert written(dictionary(['a=(  "b";c=?1   1 );  d'], 99)["a"]) == '("b";c 1);d'


def test_lines_of_the_two_headers_are_one_list(p256: Holder) -> None:
    sent = signed(REQUEST, p256)
    twice = replace(sent, fields=sent.fields | {"signature-input": [*sent.fields["signature-input"]] * 2})
    with pytest.raises(Rejected, match="malformed: Signature-Input names one member twice"):
        verify_request(twice, nobody, NOW)
    with pytest.raises(Rejected, match="malformed: "):
        signature_of({"signature-input": ['a=("x"', ")"], "signature": ["a=:AAAA:"]})


def test_header_names_have_no_case() -> None:
    assert fields_of([("X-A", "1"), ("x-b", "2"), ("x-a", "3")]) == {"x-a": ["1", "3"], "x-b": ["2"]}
