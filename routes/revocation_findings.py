"""Whether it can be learnt who was revoked: every responder (OCSP) and every list that a trust domain would ask.

Asked is about the signers that the configuration names and the authorities above them, with the client and the judge
that the gateway itself uses. One that fails is a warning where another one knows.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from shlex import quote

from cryptography.x509 import ocsp

from adapters.revocation_fetch import Fetcher, Unfetched
from routes.certificate_facts import printable, shown
from routes.findings import Finding, ok, problem, warning
from security.trust_domain import TrustDomain
from security.trust_ocsp import Untimely, Unusable, question
from security.trust_revocation import parse_list
from security.trust_status import StatusRegister, Subject

# Authorities that issue to others publish lists every day or week; only roots, which do not, may be slower.
_OLD = timedelta(days=30)
_LONGEST_URL = 200
_SOON = timedelta(days=7)
_NONCE = 16
# Longer than it takes to judge the signers afterwards.
_SILENCE = timedelta(minutes=5)
_CLOCK = "look at our own clock first (`timedatectl`); where it is right, tell the authority"


async def asked(domain: TrustDomain, fetcher: Fetcher) -> list[Finding]:
    """Ask every address about every certificate that is kept known in a domain, all at once; say what came of it.

    What is learnt stays in the domain's register.
    """
    register, subject = domain.register, f"trust.{domain.name}"
    if register is None:
        text = "certificates are believed without asking whether they were revoked"
        return [warning(subject, text, f'set {subject}.revocation = "check"', "revocation-off")]
    asking = _Asking(domain, register, fetcher)
    known = register.asked_about()
    # What a list says, it says about all.
    lists = {one.url for about in known for one in register.sources(about) if one.kind == "crl"}
    lists.update(register.policy.list_urls)
    answers = {(one.url, about) for about in known for one in register.sources(about) if one.kind == "ocsp"}
    said = await asyncio.gather(
        *(asking.of("ocsp", url, about) for url, about in sorted(answers, key=lambda one: one[0])),
        *(asking.of("crl", url, None) for url in sorted(lists)),
    )
    now = datetime.now(UTC)
    unknown = [about for about in known if not register.known(about, now)]
    for about in unknown:
        register.silent(about, now + _SILENCE)
    blind = bool(unknown) and register.policy.when_silent == "refuse"
    found = [one if isinstance(one, Finding) else one.told(subject, blind=blind) for one in said]
    return [*found, *(_unknown(subject, register, about) for about in unknown)]


@dataclass(frozen=True, slots=True)
class _Trouble:
    """What is wrong with one address."""

    code: str
    text: str
    step: str

    def told(self, subject: str, *, blind: bool) -> Finding:
        # A responder that does not know a certificate overrules every list.
        say = problem if blind or self.code == "ocsp-unknown" else warning
        return say(subject, self.text, self.step, self.code)


@dataclass(frozen=True, slots=True)
class _Asking:
    domain: TrustDomain
    register: StatusRegister
    fetcher: Fetcher

    @property
    def _subject(self) -> str:
        return f"trust.{self.domain.name}"

    async def of(self, kind: str, url: str, about: Subject | None) -> Finding | _Trouble:
        """Ask one address."""
        where = printable(url, _LONGEST_URL)
        try:
            return await (self._list(url, where) if about is None else self._answer(url, where, about))
        except Unfetched as failure:
            return self._unreachable(kind, where, failure)

    def _unreachable(self, kind: str, where: str, failure: Unfetched) -> _Trouble:
        what, setting = ("OCSP responder", "ocsp_url") if kind == "ocsp" else ("revocation list", "crl_urls")
        text = f"the {what} at {where} cannot be asked: {printable(str(failure))}"
        code, place = f"{kind}-unreachable", f"{self._subject}.{setting}"
        if failure.status is not None and failure.status < 400:
            final = f", {printable(failure.location, _LONGEST_URL)}," if failure.location else ""
            step = f"make sure that the final address{final} is the authority's, then write it to {place}"
            return _Trouble(code, f"{text} Redirects are not followed", step)
        # The address may be one that a certificate names: it is quoted for whoever types it.
        attempt = f"try `curl -sv -o /dev/null {quote(where)}`"
        if failure.status is not None:
            step = f"it was reached: ask the authority for its right address, and write that to {place}; {attempt}"
            return _Trouble(code, text, step)
        return _Trouble(code, text, f"let this machine reach it; {attempt}")

    async def _answer(self, url: str, where: str, about: Subject) -> Finding | _Trouble:
        who, nonce = shown(about.certificate.subject), secrets.token_bytes(_NONCE)
        body = await self.fetcher.fetch_answer(url, question(about.certificate, about.issuer, nonce))
        try:
            answer = await asyncio.to_thread(self.register.take_answer, body, about, nonce=nonce)
        except Unusable as failure:
            return self._unusable(where, body, about, failure)
        if answer.status == "unknown":
            issuer = shown(about.issuer.subject)
            text = f"the OCSP responder at {where} does not know the certificate of {who}: it is refused"
            step = f"ask the authority {issuer} whether it issued it, and whether this is its responder"
            return _Trouble("ocsp-unknown", text, step)
        ends = _responder_ends(body)
        if ends is not None:
            text = f"the OCSP responder at {where} answers, but its own certificate ends {ends:%Y-%m-%d %H:%M} UTC"
            step = "tell the authority: from then on its answers prove nothing"
            return warning(self._subject, text, step, "ocsp-responder-expires-soon")
        # What `revoked` means for whom is said where the certificate is named.
        return ok(self._subject, f"the OCSP responder at {where} answers: {answer.status} is {who}", "ocsp-answers")

    def _unusable(self, where: str, body: bytes, about: Subject, failure: Unusable) -> _Trouble:
        try:
            response = ocsp.load_der_ocsp_response(body)
        except ValueError:
            text = f"what answers at {where} is no OCSP responder: {failure}"
            step = f"correct {self._subject}.ocsp_url, or ask the network what changes answers on the way"
            return _Trouble("ocsp-unusable", text, step)
        match response.response_status:
            case ocsp.OCSPResponseStatus.SUCCESSFUL if isinstance(failure, Untimely):
                text = f"the OCSP answer of {where} proves nothing: {failure}"
                return _Trouble("ocsp-unusable", text, _CLOCK)
            case ocsp.OCSPResponseStatus.SUCCESSFUL:
                text = f"what the OCSP responder {_who(response)} at {where} answers proves nothing: {failure}"
                step = (
                    f"ask the authority {shown(about.issuer.subject)} whether this is its responder: if so, tell it "
                    f"what is wrong there; if not, write the right address to {self._subject}.ocsp_url"
                )
                return _Trouble("ocsp-unusable", text, step)
            case ocsp.OCSPResponseStatus.TRY_LATER | ocsp.OCSPResponseStatus.INTERNAL_ERROR:
                text = f"the OCSP responder at {where} cannot answer now: {failure}"
                step = "run `lgsp doctor` again later; where it stays so, tell the authority"
                return _Trouble("ocsp-unavailable", text, step)
            case _:
                text = f"the OCSP responder at {where} refuses to answer: {failure}"
                step = f"ask the authority for the responder of this CA, and write it to {self._subject}.ocsp_url"
                return _Trouble("ocsp-refused", text, step)

    async def _list(self, url: str, where: str) -> Finding | _Trouble:
        body = await self.fetcher.fetch_list(url)
        now = datetime.now(UTC)
        try:
            crl = await asyncio.to_thread(parse_list, body)
            await asyncio.to_thread(self.register.take_list, crl)
        except ValueError as failure:
            step = f"ask the authority for the address of its list, and write it to {self._subject}.crl_urls"
            return _Trouble("crl-unusable", f"what lies at {where} is no list for us: {failure}", step)
        ends = crl.next_update_utc or now
        age = f"made {crl.last_update_utc:%Y-%m-%d %H:%M} UTC"
        if ends <= now:
            text = f"the list at {where} is stale: {age}, due again {ends:%Y-%m-%d %H:%M} UTC (nextUpdate)"
            return _Trouble("crl-stale", text, f"{_CLOCK} to publish its list")
        if now - crl.last_update_utc > _OLD and crl.issuer not in {one.subject for one in self.domain.anchors}:
            text = f"the list at {where} is old: {age}; who was revoked since then does not stand on it"
            step = "ask the authority how often it publishes, and for an OCSP responder"
            return warning(self._subject, text, step, "crl-old")
        text = f"the list at {where} is current: {age}, next {ends:%Y-%m-%d %H:%M} UTC"
        return ok(self._subject, text, "crl-current")


def _who(response: ocsp.OCSPResponse) -> str:
    """Return who a response says it is from: a name, or a key that mostly comes with its certificate."""
    try:
        name = response.responder_name or next((one.subject for one in response.certificates), None)
    except ValueError:
        name = None
    return shown(name) if name is not None else "without a name"


def _responder_ends(body: bytes) -> datetime | None:
    """Return when the certificate of a responder ends, where that is near: they live for weeks and renew themselves."""
    now = datetime.now(UTC)
    for one in ocsp.load_der_ocsp_response(body).certificates:
        begins, ends = one.not_valid_before_utc, one.not_valid_after_utc
        if ends - now < min(_SOON, (ends - begins) / 8):
            return ends
    return None


def _unknown(subject: str, register: StatusRegister, about: Subject) -> Finding:
    who = shown(about.certificate.subject)
    if register.policy.when_silent == "accept":
        text = f"nobody says whether the certificate of {who} was revoked: it is believed as `indeterminate`"
        step = f"give current lists: {subject}.crl, {subject}.crl_urls or {subject}.ocsp_url"
        return warning(subject, text, step, "revocation-unknown")
    text = f"nobody says whether the certificate of {who} was revoked: answers signed with it are refused (untrusted)"
    step = (
        f"mend the addresses above, or fetch the issuer's list to a file and name it in {subject}.crl; to go on "
        f'without, at your own risk, set {subject}.when_silent = "accept"'
    )
    return problem(subject, text, step, "revocation-unknown")
