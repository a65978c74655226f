"""The calls that every client makes, in the words of its driver, and the files that it proves itself with."""

import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import PrivateFormat, load_pem_private_key, pkcs12
from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12Certificate

from adapters import DATABASES
from tests.test_soap_clients.material import VERSIONS, Asked, Call, Tree, pascal

ROOT = Path(__file__).parents[2]
SERVICES = (*(database.name for database in DATABASES), "me")
CONTRACTS = (*SERVICES, "dossiers")
"""What each client loads; how dossiers are pushed and looked up is tried in `tests.test_soap_dossiers`."""
PASSWORD = "sandbox"

FAULTS = ("no-record", "unauthenticated", "invalid", "purpose-required")
"""Codes of ours that each client is made to meet, in both versions."""

LESS = ("fullName", "religion", "father.fullName")


class Job:
    """All calls of one client, by id."""

    def __init__(self, described: Mapping[str, Any], asked: Mapping[str, Asked], token: str) -> None:
        ministry = described["clients"]["ministry"]
        basic = (ministry["client_id"], ministry["client_secret"])
        self.calls: dict[str, Call] = {}
        for kind, one in asked.items():
            call = _call(described["gateway"], one)
            self._add(replace(call, id=f"{kind} 1.1", basic=basic))
            self._add(replace(call, id=f"{kind} 1.2", soap="1.2", bearer=token))
        for database in DATABASES:
            call = self.calls[f"{database.name}/{database.operations[0].name} 1.1"]
            self._add(replace(call, id=f"mtls {database.name}", tls=described["gateway_tls"], basic=None))
        person = self.calls["population/person 1.1"]
        self._add(replace(person, id="less", blocks={**person.blocks, "Fields": ",".join(LESS)}))
        self._add(
            replace(person, id="http", blocks={}, http={f"Lgsp-{key}": text for key, text in person.blocks.items()})
        )
        self._add(replace(person, id="me", service="me", operation="Me", body={}, blocks={}))
        nobody = next(one for one in described["cases"]["population/person"] if one["name"] == "no-record")
        wrong: dict[str, Tree] = {
            "no-record": {"body": {"personalId": nobody["body"]["personal_id"]}},
            "unauthenticated": {"basic": (basic[0], "wrong")},
            "invalid": {"body": {"personalId": "0790809624"}},
            "purpose-required": {"blocks": {name: text for name, text in person.blocks.items() if name != "Purpose"}},
        }
        for version in VERSIONS:
            for code in FAULTS:
                self._add(replace(person, id=f"{code} {version}", soap=version, **wrong[code]))

    def _add(self, call: Call) -> None:
        self.calls[call.id] = call


def _call(base: str, one: Asked) -> Call:
    database, _, operation = one.name.partition("/")
    blocks = {name.removeprefix("Lgsp-"): text for name, text in one.headers.items()}
    return Call("", base, database, pascal(operation), body=one.soap_body, blocks=blocks)


class Papers:
    """The certificate and key of the client, and who signed the gateway's, in the forms that clients want."""

    def __init__(self, described: Mapping[str, Any], folder: Path) -> None:
        ministry = described["clients"]["ministry"]
        self.certificate, self.key = Path(ministry["certificate"]), Path(ministry["key"])
        self.ca = Path(described["trust"]["gateway"])
        self.pair = folder / "pair.pem"
        self.pair.write_bytes(self.certificate.read_bytes() + self.key.read_bytes())
        self.store, self.trusted = folder / "client.p12", folder / "trusted.p12"
        certificate = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        key = load_pem_private_key(self.key.read_bytes(), None)
        assert isinstance(key, EllipticCurvePrivateKey)
        # The old form of PKCS #12: Mono reads no newer one.
        old = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(2048).hmac_hash(hashes.SHA1())
        locked = old.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC).build(PASSWORD.encode())
        self.store.write_bytes(pkcs12.serialize_key_and_certificates(b"client", key, certificate, None, locked))
        anchors = [
            PKCS12Certificate(one, f"ca{at}".encode())
            for at, one in enumerate(x509.load_pem_x509_certificates(self.ca.read_bytes()))
        ]
        self.trusted.write_bytes(pkcs12.serialize_java_truststore(anchors, locked))


def as_json(calls: Iterable[Call], papers: Papers, **more: Any) -> str:
    """The calls for a driver that reads JSON; `more` is said of each."""
    told = []
    for call in calls:
        one: Tree = {
            **more,
            "id": call.id,
            "wsdl": call.wsdl,
            "location": call.location,
            "service": f"{pascal(call.service)}Service",
            "port": call.port,
            "operation": call.operation,
            "soap": call.soap,
            "body": dict(call.body),
            "headers": dict(call.blocks),
            "http": dict(call.http),
        }
        if call.basic is not None:
            one["basic"] = list(call.basic)
        if call.bearer is not None:
            one["bearer"] = call.bearer
        if call.tls is not None:
            files = {"certificate": papers.certificate, "key": papers.key, "pair": papers.pair, "ca": papers.ca}
            one["tls"] = {name: str(path) for name, path in files.items()}
        told.append(one)
    return json.dumps(told)


def as_lines(calls: Iterable[Call], papers: Papers) -> str:
    """The calls for a driver in a language that cannot read JSON by itself: a word, a tab, what belongs to it."""
    lines = []
    for call in calls:
        lines += [
            ("id", call.id),
            ("wsdl", call.wsdl),
            ("location", call.location),
            ("namespace", call.namespace),
            ("package", f"lgsp.{call.service.replace('-', '_')}._1"),
            ("name", pascal(call.service)),
            ("port", call.port),
            ("operation", call.operation),
            *(("body", *pair) for pair in call.body.items()),
            *(("header", *pair) for pair in call.blocks.items()),
            *(("http", *pair) for pair in call.http.items()),
        ]
        if call.basic is not None:
            lines.append(("basic", *call.basic))
        if call.bearer is not None:
            lines.append(("http", "Authorization", f"Bearer {call.bearer}"))
        if call.tls is not None:
            lines.append(("tls", str(papers.store), str(papers.trusted), PASSWORD, str(papers.ca)))
        lines.append(("end",))
    return "".join("\t".join(line) + "\n" for line in lines)


def told(command: Sequence[str | Path], given: str, **environment: str) -> dict[str, Tree]:
    """Run a driver to its end; return what it printed, by the id of the call."""
    done = subprocess.run(
        [str(word) for word in command],
        input=given,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, **environment},
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["id"]: line for line in lines}
