"""Properties of what is written for the portal: every dossier and step that may be said is taken by it."""

import json
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.bindings import Expected
from adapters.carriage import login_for, scheme_of
from adapters.dispatch import compile_codecs
from adapters.portal import PORTAL
from adapters.portal_binding import batch_limit
from adapters.transport import Message, Reply
from config.settings import ConfigurationError, Endpoint
from sandbox.portal.fields import CREATED, DOSSIER, PROGRESS, STEP, wrong_with
from schemas.dossiers.statuses import NATIONAL
from schemas.errors import GatewayError
from schemas.exchange import Caller, Credential, Exchange
from schemas.fields import shape_of, subjects
from schemas.portal import LONGEST_NOTE, PortalDossier, PortalStep, mark_of, marked
from tests.test_portal_adapter.wiring import CODE, at, dossier, step

HERE = "http://127.0.0.1:9"
CODECS = {generation: compile_codecs([PORTAL], {"portal": at(HERE, generation)}) for generation in ("1", "2")}

LINES = st.text(st.characters(categories=("L", "N", "P", "Zs"), codec="utf-8"), min_size=1, max_size=40).filter(
    str.strip
)
MOMENTS = st.datetimes(datetime(1900, 1, 2), datetime(2199, 12, 30)).map(lambda one: f"{one.isoformat()[:19]}Z")
CODES = st.builds(
    "{}-{:%y%m%d}-{:04}".format,
    st.sampled_from(["000.00.18.G12", "H26.1"]),
    st.dates(date(2001, 1, 1), date(2099, 1, 1)),
    st.integers(0, 9999999),
)
STATUSES = st.sampled_from(sorted(NATIONAL))
OPTIONAL = {
    "procedure_name": LINES,
    "email": LINES,
    "note": LINES,
    "submitted_at": MOMENTS,
    "due_at": MOMENTS,
    "returned_at": MOMENTS,
    "return_method": st.sampled_from(["counter", "post"]),
    "has_digitised": st.booleans(),
    "agency": st.sampled_from(["G09.20", "000.00.18.G12"]),
    "owner_identities": st.lists(
        st.fixed_dictionaries({"number": st.from_regex("([0-9]{9}|[0-9]{12})", fullmatch=True)}), max_size=2
    ),
    "fees": st.lists(st.fixed_dictionaries({"name": LINES, "amount": st.just("8000")}, optional={"code": LINES})),
    "supplements": st.lists(
        st.fixed_dictionaries({}, optional={"request": LINES, "requested_at": MOMENTS, "due_after": MOMENTS}),
        max_size=2,
    ),
}
DOSSIERS = st.fixed_dictionaries(
    {
        "code": CODES,
        "status": STATUSES,
        "procedure": st.just("2.002492"),
        "channel": st.sampled_from(["counter", "online", "post"]),
        "owner_name": LINES,
        "owner_kind": st.sampled_from(["citizen", "enterprise"]),
        "received_at": MOMENTS,
    },
    optional=OPTIONAL,
)
STEPS = st.builds(
    PortalStep.of,
    CODES,
    STATUSES,
    st.fixed_dictionaries(
        {"at": MOMENTS},
        optional={"officer": LINES, "unit": LINES, "note": LINES, "position": LINES, "started_at": MOMENTS},
    ),
    sequence=st.none() | st.integers(1, 10**9 - 1),
    event=st.none() | st.from_regex("[A-Za-z0-9._-]{1,40}", fullmatch=True),
)


def exchange(operation: str, question: object) -> Exchange:
    declared = PORTAL.operation(operation)
    assert declared is not None
    caller = Caller("lgsp-sync", "H26", Credential("secret", "sync"), {})
    return Exchange(
        id="e",
        database=PORTAL,
        operation=declared,
        question=declared.question.model_validate(question),
        caller=caller,
        purpose=None,
        asked_at=datetime.now(),
        deadline=0.0,
    )


def written(generation: str, operation: str, question: object) -> tuple[Message, Expected, Any]:
    message, expected = CODECS[generation]["portal", operation].write(exchange(operation, question))
    return message, expected, json.loads(message.body)


@given(st.lists(DOSSIERS, min_size=1, max_size=4), st.booleans())
def test_every_dossier_is_taken_by_the_first_generation(dossiers: list[dict[str, Any]], updating: bool) -> None:
    message, expected, body = written("1", "register", {"updating": updating, "dossiers": dossiers})
    assert (message.method, message.query) == ("POST", {"dstcode": "VN:GOV:000.00.00.G22:vpcpdvcprovider"})
    assert (body["service"], body["madonvi"], body["isUpdating"]) == ("DongBoHoSoMC", "H26", str(updating))
    assert [wrong_with(one, DOSSIER) for one in body["data"]] == [None] * len(dossiers)
    assert expected.asked == ("update" if updating else "create", tuple(one["code"] for one in dossiers))


@given(DOSSIERS)
def test_every_dossier_is_taken_by_the_second_generation(said: dict[str, Any]) -> None:
    _, expected, body = written("2", "register", {"updating": False, "dossiers": [said]})
    assert wrong_with(body, CREATED) is None
    assert body["MaDonViTiepNhan"] == said.get("agency", said["code"].rsplit("-", 2)[0])
    assert expected.asked == ("create", (said["code"],))


@given(st.lists(STEPS, min_size=1, max_size=4))
def test_every_step_is_taken_by_both(steps: list[PortalStep]) -> None:
    for generation, shape in (("1", PROGRESS), ("2", STEP)):
        _, _, body = written(generation, "progress", {"steps": steps})
        told = body["data"] if generation == "1" else body
        assert [wrong_with(one, shape) for one in told] == [None] * len(steps)
        assert [str(one["TrangThai"]) for one in told] == [one.status for one in steps]


@given(
    st.text(max_size=LONGEST_NOTE + 100),
    st.none() | st.integers(0, 10**15 - 1),
    st.none() | st.from_regex("[A-Za-z0-9._-]{1,40}", fullmatch=True),
)
def test_a_mark_is_found_again(note: str, sequence: int | None, event: str | None) -> None:
    text = marked(note, sequence, event)
    assert len(text) <= LONGEST_NOTE
    if sequence is not None or event is not None:
        assert mark_of(text) == (sequence, event)


def test_a_mark_finds_its_place_behind_the_longest_text() -> None:
    whole = step(7, "4", note="x" * LONGEST_NOTE, event="e" * 40)
    assert whole.note is not None
    assert (len(whole.note), mark_of(whole.note)) == (LONGEST_NOTE, (7, "e" * 40))
    assert marked("x" * (LONGEST_NOTE + 1), None, None) == "x" * LONGEST_NOTE


@pytest.mark.parametrize("note", [None, "", "[#]", "[#/]", "[#1] ", "#1", "[#1/a b]", "[#x]"])
def test_what_is_no_mark(note: str | None) -> None:
    assert mark_of(note) is None


def test_a_step_says_what_the_portal_wants() -> None:
    bare = step(1, "4")
    assert (bare.officer, bare.note) == ("000.00.00.H26", "Đang xử lý [#1]")
    assert step(None, "4", unit="U" * 80).officer == "U" * 50
    with pytest.raises(ValidationError):
        PortalStep.of(CODE, "11", {"at": "2026-01-05T02:00:00Z", "note": "x"}, sequence=1, event=None)


def test_people_of_a_dossier_are_subjects() -> None:
    said = PortalDossier.model_validate(dossier(owner_identities=[{"number": "001190000001"}, {"number": "012345678"}]))
    found: list[Any] = []
    subjects(shape_of(PortalDossier), "asked")(said.model_dump(exclude_none=True), found)
    assert [(kind, value) for _, kind, value in found] == [("personal-id", "001190000001"), ("id-card", "012345678")]


@given(st.binary(max_size=80) | st.from_regex(rb'\{"(error_code|code)":("?-?[0-9]{1,2}"?|null),"message":".{0,9}"\}'))
def test_no_answer_breaks_a_codec(body: bytes) -> None:
    for codecs in CODECS.values():
        for operation, question in (
            ("register", {"updating": False, "dossiers": [dossier()]}),
            ("look-up", {"code": CODE}),
        ):
            codec = codecs["portal", operation]
            _, expected = codec.write(exchange(operation, question))
            for status in (200, 400, 404, 503):
                try:
                    data = codec.read(Reply(status, {}, body), expected).data
                except GatewayError:
                    continue
                assert data["outcome"] != "applied" or (status == 200 and data["source_code"] in ("0", "200"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"params": {}}, "needs params.madonvi"),
        ({"params": {"generation": "3"}}, 'params.generation is "1" or "2"'),
        ({"params": {"madonvi": "H26", "pfad": "/x"}}, "params.pfad: generation 1 of the portal has no such param"),
        ({"params": {"generation": "2", "dstcode": "x"}}, "params.dstcode: generation 2 of the portal has no such"),
        ({"params": {"madonvi": "H26", "batch": "0"}}, "params.batch is a number"),
        ({"params": {"madonvi": "H26", "batch": "many"}}, "params.batch is a number"),
        ({"params": {"madonvi": "H26", "dstcode_in": "body"}}, "params.dstcode_in"),
        ({"username": ""}, "needs username and secret"),
        ({"via": "lgsp", "lgsp": {"context": "/portal", "token": "/token"}}, 'via = "lgsp" leaves no place'),
    ],
    ids=["unit", "generation", "misspelt", "other-generation", "none", "word", "place", "account", "platform"],
)
def test_what_an_endpoint_lacks_is_named(change: dict[str, Any], said: str) -> None:
    endpoint = Endpoint.model_validate(at(HERE, "1").model_dump() | change)
    with pytest.raises(ConfigurationError, match=r"\[endpoints\.portal\]") as caught:
        compile_codecs([PORTAL], {"portal": endpoint})
    assert said in str(caught.value)


def test_the_second_generation_goes_through_a_platform() -> None:
    settings = at(HERE, "2").model_dump() | {"via": "lgsp", "lgsp": {"context": "/portal", "token": "/token"}}
    codecs = compile_codecs([PORTAL], {"portal": Endpoint.model_validate(settings)})
    message, _ = codecs["portal", "look-up"].write(exchange("look-up", {"code": CODE}))
    assert message.path == "/portal/dvc/2.0/TraCuuHoSo"


@pytest.mark.parametrize("place", ["query", "header"])
def test_whom_the_adapter_hands_it_to_stands_in_one_place(place: str) -> None:
    endpoint = at(HERE, "1", dstcode="VN:GOV:x", dstcode_in=place)
    message, _ = compile_codecs([PORTAL], {"portal": endpoint})["portal", "fields"].write(exchange("fields", {}))
    assert (message.query, message.headers.get("dstcode")) == (
        ({"dstcode": "VN:GOV:x"}, None) if place == "query" else ({}, "VN:GOV:x")
    )


def test_either_goes_through_a_security_server() -> None:
    road = {"client": "VN/GOV/H26/lgsp", "provider": "VN/GOV/G22/portal", "service": "mapi"}
    for generation, path in (("1", "/XrdAdapter/RestService/forward/mapi/g"), ("2", "/dvc/2.0/TraCuuHoSo")):
        settings = at(HERE, generation).model_dump() | {"via": "xroad", "xroad": road}
        endpoint = Endpoint.model_validate(settings)
        codecs = compile_codecs([PORTAL], {"portal": endpoint})
        message, _ = codecs["portal", "look-up"].write(exchange("look-up", {"code": CODE}))
        assert message.path == f"/r1/VN/GOV/G22/portal/mapi{path}"
        scheme, _ = login_for("portal", endpoint, scheme_of([PORTAL], "portal"))
        steps = scheme.log_in(endpoint)
        assert steps is not None
        assert next(steps).path.startswith("/r1/VN/GOV/G22/portal/mapi/")


def test_batches() -> None:
    register, progress, look_up = (PORTAL.operation(name) for name in ("register", "progress", "look-up"))
    assert register is not None
    assert progress is not None
    assert look_up is not None
    assert [batch_limit(at(HERE, "1"), one) for one in (register, progress, look_up)] == [100, 100, 1]
    assert [batch_limit(at(HERE, "2"), one) for one in (register, progress)] == [1, 100]
    assert batch_limit(at(HERE, "1", batch="10"), progress) == 10
    assert batch_limit(at(HERE, "2", batch="10"), register) == 1
    assert not register.repeatable
    assert not progress.repeatable
