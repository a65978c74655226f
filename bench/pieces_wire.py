"""Pieces on the way to a source and back: encode, parse, check against the contract, decode."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import schemas
from adapters import DATABASES
from adapters.bindings import Codec, Expected
from adapters.codecs import xml_decoder
from adapters.dispatch import compile_codecs, endpoint_of
from adapters.transport import Reply
from bench.answer import payload
from bench.pieces_clock import Clock
from config.settings import Endpoint
from sandbox.pki import Pair, Pki
from schemas.exchange import Caller, Credential, Database, Exchange, Operation
from schemas.fields import shape_of
from schemas.tax import NAMESPACE, Taxpayer
from security.contracts import contract_schema
from security.elements import elements_at
from security.signature import Trusted
from security.signature_key import SigningKey
from security.soap_signing import sign_soap_parts
from security.xml import parse

SIZES: Final = {"2 KB": 2_000, "10 KB": 10_000, "100 KB": 100_000}
ECDSA, RSA = "ECDSA P-256", "RSA-2048"
_CALLER = Caller("bench", "H26", Credential("secret", "bench"), {})
PARAMS = {"MaCanBo": "can.bo"}
_LAST = b"</DanhSachDonViPhuThuoc>"


@dataclass(frozen=True, slots=True)
class Answer:
    """A signed answer: its payload has about the size in its name; `confirms` is the value of the question."""

    envelope: bytes
    confirms: str
    signer: SigningKey


@dataclass(frozen=True, slots=True)
class Wire:
    """Keys of both kinds and what they signed; `pair` is where that of the tax register lies."""

    pair: Pair
    keys: Mapping[str, SigningKey]
    authority: Path
    payloads: Mapping[str, bytes]
    answers: Mapping[str, Answer]


def wire(directory: Path) -> Wire:
    """Make the material in an empty directory: a register that signs with ECDSA, another with RSA."""
    pki = Pki(directory)
    keys = {ECDSA: _loaded(pki.registry("tax")), RSA: _loaded(pki.registry("population"))}
    payloads = {name: sized(size) for name, size in SIZES.items()}
    answers = {f"{size} {name}": answer_of(text, key) for size, text in payloads.items() for name, key in keys.items()}
    return Wire(pki.registry("tax"), keys, pki.registries_ca, payloads, answers)


def encode_pieces(clock: Clock) -> dict[str, float]:
    """From a question to the bytes of an unsigned message, headers and message id included."""
    questions = examples()
    found = {}
    for database in DATABASES:
        for operation in database.operations:
            name = f"{database.name}/{operation.name}"
            if name in ("tax/taxpayer", "population/person", "social-insurance/participant"):
                codec, unsigned = codec_of(database, operation)
                exchange = exchange_of(database, unsigned, questions[name]["body"])
                found[name] = clock.one(partial(codec.write, exchange))
    return found


def read_pieces(clock: Clock, made: Wire) -> dict[str, float]:
    """From received bytes to data, piece by piece, and as the codec of an unsigned source does it."""
    schema, decode = contract_schema("tax.wsdl"), xml_decoder(shape_of(Taxpayer), NAMESPACE)
    found = {}
    for name, text in made.payloads.items():
        envelope = enveloped(text)
        body = parse(text)
        (record,) = elements_at(Trusted(body), ("NguoiNopThue",), f"{{{NAMESPACE}}}")
        found[f"parse {name}"] = clock.one(partial(parse, envelope))
        found[f"XSD {name}"] = clock.one(partial(schema.validate, body))
        found[f"decode {name}"] = clock.one(partial(decode, record))
    database = next(each for each in DATABASES if each.name == "tax")
    codec, _ = codec_of(database, database.operations[0])
    reply = Reply(200, {}, enveloped(b"".join((payload()[0], b"m", payload()[1]))))
    found["26 fields, all steps unsigned"] = clock.one(partial(codec.read, reply, Expected("m")))
    return found


def examples() -> dict[str, Any]:
    """A question and an answer of every operation, by `database/operation`."""
    text = Path(schemas.__file__).with_name("examples.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def codec_of(database: Database, operation: Operation) -> tuple[Codec, Operation]:
    """Compile an operation as of a source that does not sign."""
    unsigned = replace(operation, signed=False)
    name = endpoint_of(database, unsigned)
    codecs = compile_codecs(
        [replace(database, operations=(unsigned,))], {name: Endpoint(url="http://localhost", params=PARAMS)}
    )
    return codecs[database.name, operation.name], unsigned


def exchange_of(database: Database, operation: Operation, body: Mapping[str, Any]) -> Exchange:
    """The exchange that a request with this body becomes."""
    return Exchange(
        id=str(uuid4()),
        database=database,
        operation=operation,
        question=operation.question.model_validate(body),
        caller=_CALLER,
        purpose="dossier-processing",
        asked_at=datetime.now(UTC),
        deadline=0.0,
    )


def _loaded(pair: Pair) -> SigningKey:
    return SigningKey.load(pair.key, pair.certificate)


def sized(size: int) -> bytes:
    """The taxpayer's answer with as many branches as make it about so long."""
    before, after = payload()
    text = before + b"m" + after
    head, mark, tail = text.rpartition(_LAST)
    branch = head[head.rindex(b"<DonViPhuThuoc>") :]
    return head + branch * ((size - len(text)) // len(branch)) + mark + tail


def answer_of(text: bytes, key: SigningKey) -> Answer:
    """The answer with this payload to a question that was signed with the same key."""
    question = sign_soap_parts(b"<q/>", key, version="1.2")
    signed = sign_soap_parts(text, key, version="1.2", confirms=question.signature_value)
    return Answer(signed.envelope, question.signature_value, key)


def enveloped(text: bytes) -> bytes:
    """An unsigned SOAP 1.2 envelope around a payload."""
    soap = b"http://www.w3.org/2003/05/soap-envelope"
    return b'<env:Envelope xmlns:env="%b"><env:Body>%b</env:Body></env:Envelope>' % (soap, text)
