"""The trust domains of a configuration, loaded: who vouches for signers in each, and who is asked about revocation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Self

from cryptography import x509

from config.settings import ConfigurationError, Domain
from security.trust import load_certificates
from security.trust_domain import DomainsMixed, TrustDomain, check_apart
from security.trust_path import Authorities
from security.trust_revocation import read_lists
from security.trust_status import StatusPolicy, StatusRegister


class TrustDomains:
    """The domains by their names; `lists` are the files of revocation lists of each."""

    def __init__(
        self,
        domains: Mapping[str, TrustDomain] = MappingProxyType({}),
        lists: Mapping[str, tuple[Path, ...]] = MappingProxyType({}),
    ) -> None:
        self._domains = dict(domains)
        self.lists = dict(lists)

    @classmethod
    def load(cls, settings: Mapping[str, Domain]) -> Self:
        """Read every file that `[trust.NAME]` sections name; raises ConfigurationError naming what to mend.

        Reads files, so not for the event loop.
        """
        domains = {name: loaded(name, section) for name, section in settings.items()}
        try:
            check_apart(domains)
        except DomainsMixed as error:
            raise ConfigurationError(str(error)) from None
        return cls(domains, {name: section.crl for name, section in settings.items()})

    def __contains__(self, name: str) -> bool:
        """Whether there is a domain of this name."""
        return name in self._domains

    def named(self, name: str, where: str) -> TrustDomain:
        """Return a domain; raises ConfigurationError, which begins with `where`, for a name that there is none of."""
        domain = self._domains.get(name)
        if domain is None:
            known = ", ".join(self._domains) or "none"
            raise ConfigurationError(f"{where}: there is no section [trust.{name}]; known are {known}")
        return domain

    def others(self, name: str) -> list[TrustDomain]:
        """Return every domain but this one."""
        return [domain for domain in self._domains.values() if domain.name != name]

    def registers(self) -> dict[str, StatusRegister]:
        """Return what is known about revocation in each domain where that is asked for."""
        return {name: domain.register for name, domain in self._domains.items() if domain.register is not None}


NO_DOMAINS = TrustDomains()


def loaded(name: str, section: Domain) -> TrustDomain:
    """Read the files of one domain; raises ConfigurationError naming the setting to mend."""
    where = f"[trust.{name}]"
    anchors = _certificates(where, "anchors", section.anchors)
    intermediates = _certificates(where, "intermediates", section.intermediates)
    policy = StatusPolicy(section.crl_urls, section.ocsp_url, section.from_certificates, section.when_silent)
    held = Authorities(anchors, intermediates).certificates
    register = StatusRegister(held, policy, name=name) if section.revocation == "check" else None
    try:
        domain = TrustDomain.of(name, anchors, intermediates, register)
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from None
    for path in section.crl:
        lists = _lists(where, path)
        try:
            if register is not None:
                for crl in lists:
                    register.take_list(crl)
        except ValueError as error:
            raise ConfigurationError(f"{where} crl: {path}: {error}") from None
    return domain


def _lists(where: str, path: Path) -> list[x509.CertificateRevocationList]:
    try:
        return read_lists(path)
    except ValueError as error:
        text = f"{where} crl: {path} holds no revocation lists that can be read: {error}"
        raise ConfigurationError(text) from None
    except OSError as error:
        raise ConfigurationError(f"{where} crl: {path}: {error.strerror}") from None


def _certificates(where: str, setting: str, paths: tuple[Path, ...]) -> list[x509.Certificate]:
    found: list[x509.Certificate] = []
    for path in paths:
        try:
            found += load_certificates(path)
        except (ValueError, x509.InvalidVersion) as error:
            text = f"{where} {setting}: {path} holds no certificates in PEM form that can be read: {error}"
            raise ConfigurationError(text) from None
        except OSError as error:
            raise ConfigurationError(f"{where} {setting}: {path}: {error.strerror}") from None
    return found
