"""What the authority makes, in use by others: TLS on both sides, and OpenSSL as a responder for it."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.test_pki.conftest import Office, openssl

NAMED = ("--common-name", "Trục LGSP")


def shaken(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> ssl.SSLObject:
    """Shake hands in memory, as far as both agree; return the server's side."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname=host)
    for _ in range(4):
        for side in (theirs, ours):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    ours.do_handshake()
    return ours


def server_context(office: Office, told: dict[str, Any]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(told["chain"], told["key"])
    context.load_verify_locations(office.directory / "root.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(office: Office, told: dict[str, Any]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(office.directory / "root.pem")
    context.load_cert_chain(told["chain"], told["key"])
    return context


def test_both_sides_of_tls_believe_each_other(office: Office) -> None:
    server = office.did("issue", "gw", "--kind", "tls-server", "--host", "gw.example", *NAMED)
    client = office.did("issue", "so-noi-vu", "--kind", "tls-client", *NAMED)
    side = shaken(server_context(office, server), client_context(office, client), "gw.example")
    assert (side.getpeercert() or {})["serialNumber"].lower().lstrip("0") == client["serial"]
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shaken(server_context(office, server), client_context(office, client), "other.example")


def test_neither_takes_the_place_of_the_other(office: Office) -> None:
    server = office.did("issue", "gw", "--kind", "tls-server", "--host", "gw.example", *NAMED)
    client = office.did("issue", "so-noi-vu", "--kind", "tls-client", *NAMED)
    for wrong in ((client, client), (server, server)):
        with pytest.raises(ssl.SSLError, match=r"unsuitable certificate purpose|unsupported certificate purpose"):
            shaken(server_context(office, wrong[0]), client_context(office, wrong[1]), "gw.example")


def test_openssl_answers_for_it(office: Office, tmp_path: Path) -> None:
    told = {name: office.did("issue", name, *NAMED) for name in ("good", "bad")}
    responder = office.did("issue", "ocsp", "--kind", "ocsp-responder", *NAMED)
    office.did("revoke", "bad", "--reason", "keyCompromise")
    office.did("issue", "good", "--renew", "--overlap", "7d")
    index = tmp_path / "index.txt"
    index.write_text(office.run("list", "--openssl").stdout)
    issuing, chain = office.directory / "issuing.pem", office.directory / "chain.pem"
    asked = [part for name in told for part in ("-cert", told[name]["certificate"])]
    openssl("ocsp", "-issuer", issuing, *asked, "-no_nonce", "-reqout", tmp_path / "question")
    signer = ("-rsigner", responder["certificate"], "-rkey", responder["key"], "-CA", issuing)
    openssl("ocsp", "-index", index, *signer, "-reqin", tmp_path / "question", "-respout", tmp_path / "answer")
    said = openssl("ocsp", "-respin", tmp_path / "answer", "-issuer", issuing, *asked, "-CAfile", chain, "-no_nonce")
    assert "Response verify OK" in said
    assert f"{told['good']['certificate']}: good" in said
    assert f"{told['bad']['certificate']}: revoked" in said
    assert "Reason: keyCompromise" in said
