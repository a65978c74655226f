"""What `lgsp check` finds about trust domains: files, authorities of two domains, nobody to ask about revocation."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress

from adapters.trust_domains import TrustDomains, loaded
from config.settings import ConfigurationError, Domain, Settings
from routes.findings import Finding, ok, problem, warning

MEND = "mend the file or the setting that is named"
"""What to do about a domain that cannot be used: the text says which file or setting it is."""


def usable_domains(settings: Settings) -> TrustDomains:
    """Return the domains whose files can be read, so that endpoints can be judged beside a broken one."""
    usable: dict[str, Domain] = {}
    for name, section in settings.trust.items():
        with suppress(ConfigurationError):
            loaded(name, section)
            usable[name] = section
    try:
        return TrustDomains.load(usable)
    except ConfigurationError:
        return TrustDomains({name: loaded(name, section) for name, section in usable.items()})


def trust_findings(settings: Settings) -> Iterator[Finding]:
    """Look at every `[trust.NAME]` section and at what they have in common, without asking anybody."""
    broken = False
    for name, section in settings.trust.items():
        subject = f"trust.{name}"
        try:
            loaded(name, section)
        except ConfigurationError as failure:
            broken = True
            yield problem(subject, str(failure), MEND)
            continue
        yield from _policy(subject, section)
        used = name in settings.callers.domains
        if not used and not any(endpoint.domain == name for endpoint in settings.endpoints.values()):
            yield warning(subject, "no endpoint names this domain", f'write domain = "{name}" where it is meant')
    for name in settings.callers.domains:
        if name not in settings.trust:
            known = ", ".join(settings.trust) or "none"
            text = f"there is no section [trust.{name}]; known are {known}"
            yield problem("callers.domains", text, "correct the name, or add the section")
    if broken or not settings.trust:
        return
    try:
        TrustDomains.load(settings.trust)
    except ConfigurationError as failure:
        yield problem("trust", str(failure), "take it out of the domain that it does not belong to")
    if any(section.revocation == "check" for section in settings.trust.values()):
        yield from _directory(settings)


def _policy(subject: str, section: Domain) -> Iterator[Finding]:
    shown = f"{len(section.anchors)} files of anchors, {len(section.intermediates)} of intermediates"
    if section.revocation == "off":
        text = "certificates are believed without asking whether they were revoked"
        yield warning(subject, text, 'write revocation = "check"')
        return
    asked = _asked(section)
    if not any(asked.values()):
        text = "nobody can be asked whether certificates were revoked"
        step = "set crl, crl_urls or ocsp_url, or from_certificates = true"
        # Where silence is refused, nothing would ever be believed.
        say = problem if section.when_silent == "refuse" else warning
        yield say(subject, text, step)
        return
    if section.when_silent == "accept":
        text = "where nobody says whether a certificate was revoked, it is believed as indeterminate"
        yield warning(subject, text, 'write when_silent = "refuse" as soon as responders and lists are reliable')
    yield ok(subject, f"{shown}; revocation by {', '.join(way for way, used in asked.items() if used)}")


def _asked(section: Domain) -> Mapping[str, bool]:
    return {
        "files": bool(section.crl),
        "configured lists": bool(section.crl_urls),
        "the configured responder": bool(section.ocsp_url),
        "addresses in certificates": section.from_certificates and not (section.ocsp_url and section.crl_urls),
    }


def _directory(settings: Settings) -> Iterator[Finding]:
    directory = settings.revocation.directory
    existing = next((place for place in (directory, *directory.parents) if place.exists()), directory)
    if not existing.is_dir():
        yield problem("revocation.directory", f"{existing} is no directory", "name another one, or remove the file")
    elif not os.access(existing, os.W_OK | os.X_OK):
        step = f"run this as the gateway's user, or `chown` {existing}"
        yield problem("revocation.directory", f"{existing} cannot be written", step)
