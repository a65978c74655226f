"""How bodies travel: lengths that lie, chunks, codings, slow ones, attachments; a connection is usable or closed."""

import gzip
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart

import pytest

from routes import bodies
from tests.test_soap_face.conftest import SECRET, Refused
from tests.test_soap_face.gate import Gate, request
from tests.test_soap_face.messages import MEDIA, VERSIONS, answer_of, envelope, person

BOTH = pytest.mark.parametrize("version", VERSIONS)
PATH = "/soap/population"
ASKED = person(f"<personalId>{SECRET}</personalId>")


def usual(gate: Gate, version: str, **more: str) -> dict[str, str]:
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return {"Content-Type": MEDIA[version], "Authorization": gate.basic(), "Lgsp-Purpose": "inspection", **named}


def chunked(body: bytes, size: int) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@BOTH
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_chunks(gate: Gate, question: str, version: str, size: int) -> None:
    body = chunked(envelope(question, version), size)
    sent = request(PATH, body, usual(gate, version, Transfer_Encoding="chunked"))
    with gate.wire() as wire:
        for _ in range(2):
            assert answer_of(wire.ask(sent).body, version) is not None


@BOTH
def test_a_message_in_pieces(gate: Gate, question: str, version: str) -> None:
    """Cut anywhere, in the middle of a character too."""
    sent = request(PATH, envelope(question + "<!-- Việt -->", version), usual(gate, version))
    with gate.wire() as wire:
        for at in range(0, len(sent), 97):
            wire.write(sent[at : at + 97])
        assert wire.read().status == 200


@BOTH
@pytest.mark.parametrize("coding", ["gzip", "deflate", "identity", "br"])
def test_codings_are_not_taken(gate: Gate, question: str, version: str, coding: str) -> None:
    body = gzip.compress(envelope(question, version)) if coding == "gzip" else envelope(question, version)
    reply = gate.send(PATH, body, {"Content-Encoding": coding}, version=version)
    refused = Refused(reply, version)
    assert (reply.status, refused.code) == (415, "unsupported-media-type")
    assert refused.fault.problem["errors"][0]["header"] == "Content-Encoding"
    assert "receipt" in refused.fault.problem


@BOTH
def test_a_length_that_is_too_short(gate: Gate, question: str, version: str) -> None:
    """What is left over is no message: the connection ends, nothing of it is read as another request."""
    body = envelope(question, version)
    with gate.wire() as wire:
        reply = wire.ask(request(PATH, body, usual(gate, version, Content_Length=str(len(body) - 20))))
        assert reply.status == 400
        assert b"malformed" in reply.body
        assert wire.ended()


@BOTH
def test_a_length_that_is_too_long(gate: Gate, question: str, version: str) -> None:
    """The rest never comes: nobody is asked, and whoever hung up is told nothing."""
    body = envelope(question, version)
    headers = usual(gate, version, Content_Length=str(len(body) + 20), X_Request_Id=f"broken-off-{version[-1]}x")
    with gate.wire() as wire:
        wire.write(request(PATH, body, headers))
    assert gate.ask("population", question, version).status == 200
    assert [entry for entry in gate.entries(headers["X-Request-Id"]) if entry["kind"] == "exchange"] == []


@BOTH
def test_two_lengths_or_a_length_beside_chunks(gate: Gate, question: str, version: str) -> None:
    body = envelope(question, version)
    head = list(usual(gate, version).items())
    for more in (
        [("Content-Length", str(len(body))), ("Content-Length", str(len(body) - 1))],
        [("Content-Length", str(len(body))), ("Transfer-Encoding", "chunked")],
        [("Transfer-Encoding", "gzip, chunked")],
        [("Content-Length", "-1")],
        [("Content-Length", "1e3")],
    ):
        with gate.wire() as wire:
            assert wire.ask(request(PATH, body, [*head, *more])).status in (400, 500), more


@BOTH
def test_a_caller_who_waits_to_be_told_to_go_on(gate: Gate, question: str, version: str) -> None:
    body = envelope(question, version)
    sent = request(PATH, body, usual(gate, version, Expect="100-continue"))
    with gate.wire() as wire:
        wire.write(sent.removesuffix(body))
        assert wire.continues()
        wire.write(body)
        assert wire.read().status == 200
        assert wire.ask(request(PATH, body, usual(gate, version))).status == 200


@BOTH
def test_a_body_that_does_not_come(gate: Gate, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.05)
    body = envelope(ASKED, version)
    with gate.wire() as wire:
        wire.write(request(PATH, body, usual(gate, version, Accept_Language="en"))[:-10])
        refused = Refused(wire.read(), version)
    assert refused.code == "malformed"
    assert "slowly" in refused.fault.problem["detail"]
    assert "receipt" in refused.fault.problem


@BOTH
def test_a_length_over_the_bound_is_refused_before_the_body(gate: Gate, version: str) -> None:
    headers = usual(gate, version, Content_Length="1048577")
    with gate.wire() as wire:
        reply = wire.ask(request(PATH, b"", headers))
        assert (reply.status, Refused(reply, version).code) == (413, "too-large")


def mtom(version: str, payload: str) -> tuple[str, bytes]:
    """A message as MTOM clients send it: the envelope first, a file after it."""
    kind = MEDIA[version].partition(";")[0]
    whole = MIMEMultipart("related", type="application/xop+xml", start="<root>", start_info=kind)
    root = MIMEApplication(envelope(payload, version), "xop+xml", lambda _: None, type=kind)
    root.add_header("Content-ID", "<root>")
    file = MIMEApplication(b"\0\1\2" * 1000, "octet-stream", lambda _: None)
    file.add_header("Content-ID", "<file>")
    whole.attach(root)
    whole.attach(file)
    head, _, body = whole.as_bytes().partition(b"\n\n")
    del head
    return str(whole["Content-Type"]).replace("\n", ""), body.replace(b"\n", b"\r\n")


def swa(version: str, payload: str) -> tuple[str, bytes]:
    """A message as SOAP with Attachments has it."""
    kind = MEDIA[version].partition(";")[0]
    parts = [
        f"--b\r\nContent-Type: {kind}; charset=UTF-8\r\n".encode(),
        b"Content-Transfer-Encoding: 8bit\r\nContent-ID: <r>\r\n\r\n",
        envelope(payload, version),
        b"\r\n--b\r\nContent-Type: image/png\r\nContent-ID: <a>\r\n\r\n\x89PNG\r\n--b--\r\n",
    ]
    return f'multipart/related; type="{kind}"; start="<r>"; boundary=b', b"".join(parts)


@BOTH
@pytest.mark.parametrize("make", [mtom, swa], ids=["mtom", "swa"])
def test_attachments_are_never_half_read(gate: Gate, question: str, make: object, version: str) -> None:
    media, body = make(version, ASKED)  # type: ignore[operator]
    headers = usual(gate, version, Content_Type=media)
    good = request(PATH, envelope(question, version), usual(gate, version))
    with gate.wire() as wire:
        for _ in range(3):
            reply = wire.ask(request(PATH, body, headers))
            # The kind of body says nothing of a version that could be believed.
            refused = Refused(reply, "1.1")
            assert (reply.status, refused.code) == (415, "unsupported-media-type")
            assert "MTOM" in refused.fault.problem["detail"]
            assert wire.ask(good).status == 200


@BOTH
def test_attachments_that_nobody_waits_for(gate: Gate, question: str, version: str) -> None:
    """Refused at their head, however much is still to come; the connection ends or goes on whole."""
    media, body = mtom(version, ASKED)
    headers = usual(gate, version, Content_Type=media, Content_Length=str(len(body) + 2_000_000))
    with gate.wire() as wire:
        reply = wire.ask(request(PATH, body, headers))
        assert (reply.status, Refused(reply, "1.1").code) == (415, "unsupported-media-type")
    assert gate.ask("population", question, version).status == 200


@BOTH
def test_many_messages_at_once_on_one_connection(gate: Gate, question: str, version: str) -> None:
    good = request(PATH, envelope(question, version), usual(gate, version))
    bad = request(PATH, envelope(ASKED.replace("0", "x"), version), usual(gate, version))
    with gate.wire() as wire:
        wire.write((good + bad) * 10)
        statuses = [wire.read().status for _ in range(20)]
    assert statuses == [200, 500 if version == "1.1" else 400] * 10


def test_http_1_0_ends_the_connection(gate: Gate, question: str) -> None:
    sent = request(PATH, envelope(question), usual(gate, "1.1")).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    with gate.wire() as wire:
        assert wire.ask(sent).status == 200
        assert wire.ended()
