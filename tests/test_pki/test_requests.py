"""Certificates for keys that others keep: requests made by OpenSSL, given as a file or on standard input."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.test_pki.conftest import Office, inspected, openssl, problems


def request(directory: Path, *key: str, subject: str = "/CN=Hệ thống X/O=Sở Y/organizationIdentifier=H26.12") -> Path:
    options = ("-newkey", *key, "-nodes", "-keyout", directory / "own.key", "-out", directory / "own.csr", "-utf8")
    extension = ("-addext", "subjectAltName=DNS:x.example,IP:10.1.2.3", "-addext", "basicConstraints=CA:TRUE")
    openssl("req", "-new", *options, "-subj", subject, *extension)
    return directory / "own.csr"


P256 = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")


@pytest.mark.parametrize("form", ["PEM", "DER", "-"])
def test_a_request_becomes_a_certificate_for_its_key(office: Office, tmp_path: Path, form: str) -> None:
    csr = request(tmp_path, *P256)
    given: dict[str, bytes] = {}
    if form == "DER":
        openssl("req", "-in", csr, "-outform", "DER", "-out", csr)
    elif form == "-":
        given["input"] = csr.read_bytes()
    told = office.did("issue", "x", "--kind", "tls-server", "--csr", "-" if given else csr, **given)
    assert told["key"] is None
    assert told["subject"] == "CN=Hệ thống X,organizationIdentifier=H26.12,O=Sở Y,C=VN"
    assert "OK" in office.verify(told["certificate"])
    text = openssl("x509", "-in", told["certificate"], "-noout", "-text")
    assert "DNS:x.example, IP Address:10.1.2.3" in text
    # What a request asks for beyond that does not count.
    assert "CA:TRUE" not in text
    assert openssl("pkey", "-in", tmp_path / "own.key", "-pubout") in openssl(
        "x509", "-in", told["certificate"], "-noout", "-pubkey"
    )


def test_hosts_of_a_request_stand_in_no_signing_certificate(office: Office, tmp_path: Path) -> None:
    told = office.did("issue", "x", "--csr", request(tmp_path, *P256))
    assert "DNS:x.example" not in openssl("x509", "-in", told["certificate"], "-noout", "-text")


@pytest.mark.parametrize("source", ["/dev/zero", "-", "file", "pipe"])
def test_no_more_is_read_than_a_request_may_have(office: Office, tmp_path: Path, source: str) -> None:
    path, given = tmp_path / source, {}
    if source == "pipe":
        os.mkfifo(path)
    elif source == "file":
        path.write_bytes(bytes(70_000))
    elif source == "-":
        path, given = Path("-"), {"input": bytes(70_000)}
    else:
        path = Path(source)
    refused = office.run("issue", "x", "--csr", path, **given)
    told = "is larger than 65536 bytes" if source in ("-", "file") else "is no regular file"
    assert (refused.exit_code, told in refused.stderr) == (2, True), refused.output


def test_options_go_before_what_the_request_says(office: Office, tmp_path: Path) -> None:
    csr = request(tmp_path, *P256)
    told = office.did("issue", "x", "--csr", csr, "--common-name", "Z", "--agency", "H27", "--organization", "UBND")
    assert told["subject"] == "CN=Z,organizationIdentifier=H27,O=UBND,C=VN"


def test_a_renewal_takes_a_new_request(office: Office, tmp_path: Path) -> None:
    first = office.did("issue", "x", "--csr", request(tmp_path, *P256))
    second = office.did("issue", "x", "--renew", "--csr", request(tmp_path, "rsa:2048", subject="/CN=Somebody else"))
    assert second["subject"] == first["subject"]
    (found,) = inspected(second["certificate"])
    assert found["facts"]["key"] == "RSA 2048"


@pytest.mark.parametrize("key", [("rsa:1024",), ("ec", "-pkeyopt", "ec_paramgen_curve:secp521r1"), ("ed25519",)])
def test_weak_keys_get_no_certificate(office: Office, tmp_path: Path, key: tuple[str, ...]) -> None:
    csr = request(tmp_path, *key)
    refused = office.run("issue", "x", "--csr", csr)
    assert refused.exit_code == 2
    assert "use RSA from 2048 bits" in refused.stderr
    assert "accepted nowhere here" in problems(inspected(csr, code=1))


def test_a_request_for_somebody_elses_key_gets_no_certificate(office: Office, tmp_path: Path) -> None:
    csr = request(tmp_path, *P256)
    openssl("req", "-in", csr, "-outform", "DER", "-out", csr)
    der = bytearray(csr.read_bytes())
    private = load_pem_private_key((tmp_path / "own.key").read_bytes(), None)
    point = private.public_key().public_numbers().x.to_bytes(32, "big")  # type: ignore[union-attr]
    place = bytes(der).index(b"x.example")
    assert point in bytes(der)
    der[place : place + 1] = b"y"
    csr.write_bytes(der)
    refused = office.run("issue", "x", "--csr", csr)
    assert (refused.exit_code, "does not fit its key" in refused.stderr) == (2, True)
    assert "does not fit its key" in problems(inspected(csr, code=1))


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE REQUEST-----\n", b"\x30\x03\x02\x01\x00", b"hello"])
def test_what_is_no_request(office: Office, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.csr"
    path.write_bytes(content)
    refused = office.run("issue", "x", "--csr", path)
    assert (refused.exit_code, "no certificate signing request" in refused.stderr) == (2, True)
    assert office.run("issue", "x", "--csr", tmp_path / "absent").exit_code == 2
