"""What has ended, ends soon or has not begun yet, as findings: certificates, revocation lists, keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from config.settings import Settings
from routes.expiry import Expiry, advice, certificate_expiries, earliest, key_expiries
from routes.findings import Finding, ok, problem, warning
from security.keys import KeyRing, KeysUnusable


def configured_ends(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Look at everything that the configuration names and that ends by itself."""
    expiries = list(certificate_expiries(settings, now))
    try:
        expiries += key_expiries(KeyRing(settings.keys.directory))
    except KeysUnusable as failure:
        yield problem("keys.directory", str(failure), "run `lgsp check`", "keys-unusable")
    found = list(ends(expiries, now))
    yield from found
    first = earliest(expiries)
    if not found and first is not None:
        yield ok("expiry", f"the first to end is {first.name}, {first.ends:%Y-%m-%d}", "nothing-ends-soon")


def ends(expiries: Sequence[Expiry], now: datetime) -> Iterator[Finding]:
    """Yield what is over or near its end, and what has not begun."""
    for expiry in expiries:
        what, step = expiry.kind.replace("-", " "), advice(expiry)
        stage = expiry.stage(now)
        if expiry.since is not None and expiry.since > now:
            text = f"the {what} begins {expiry.since:%Y-%m-%d %H:%M} UTC, and here it is {now:%Y-%m-%d %H:%M}"
            step = "look at our own clock (`timedatectl`); where it is right, use the old one until then"
            yield problem(expiry.name, text, step, _code(expiry, "not-yet-valid"))
        elif stage == 0:
            # A key beyond its planned age still works, and a caller's certificate is the caller's loss.
            say = warning if expiry.kind in ("key", "client-certificate") or expiry.named else problem
            text = f"the {what} ended {expiry.ends:%Y-%m-%d}{_why(expiry)}"
            yield say(expiry.name, text, step, _code(expiry, "expired"))
        elif stage is not None:
            text = f"the {what} ends {expiry.ends:%Y-%m-%d}, in {expiry.left(now).days} days"
            yield warning(expiry.name, text, step, _code(expiry, "expires-soon"))


def _why(expiry: Expiry) -> str:
    if expiry.kind == "revocation-list":
        return " (nextUpdate): answers that need it are refused"
    if expiry.named:
        return "; answers are believed if the source signs with a renewed one of the same subject"
    return " and works on, older than planned" if expiry.kind == "key" else ""


def _code(expiry: Expiry, what: str) -> str:
    if expiry.kind == "revocation-list":
        return "crl-stale" if what == "expired" else f"crl-{what}"
    return f"{expiry.kind}-{what}"
