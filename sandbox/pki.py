"""The sandbox's own certification authorities, one set per state directory, kept over restarts.

Three authorities: of the registries (who signs answers), of the gateway (who signs requests, TLS) and of the clients.
Everything carries `LGSP SANDBOX` in O and CN, so that a deployment can refuse it. Private keys are 0600 in a directory
of 0700. Beside each registry's genuine certificate lie the expired and the revoked one that its faults sign with.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from security.signature_key import SigningKey

MARK: Final = "LGSP SANDBOX"
Variant = Literal["genuine", "expired", "revoked"]
_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
# Both kinds of key are met in the field, so both occur here.
_RSA: Final = frozenset({"population"})
_YEARS: Final = timedelta(days=3650)
_BEFORE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key as PEM files."""

    certificate: Path
    key: Path


class Pki:
    """Certificates by name, made when first asked for and read back ever after."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._signers: dict[str, SigningKey] = {}
        self.registries_ca = self._authority("registries-ca", "Registries CA")
        self.gateway_ca = self._authority("gateway-ca", "Gateway CA")
        self.clients_ca = self._authority("clients-ca", "Clients CA")

    def registry(self, name: str) -> Pair:
        """Return the certificate a registry signs its answers with."""
        return self._leaf(f"registry-{name}", f"Registry {name}", "registries-ca", rsa_key=name in _RSA)

    def signer(self, name: str, variant: Variant = "genuine") -> SigningKey:
        """Return a registry's key with its genuine certificate or one of the same name that no longer holds."""
        if name not in self._signers:
            # Reading an RSA key costs more than everything else here: it is done once for all variants.
            pair = self.registry(name)
            self._signers[name] = SigningKey.load(pair.key, pair.certificate)
        genuine = self._signers[name]
        if variant == "genuine":
            return genuine
        path = self._path(f"registry-{name}-{variant}.pem")
        if not path.exists():
            self._vary(name, variant, genuine, path)
        return SigningKey.of(genuine.private, x509.load_pem_x509_certificate(path.read_bytes()))

    def stranger(self) -> SigningKey:
        """Return the key of another member of the registries' authority, whom nobody expects as a source."""
        pair = self._leaf("stranger", "Stranger", "registries-ca")
        return SigningKey.load(pair.key, pair.certificate)

    def revocations(self, names: tuple[str, ...]) -> Path:
        """Return the registries' revocation list; it names at least the revoked certificate of each of `names`."""
        path = self._path("registries.crl")
        held = x509.load_pem_x509_crl(path.read_bytes()) if path.exists() else None
        serials = {self.signer(name, "revoked").certificate.serial_number for name in names}
        known = {entry.serial_number for entry in held} if held else set()
        if held is None or not serials <= known:
            authority, key = self._load("registries-ca")
            now = datetime.now(UTC)
            crl = x509.CertificateRevocationListBuilder().issuer_name(authority.subject)
            crl = crl.last_update(now - _BEFORE).next_update(authority.not_valid_after_utc)
            crl = crl.add_extension(x509.CRLNumber(len(known) + 1), critical=False)
            for serial in sorted(serials | known):
                entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - _BEFORE)
                crl = crl.add_revoked_certificate(entry.build())
            _write(path, crl.sign(key, SHA256()).public_bytes(Encoding.PEM), 0o644)
        return path

    def gateway_signing(self) -> Pair:
        """Return the certificate the gateway signs its requests to registries with."""
        return self._leaf("gateway-signing", "Gateway signing", "gateway-ca")

    def gateway_tls(self, host: str) -> Pair:
        """Return the certificate of the gateway's HTTPS face, for `host` and the loopback names."""
        names = dict.fromkeys((host, "localhost", "127.0.0.1", "::1"))
        return self._leaf(f"gateway-tls-{host.replace(':', '_')}", "Gateway TLS", "gateway-ca", tuple(names))

    def client(self, name: str) -> Pair:
        """Return the certificate of a caller, for mTLS and for signed requests."""
        return self._leaf(f"client-{name}", f"Client {name}", "clients-ca")

    def _path(self, file: str) -> Path:
        return self._directory / file

    def _load(self, name: str) -> tuple[x509.Certificate, _Key]:
        certificate = x509.load_pem_x509_certificate(self._path(f"{name}.pem").read_bytes())
        key = load_pem_private_key(self._path(f"{name}.key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise ValueError(f"{name}.key is neither an ECDSA nor an RSA key")
        return certificate, key

    def _store(self, name: str, certificate: x509.Certificate, key: _Key) -> None:
        # The certificate is what later runs look for: it is written last.
        _write(self._path(f"{name}.key"), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
        _write(self._path(f"{name}.pem"), certificate.public_bytes(Encoding.PEM), 0o644)

    def _authority(self, name: str, title: str) -> Path:
        path = self._path(f"{name}.pem")
        if not path.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            builder = _certificate(_name(title), _name(title), key, datetime.now(UTC) - _BEFORE, _YEARS)
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            builder = builder.add_extension(_usage(authority=True), critical=True)
            self._store(name, builder.sign(key, SHA256()), key)
        return path

    def _leaf(
        self, name: str, title: str, authority: str, hosts: tuple[str, ...] = (), *, rsa_key: bool = False
    ) -> Pair:
        pair = Pair(self._path(f"{name}.pem"), self._path(f"{name}.key"))
        if not pair.certificate.exists():
            key = _generate(rsa_key=rsa_key)
            self._store(name, self._issue(authority, title, key, datetime.now(UTC) - _BEFORE, hosts), key)
        return pair

    def _issue(
        self, authority: str, title: str, key: _Key, begin: datetime, hosts: tuple[str, ...] = (), years: float = 5
    ) -> x509.Certificate:
        issuer, issuer_key = self._load(authority)
        builder = _certificate(_name(title), issuer.subject, key, begin, timedelta(days=365 * years))
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(authority=False), critical=True)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        if hosts:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False
            )
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
            builder = builder.add_extension(usage, critical=False)
        elif authority == "clients-ca":
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
            builder = builder.add_extension(usage, critical=False)
        return builder.sign(issuer_key, SHA256())

    def _vary(self, name: str, variant: Variant, genuine: SigningKey, path: Path) -> None:
        now = datetime.now(UTC)
        begin, years = (now - timedelta(days=730), 1) if variant == "expired" else (now - _BEFORE, 5)
        certificate = self._issue("registries-ca", f"Registry {name}", genuine.private, begin, years=years)
        _write(path, certificate.public_bytes(Encoding.PEM), 0o644)


def _generate(*, rsa_key: bool) -> _Key:
    if rsa_key:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def _name(title: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, MARK),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{MARK} {title}"),
        ]
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: _Key, begin: datetime, lasting: timedelta
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(begin).not_valid_after(begin + lasting)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a whole file or none."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
