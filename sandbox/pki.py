"""The sandbox's own certification authorities, one set per state directory, kept over restarts.

Three authorities: of the registries (who signs answers), of the gateway (who signs requests, TLS) and of the clients.
Everything carries `LGSP SANDBOX` in O and CN, so that a deployment can refuse it. Private keys are 0600 in a directory
of 0700. Beside each registry's genuine certificate lie the expired and the revoked one that its faults sign with. Once
it is known where the sandbox serves its lists and its responder, the registries' certificates say so.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sandbox.pki_store import BEFORE, MARK, Look, Pair, PkiStore, load_one
from security.files import write_whole
from security.issuing import PROFILES
from security.signature_key import SigningKey

__all__ = ["MARK", "Pair", "Pki", "Variant"]

Variant = Literal["genuine", "expired", "revoked"]
# Both kinds of key are met in the field, so both occur here.
_RSA: Final = frozenset({"population"})
# Callers and the gateway are known by what they hold, and nobody asks about them: their certificates stay as they are.
_SILENT: Final = frozenset({"gateway-ca", "clients-ca"})
_YEAR: Final = timedelta(days=365)


class Pki:
    """The certificates of registries, gateway and clients by their names."""

    def __init__(self, directory: Path) -> None:
        self.store = PkiStore(directory, _SILENT)
        self._registries = self.store.authority("registries-ca", "Registries CA")
        self._gateway = self.store.authority("gateway-ca", "Gateway CA")
        self._clients = self.store.authority("clients-ca", "Clients CA")
        self.registries_ca = self._registries.path
        self.gateway_ca = self._gateway.path
        self.clients_ca = self._clients.path
        self._signers: dict[str, SigningKey] = {}

    def publish_at(self, site: str) -> None:
        """Say where lists and responder are served; raises OSError."""
        self.store.publish_at(site)
        self._signers.clear()

    def registry(self, name: str) -> Pair:
        """Return the certificate a registry signs its answers with."""
        kind: Literal["rsa", "ec"] = "rsa" if name in _RSA else "ec"
        return self.store.pair(f"registry-{name}", f"Registry {name}", self._registries, kind=kind)

    def signer(self, name: str, variant: Variant = "genuine") -> SigningKey:
        """Return a registry's key with its genuine certificate or one of the same name that no longer holds."""
        if name not in self._signers:
            # Reading an RSA key costs more than everything else here: it is done once for all variants.
            pair = self.registry(name)
            self._signers[name] = SigningKey.load(pair.key, pair.certificate)
        genuine = self._signers[name]
        if variant == "genuine":
            return genuine
        past = datetime.now(UTC) - 2 * _YEAR
        look = Look(begin=past, end=past + _YEAR) if variant == "expired" else Look()
        path = self.store.certificate(
            f"registry-{name}-{variant}", f"Registry {name}", self._registries, genuine.certificate.public_key(), look
        )
        certificate = load_one(path)
        if variant == "revoked" and certificate.serial_number not in self._registries.index.revoked:
            self._registries.revoke(certificate.serial_number, datetime.now(UTC) - BEFORE, "keyCompromise")
        return SigningKey.of(genuine.private, certificate)

    def signing(self, name: str, fault: str | None) -> SigningKey:
        """Return what a registry signs with while it has this fault."""
        match fault:
            case "expired-cert":
                return self.signer(name, "expired")
            case "revoked-cert":
                return self.signer(name, "revoked")
            case "wrong-signer":
                return self.stranger()
            case "fresh-cert":
                return self.fresh(name)
            case _:
                return self.signer(name)

    def fresh(self, name: str) -> SigningKey:
        """Return a registry's key with a certificate made just now, about which nobody can have asked before."""
        genuine = self.signer(name)
        made = self.store.issue(
            f"registry-{name}", f"Registry {name}", self._registries, genuine.certificate.public_key()
        )
        return SigningKey.of(genuine.private, made)

    def stranger(self) -> SigningKey:
        """Return the key of another member of the registries' authority, whom nobody expects as a source."""
        pair = self.store.pair("stranger", "Stranger", self._registries)
        return SigningKey.load(pair.key, pair.certificate)

    def revocations(self, names: tuple[str, ...]) -> Path:
        """Return the registries' revocation list; it names at least the revoked certificate of each of `names`.

        A file, for configurations that ask nobody: it is good as long as the authority.
        """
        path, authority, now = self.store.path("registries.crl"), self._registries, datetime.now(UTC)
        for name in names:
            self.signer(name, "revoked")
        held = x509.load_pem_x509_crl(path.read_bytes()) if path.exists() else None
        if held is None or {entry.serial_number for entry in held} != authority.index.revoked.keys():
            made = authority.revocation_list(now - BEFORE, authority.certificate.not_valid_after_utc, now)
            write_whole(path, made.public_bytes(Encoding.PEM), 0o644)
        return path

    def gateway_signing(self) -> Pair:
        """Return the certificate the gateway signs its requests to registries with."""
        return self.store.pair("gateway-signing", "Gateway signing", self._gateway)

    def gateway_answers(self) -> Pair:
        """Return the certificate the gateway signs its answers to callers with; no registry takes it for questions."""
        return self.store.pair("gateway-answers", "Gateway answers", self._gateway)

    def gateway_tls(self, host: str) -> Pair:
        """Return the certificate of the gateway's HTTPS face, for `host` and the loopback names."""
        hosts = tuple(dict.fromkeys((host, "localhost", "127.0.0.1", "::1")))
        look = Look(profile=PROFILES["tls-server"], hosts=hosts)
        return self.store.pair(f"gateway-tls-{host.replace(':', '_')}", "Gateway TLS", self._gateway, look)

    def security_server(self) -> Pair:
        """Return the certificate of the X-Road security server that is believed about who asks through it."""
        return self.store.pair(
            "security-server", "Security server", self._clients, Look(profile=PROFILES["tls-client"])
        )

    def client(self, name: str) -> Pair:
        """Return the certificate of a caller, for mTLS and for signed requests."""
        look = Look(profile=PROFILES["tls-client"])
        return self.store.pair(f"client-{name}", f"Client {name}", self._clients, look)
