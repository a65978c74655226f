"""The certification authorities of a small office or a sandbox: a root, an issuing authority below it, their papers.

A directory of 0700 holds the authorities' files (`root`, `issuing`), `issued/` with everybody's certificates and keys
that were made here, `publish/` with what others fetch (lists and authorities in DER form), `chain.pem` and `pki.json`.
The root (CA gốc) signs only the issuing authority (CA cấp phát) and its own list: its key may lie elsewhere meanwhile.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from security.authority import Authority, AuthorityRefused, write_private
from security.authority_evidence import check_index
from security.authority_index import IndexDamaged, Issued, Revocation
from security.files import write_whole
from security.issuing import PROFILES, KeyKind, Kind, Wanted, generated
from security.office import Office, Order, Which, check_host
from security.signature_algorithms import PublicKey
from storage.files import made, sync_names

BACKDATED: Final = timedelta(minutes=5)
"""How long before now a certificate begins: clocks differ."""
LIST_DAYS: Final[dict[Which, int]] = {"root": 180, "issuing": 7}

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True)
class Papers:
    """What was made, as files; `key` is None where the holder keeps it. `chain` holds the authority as well."""

    certificate: x509.Certificate
    path: Path
    chain: Path
    key: Path | None


class Hierarchy:
    """The authorities of one directory."""

    def __init__(self, directory: Path, password: bytes | None = None) -> None:
        """Open one; raises AuthorityRefused where there is none, IndexDamaged where it lost its memory, OSError."""
        settings = directory / "pki.json"
        if not settings.exists():
            raise AuthorityRefused(f"{directory} holds no authority: make one with `lgsp pki init {directory}`")
        try:
            told = json.loads(settings.read_text(encoding="utf-8"))
            self.office = Office(**{**told, "policies": tuple(told["policies"])})
        except (ValueError, TypeError, KeyError):
            raise IndexDamaged(f"{settings} is not what `lgsp pki init` wrote: put back a copy of it") from None
        self.directory = directory
        self.authorities: dict[Which, Authority] = {which: _opened(directory, which, password) for which in LIST_DAYS}
        self.authorities["issuing"].addresses = self.office.addresses("issuing")
        papers = {"root": [self.authorities["issuing"].path], "issuing": directory.glob("issued/*.pem")}
        for which, authority in self.authorities.items():
            check_index(authority, _list_path(directory, which), papers[which])

    @classmethod
    def create(
        cls,
        directory: Path,
        office: Office,
        lasting: Mapping[Which, timedelta],
        now: datetime,
        *,
        key_kind: KeyKind = "ec",
        password: bytes | None = None,
    ) -> Hierarchy:
        """Make both authorities, for as long as `lasting` says; all of it or nothing.

        Raises AuthorityRefused for a directory with something in it, OSError.
        """
        directory = directory.resolve()
        if directory == Path.cwd() or (directory.exists() and any(directory.iterdir())):
            raise AuthorityRefused(
                f"{directory} is not empty, or where you are: name a directory that does not exist yet"
            )
        draft = directory.with_name(f".{directory.name}.{secrets.token_hex(4)}")
        made(draft)
        begin = now - BACKDATED
        try:
            root = Authority.create(
                draft,
                "root",
                office.subject("Root CA"),
                begin,
                now + lasting["root"],
                key_kind=key_kind,
                path_length=1,
                password=password,
            )
            root.addresses = office.addresses("root")
            issuing = Authority.create(
                draft,
                "issuing",
                office.subject("Issuing CA"),
                begin,
                now + lasting["issuing"],
                key_kind=key_kind,
                password=password,
                issuer=root,
                policies=office.policies,
            )
            (draft / "publish").mkdir()
            for authority in (root, issuing):
                der = authority.certificate.public_bytes(Encoding.DER)
                write_whole(draft / "publish" / f"{authority.name}.cer", der, 0o644)
            chain = b"".join(one.certificate.public_bytes(Encoding.PEM) for one in (issuing, root))
            write_whole(draft / "chain.pem", chain, 0o644)
            write_whole(draft / "pki.json", json.dumps(asdict(office), ensure_ascii=False, indent=1).encode(), 0o644)
            for which, days in LIST_DAYS.items():
                authority = root if which == "root" else issuing
                _write_list(authority, _list_path(draft, which), timedelta(days=days), now)
            draft.replace(directory)
            sync_names(directory.parent)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        return cls(directory, password)

    def generations(self, name: str) -> list[Issued]:
        """Return the certificates of one holder, the newest last; raises AuthorityRefused where there is none."""
        found = [one for one in self.authorities["issuing"].index.issued.values() if one.name == name]
        if not found:
            raise AuthorityRefused(f"nothing was issued to {name}: see `lgsp pki list {self.directory}`")
        return found

    def issue(self, order: Order, now: datetime, *, renewed: bool = False) -> Papers:
        """Make a certificate, and its key where the holder has none; `renewed` makes one more of the same name.

        Raises AuthorityRefused, KeyRefused, OSError, ValueError for texts that X.509 does not allow.
        """
        self._check(order)
        with self._alone():
            self._put_back()
            return self._issue(order, now, renewed=renewed)

    def _issue(self, order: Order, now: datetime, *, renewed: bool) -> Papers:
        issuing = self.authorities["issuing"]
        older = sum(one.name == order.name for one in issuing.index.issued.values())
        if older and not renewed:
            raise AuthorityRefused(f"{order.name} has a certificate: renew it with --renew, or choose another name")
        path = self._path(order.name, older + 1)
        private = generated(order.key) if isinstance(order.key, str) else None
        wanted = Wanted(
            subject=order.subject,
            key=private.public_key() if private is not None else order.key,  # type: ignore[arg-type]  # a key of others
            profile=PROFILES[order.kind],
            begin=now - BACKDATED,
            end=now + order.lasting,
            hosts=order.hosts,
            policies=self.office.policies,
        )
        key = None if private is None else path.with_suffix(".key")
        if private is not None and key is not None:
            # The key first: a certificate without it is worth nothing, a key without certificate does no harm.
            write_private(key, private)
        try:
            made = issuing.issue(order.name, order.kind, wanted, now)
        except BaseException:
            if key is not None:
                key.unlink()
            raise
        self._write(path, made)
        return Papers(made, path, _chain_of(path), key)

    def renew(
        self, name: str, key: PublicKey | None, now: datetime, lasting: timedelta | None, overlap: timedelta
    ) -> tuple[Papers, datetime]:
        """Make a certificate like the holder's newest, with a key of the same kind where none is given.

        Old and new hold together for `overlap`; then the old one counts as superseded. Returns until when it is good.
        Raises as `issue` does.
        """
        issued = self.generations(name)[-1]
        old = issued.certificate
        # Whoever made this certificate made the key with it, or judged the request that had it.
        kept: KeyKind = "rsa" if isinstance(old.public_key(), rsa.RSAPublicKey) else "ec"
        papers = self.issue(
            Order(
                name,
                cast("Kind", issued.kind),
                old.subject,
                kept if key is None else key,
                old.not_valid_after_utc - old.not_valid_before_utc - BACKDATED if lasting is None else lasting,
                _hosts(old),
            ),
            now,
            renewed=True,
        )
        good_until = min(now + overlap, old.not_valid_after_utc)
        if good_until < old.not_valid_after_utc:
            self.revoke(old.serial_number, good_until, "superseded")
        return papers, good_until

    def issuer_of(self, serial: int) -> Which:
        """Return who issued a certificate; the issuing authority where neither did."""
        return "root" if serial in self.authorities["root"].index.issued else "issuing"

    def revoke(self, serial: int, at: datetime, reason: str) -> Revocation:
        """Revoke a certificate from `at` on; raises AuthorityRefused where neither authority issued it."""
        return self.authorities[self.issuer_of(serial)].revoke(serial, at, reason)

    def publish_list(self, which: Which, lasting: timedelta, now: datetime) -> Path:
        """Make a fresh revocation list into `publish/` and return its path; raises KeyRefused, OSError."""
        path = _list_path(self.directory, which)
        # Of two processes, the one with the older list must not write last.
        with self._alone():
            _write_list(self.authorities[which], path, lasting, now)
        return path

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from giving out the same name, or a list, at the same time."""
        folder = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _check(self, order: Order) -> None:
        if not _NAME.fullmatch(order.name):
            raise AuthorityRefused(f"{order.name}: a name has small letters, digits and hyphens, at most 63")
        if order.kind == "tls-server" and not order.hosts:
            raise AuthorityRefused("a TLS server needs the names that it is reached by: give --host")
        for host in order.hosts:
            check_host(host)

    def _path(self, name: str, generation: int) -> Path:
        suffix = "" if generation == 1 else f".{generation}"
        return self.directory / "issued" / f"{name}{suffix}.pem"

    def _put_back(self) -> None:
        """Write certificates that are in the index and not in the folder: a crash came between the two."""
        (self.directory / "issued").mkdir(mode=0o700, exist_ok=True)
        for path, issued in self.held():
            if not path.exists():
                self._write(path, issued.certificate)

    def held(self) -> Iterator[tuple[Path, Issued]]:
        """Yield every certificate of the issuing authority with the path it lies at, the oldest first."""
        counted: dict[str, int] = {}
        for issued in self.authorities["issuing"].index.issued.values():
            counted[issued.name] = counted.get(issued.name, 0) + 1
            yield self._path(issued.name, counted[issued.name]), issued

    def _write(self, path: Path, certificate: x509.Certificate) -> None:
        pem = certificate.public_bytes(Encoding.PEM)
        issuing = self.authorities["issuing"].certificate.public_bytes(Encoding.PEM)
        write_whole(_chain_of(path), pem + issuing, 0o644)
        write_whole(path, pem, 0o644)


def _opened(directory: Path, which: Which, password: bytes | None) -> Authority:
    try:
        return Authority(directory, which, password)
    except (ValueError, x509.InvalidVersion):
        raise IndexDamaged(f"{directory / which}.pem holds no certificate: put back a copy of it") from None


def _list_path(directory: Path, which: Which) -> Path:
    return directory / "publish" / f"{which}.crl"


def _write_list(authority: Authority, path: Path, lasting: timedelta, now: datetime) -> None:
    made = authority.revocation_list(now - BACKDATED, now + lasting, now)
    # DER is what RFC 5280, 4.2.1.13, wants at the address that certificates name.
    write_whole(path, made.public_bytes(Encoding.DER), 0o644)


def _chain_of(path: Path) -> Path:
    return path.with_suffix(".chain.pem")


def _hosts(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in names)
