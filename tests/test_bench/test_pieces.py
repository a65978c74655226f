"""Every piece that was promised is measured, on messages that the product accepts."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest
from signxml.exceptions import InvalidSignature

from adapters.offloading import LARGE
from bench import pieces, pieces_loop, pieces_rivals, pieces_signatures, pieces_wire
from bench.pieces_clock import Clock
from security.signature import RecentSignatures, Rejected

pytestmark = pytest.mark.timeout(600)

GROUPS = {
    "encode": {"tax/taxpayer", "population/person", "social-insurance/participant"},
    "sign": {f"{what} {key}" for what in ("question", "2 KB", "bare key") for key in ("ECDSA P-256", "RSA-2048")},
    "verify": {
        f"{size} {key}{library}"
        for size in ("2 KB", "10 KB", "100 KB")
        for key in ("ECDSA P-256", "RSA-2048")
        for library in ("", " xmlsec", " signxml")
    },
    "loop": {"read, on the loop", "read, in a thread", "evidence, on the loop"},
    "read": {f"{piece} {size}" for piece in ("parse", "XSD", "decode") for size in ("2 KB", "10 KB", "100 KB")}
    | {"26 fields, all steps unsigned"},
    "trust": {
        f"{piece}, {how} revocation"
        for piece in ("kept verdict", "message", "new verdict")
        for how in ("with", "without")
    }
    | {"OCSP answer"},
    "access": {"token check", "token check, first time", "grant and mask", "limit"},
    "evidence": {"evidence to canonical entry", "seal, 32 at once", "receipt as JSON"}
    | {f"append, {size} in a commit, {clock}" for size in (1, 8, 32, 100) for clock in ("CPU", "wall")},
    "request": {"request id, headers, metrics, log line"},
    "rivals": {"zeep create", "zeep create, write, read", "pydantic validate", "json write", "json read"},
}


def test_every_piece_is_measured() -> None:
    found = pieces.measured(quick=True, seconds=0.002)
    assert {group: set(measured) for group, measured in found.items()} == GROUPS
    assert all(micros > 0 for measured in found.values() for micros in measured.values())


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> pieces_wire.Wire:
    return pieces_wire.wire(tmp_path_factory.mktemp("wire"))


def test_answers_have_the_size_in_their_name(wire: pieces_wire.Wire) -> None:
    for name, size in pieces_wire.SIZES.items():
        assert size * 0.9 < len(wire.payloads[name]) <= size


def refuse(name: str) -> None:
    raise ImportError(f"no {name} here")


def test_every_verifier_refuses_an_altered_answer(wire: pieces_wire.Wire) -> None:
    answer = wire.answers["2 KB ECDSA P-256"]
    altered = pieces_wire.Answer(answer.envelope.replace(b"10100", b"10101"), answer.confirms, answer.signer)
    assert altered.envelope != answer.envelope
    broken = replace(wire, answers={"altered": altered})
    with pytest.raises(Rejected, match="altered"):
        pieces_signatures.verifiers(broken, RecentSignatures())["altered"]()
    others, absent = pieces_rivals.other_verifiers(broken)
    assert not absent
    with pytest.raises(Exception, match="Signature is invalid"):
        others["altered xmlsec"]()
    with pytest.raises(InvalidSignature, match=r"[Dd]igest"):
        others["altered signxml"]()


def test_ours_does_all_of_it_each_time(wire: pieces_wire.Wire) -> None:
    # The memory is asked, and knows each message again.
    memory = RecentSignatures()
    once = pieces_signatures.verifiers(wire, memory)
    anew = pieces_signatures.verifiers(wire, pieces_signatures.Anew(memory))
    for name in once:
        once[name]()
        with pytest.raises(Rejected, match="replayed"):
            once[name]()
        assert anew[name]() is not anew[name]()
    # So is the question that was answered.
    other = replace(wire.answers["2 KB ECDSA P-256"], confirms=wire.answers["2 KB RSA-2048"].confirms)
    with pytest.raises(Rejected, match="not-answer-to-request"):
        pieces_signatures.verifiers(replace(wire, answers={"other": other}), RecentSignatures())["other"]()


def test_answers_fit_below_the_size_that_is_asked_for(wire: pieces_wire.Wire) -> None:
    for limit in (LARGE, pieces_loop.PROMISED):
        assert limit - 200 < len(pieces_loop.fitting(wire, limit).envelope) < limit


def test_a_library_that_does_not_load_is_named(wire: pieces_wire.Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces_rivals, "import_module", refuse)
    found, absent = pieces_rivals.other_verifiers(wire)
    assert absent == ["absent: xmlsec (no xmlsec here)"]
    assert found
    assert not any(name.endswith(" xmlsec") for name in found)


def test_the_clock_takes_the_fastest_quarter_of_its_runs() -> None:
    # With no time to spend there are four runs of one time each.
    moments = ticking(iter([0.02, 0.08, 0.01, 0.06]))
    assert Clock(0.0).several(lambda times: None, lambda: next(moments)) == 10_000.0


def ticking(spent: Iterator[float]) -> Iterator[float]:
    """A clock that is looked at before and after each of these times."""
    now = 0.0
    for each in spent:
        yield now
        now += each
        yield now


def test_pieces_that_are_compared_take_turns() -> None:
    done: list[str] = []
    found = Clock(0.0).together({name: partial(done.append, name) for name in "ab"})
    assert found.keys() == {"a", "b"}
    # Each is tried once to find how often, then they alternate.
    assert "".join(done[-6:]) == "ababab"
