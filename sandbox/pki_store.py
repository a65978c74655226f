"""Authorities, keys and certificates of a sandbox as files, by name: made when first asked for, read back ever after.

Everything carries `LGSP SANDBOX` in O and CN. What names an address of lists and responder that is no longer right (the
sandbox listens on another port now) is made anew with the same key when it is next asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID

from security.authority import Authority, write_private
from security.files import write_whole
from security.issuing import PROFILES, Addresses, KeyKind, Profile, Wanted, authority_profile, generated, subject_name
from security.keys import SANDBOX_MARK
from security.signature_key import SigningKey

MARK: Final = SANDBOX_MARK
BEFORE: Final = timedelta(days=1)
"""How long ago everything begins: clocks of testers differ."""
RSA_BITS: Final = 2048
_CA_LASTS: Final = timedelta(days=3650)
_LASTS: Final = timedelta(days=5 * 365)
_RESPONDER_LASTS: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a certificate shall say beyond its subject; where no times are given, from yesterday for five years."""

    profile: Profile = PROFILES["signing"]
    begin: datetime | None = None
    end: datetime | None = None
    hosts: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()


ORDINARY: Final = Look()


def marked(title: str) -> x509.Name:
    """Return the subject of a sandbox certificate."""
    return subject_name(f"{MARK} {title}", MARK)


class PkiStore:
    """One directory of 0700; `silent` authorities never say in certificates where to ask about them."""

    def __init__(self, directory: Path, silent: frozenset[str] = frozenset()) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory = directory
        self._silent = silent
        self._authorities: dict[str, Authority] = {}
        site = self.path("site")
        self.site: str | None = site.read_text(encoding="utf-8") if site.exists() else None

    def path(self, file: str) -> Path:
        """Return where a file of this name lies."""
        return self.directory / file

    def publish_at(self, site: str) -> None:
        """Say where lists and responder are served from now on, without a slash at the end; raises OSError."""
        if site != self.site:
            write_whole(self.path("site"), site.encode(), 0o644)
            self.site = site
        for authority in self._authorities.values():
            self._address(authority)

    def authority(
        self,
        name: str,
        title: str,
        *,
        issuer: Authority | None = None,
        path_length: int = 0,
        policies: tuple[str, ...] = (),
    ) -> Authority:
        """Return an authority, made when there is none: a root, or one below `issuer`."""
        begin = datetime.now(UTC) - BEFORE
        end = begin + _CA_LASTS if issuer is None else issuer.certificate.not_valid_after_utc
        if name in self._authorities:
            return self._authorities[name]
        path = self.path(f"{name}.pem")
        if not path.exists():
            Authority.create(
                self.directory,
                name,
                marked(title),
                begin,
                end,
                path_length=path_length,
                issuer=issuer,
                policies=policies,
            )
        elif issuer is not None and not _names(path, issuer.addresses):
            look = Look(profile=authority_profile(path_length), end=end, policies=policies)
            self.certificate(name, title, issuer, load_one(path).public_key(), look)
        return self._opened(name)

    def authorities(self) -> Iterator[Authority]:
        """Yield every authority of the directory, those that another process made among them."""
        for path in sorted(self.directory.glob("*.index")):
            if path.stem not in self._authorities and path.with_suffix(".pem").exists():
                self._opened(path.stem)
        yield from self._authorities.values()

    def pair(
        self,
        name: str,
        title: str,
        authority: Authority,
        look: Look = ORDINARY,
        kind: KeyKind = "ec",
        rsa_bits: int = RSA_BITS,
    ) -> Pair:
        """Return a certificate with a key of its own."""
        pair = Pair(self.path(f"{name}.pem"), self.path(f"{name}.key"))
        # The certificate is what later runs look for: it is written last.
        if pair.certificate.exists():
            public = load_one(pair.certificate).public_key()
        else:
            private = generated(kind, rsa_bits)
            write_private(pair.key, private)
            public = private.public_key()
        self.certificate(name, title, authority, public, look)
        return pair

    def certificate(
        self, name: str, title: str, authority: Authority, key: CertificatePublicKeyTypes, look: Look = ORDINARY
    ) -> Path:
        """Return a certificate for a key that is there already."""
        path = self.path(f"{name}.pem")
        if not _names(path, authority.addresses):
            made = self.issue(name, title, authority, key, look)
            write_whole(path, made.public_bytes(Encoding.PEM), 0o644)
        return path

    def issue(
        self, name: str, title: str, authority: Authority, key: CertificatePublicKeyTypes, look: Look = ORDINARY
    ) -> x509.Certificate:
        """Return a new certificate that is in the authority's index and nowhere else."""
        return authority.issue(name, "sandbox", wanted(marked(title), key, look), datetime.now(UTC))

    def responder(self, authority: Authority) -> SigningKey:
        """Return the key of an authority's delegated responder (RFC 6960, 4.2.2.2), its certificate renewed in time."""
        name, now = f"{authority.name}-ocsp", datetime.now(UTC)
        path = self.path(f"{name}.pem")
        if path.exists() and load_one(path).not_valid_after_utc < now + BEFORE:
            path.unlink()
        look = Look(profile=PROFILES["ocsp-responder"], end=now + _RESPONDER_LASTS)
        pair = self.pair(name, f"Responder of {authority.name}", authority, look)
        return SigningKey.load(pair.key, pair.certificate)

    def _opened(self, name: str) -> Authority:
        opened = Authority(self.directory, name)
        self._adopt(opened)
        self._address(opened)
        self._authorities[name] = opened
        return opened

    def _address(self, authority: Authority) -> None:
        if self.site is not None and authority.name not in self._silent:
            authority.addresses = Addresses(
                crl=f"{self.site}/crl/{authority.name}.crl",
                ocsp=f"{self.site}/ocsp",
                issuer=f"{self.site}/ca/{authority.name}.cer",
            )

    def _adopt(self, authority: Authority) -> None:
        """Take what an authority issued before it kept an index into a new one."""
        if self.path(f"{authority.name}.index").exists():
            return
        with authority.index.writing():
            for path in sorted(self.directory.glob("*.pem")):
                certificate = load_one(path)
                if certificate.issuer == authority.certificate.subject != certificate.subject:
                    authority.index.add_issued(path.stem, "sandbox", certificate.not_valid_before_utc, certificate)
            for path in self.directory.glob("*.crl"):
                held = x509.load_pem_x509_crl(path.read_bytes())
                for entry in held if held.issuer == authority.certificate.subject else ():
                    authority.index.add_revoked(entry.serial_number, entry.revocation_date_utc, "unspecified")


def wanted(subject: x509.Name, key: CertificatePublicKeyTypes, look: Look) -> Wanted:
    """Return what a certificate of this look says."""
    begin = look.begin or datetime.now(UTC) - BEFORE
    return Wanted(
        subject=subject,
        key=key,
        profile=look.profile,
        begin=begin,
        end=look.end or begin + _LASTS,
        hosts=look.hosts,
        policies=look.policies,
    )


def load_one(path: Path) -> x509.Certificate:
    """Read the certificate of a PEM file."""
    return x509.load_pem_x509_certificate(path.read_bytes())


def _names(path: Path, addresses: Addresses) -> bool:
    """Tell whether there is a certificate that names these addresses; where there are none, any will do."""
    if not path.exists():
        return False
    if addresses.ocsp is None:
        return True
    try:
        access = load_one(path).extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return False
    named = [one.access_location.value for one in access if one.access_method == AuthorityInformationAccessOID.OCSP]
    return addresses.ocsp in named
