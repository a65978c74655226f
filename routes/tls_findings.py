"""Why there is no TLS with a source, and who has to do what: OpenSSL's reasons in words for an operator.

Two parties may refuse: we, because its certificate does not hold (a number of X509_V_ERR, RFC 5280 section 6), and
the source, with an alert (RFC 8446 section 6.2). Under TLS 1.3 its alert about our certificate comes only after the
handshake, so whoever reads from the connection has to ask here too.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from routes.certificate_facts import host_names, is_authority, issuer_of, printable, read, self_signed, shown
from routes.findings import Finding, problem
from routes.source import Source


def presented(connection: Any) -> list[x509.Certificate]:
    """Return what the other side of an `ssl.SSLObject` sent, its own certificate first; nothing of it is verified."""
    # Public from Python 3.13 on only; before, the same method stands on the object inside.
    sent = getattr(connection, "get_unverified_chain", None) or connection._sslobj.get_unverified_chain  # noqa: SLF001
    raw = [one if isinstance(one, bytes) else ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in sent() or ()]
    try:
        return [x509.load_der_x509_certificate(der) for der in raw]
    except (ValueError, x509.InvalidVersion):
        return []


def not_believed(source: Source, failure: ssl.SSLCertVerificationError, chain: Sequence[x509.Certificate]) -> Finding:
    """Say why the certificate of a source is refused by us; `chain` is what it sends."""
    explain = _EXPLAINED.get(failure.verify_code)
    if explain is not None and chain:
        return explain(source, chain)
    step = f"see {_s_client(source)}, and show it to whoever runs the source"
    return _say(source, "tls-certificate-refused", f"is refused: {failure.verify_message}", step)


def _say(source: Source, code: str, text: str, step: str) -> Finding:
    return problem(source.subject, f"the certificate of {source.where} {text}", step, code)


def _s_client(source: Source) -> str:
    return f"`openssl s_client -showcerts -connect {source.where}`"


def _held(source: Source) -> str:
    return f"{source.subject}.tls_ca" if source.endpoint.tls_ca else "this machine's own list of authorities"


def _authorities(source: Source) -> list[x509.Certificate]:
    return read(source.endpoint.tls_ca) if source.endpoint.tls_ca else []


def _no_issuer(source: Source, chain: Sequence[x509.Certificate]) -> Finding:
    top, own = chain[0], f"{source.subject}.tls_ca"
    while not self_signed(top) and (above := issuer_of(top, chain)) is not None:
        top = above
    issuer = shown(top.issuer)
    if self_signed(top):
        if top is chain[0]:
            return _self_signed(source, chain)
        text = f"is refused: its chain ends in the root {issuer}, which is not in {_held(source)}"
        step = f"make sure that this is the root the source should have, then put its certificate into {own}"
        return _say(source, "tls-unknown-authority", text, step)
    held = issuer_of(top, _authorities(source))
    if held is not None:
        text = f"is refused: {issuer} in {_held(source)} issued it, but the root above it is not there"
        step = f"put the certificate of {shown(held.issuer)} into {own} too"
        return _say(source, "tls-unknown-authority", text, step)
    if top is not chain[0]:
        text = f"is refused: its chain ends at {issuer}, which is not in {_held(source)}"
        step = f"put the root that the source names to its partners into {own}; see {_s_client(source)}"
        return _say(source, "tls-unknown-authority", text, step)
    text = (
        f"is refused: it was issued by {issuer}, whose certificate the source does not send and {_held(source)} "
        "does not hold: an intermediate certificate is missing, or the authority is another than expected"
    )
    step = (
        "ask the source to send its whole chain (its own certificate, then the intermediate ones); until then, or "
        f"where {issuer} is its root, put the certificate of {issuer} into {own}; see {_s_client(source)}"
    )
    return _say(source, "tls-missing-intermediate", text, step)


def _self_signed(source: Source, _chain: Sequence[x509.Certificate]) -> Finding:
    text = "is refused: it is its own issuer (self-signed)"
    step = (
        "ask the source for a certificate of an authority; where it has none, compare the fingerprint by telephone and "
        f"put this certificate into {source.subject}.tls_ca"
    )
    return _say(source, "tls-self-signed", text, step)


def _over(source: Source, chain: Sequence[x509.Certificate]) -> Finding:
    now = datetime.now(UTC)
    first = next((one for one in (*chain, *_authorities(source)) if one.not_valid_after_utc < now), chain[0])
    whose = "" if first is chain[0] else f"is refused: that of its authority {shown(first.subject)} "
    step = "ask the source to renew it; where our own clock is wrong (see `timedatectl`), set it"
    if first not in chain:
        step = f"put the authority's new certificate into {source.subject}.tls_ca"
    return _say(source, "tls-expired", f"{whose}has expired: it ended {first.not_valid_after_utc:%Y-%m-%d}", step)


def _too_early(source: Source, chain: Sequence[x509.Certificate]) -> Finding:
    now = datetime.now(UTC)
    first = next((one for one in chain if one.not_valid_before_utc > now), chain[0])
    text = f"is not yet valid: it begins {first.not_valid_before_utc:%Y-%m-%d %H:%M} UTC, and here it is "
    step = "look at our own clock first (`timedatectl`) and set it; where it is right, tell the source"
    return _say(source, "tls-not-yet-valid", f"{text}{now:%Y-%m-%d %H:%M}", step)


def _other_host(source: Source, chain: Sequence[x509.Certificate]) -> Finding:
    text = f"is made for {host_names(chain[0])}, not for {source.host}: the name does not match"
    step = (
        f"write {source.subject}.url with a name that the certificate has, or ask the source for a certificate that "
        "has this one; where the name is right, somebody else may be answering"
    )
    return _say(source, "tls-name-mismatch", text, step)


def _other_use(source: Source, chain: Sequence[x509.Certificate]) -> Finding:
    if is_authority(chain[0]):
        text = "is that of an authority (CA), not of a server"
    else:
        text = "is not made for servers (extended key usage without serverAuth)"
    step = "ask the source for a certificate for TLS servers; one for signing or for clients does not serve"
    return _say(source, "tls-wrong-usage", text, step)


def _no_authority(source: Source, _chain: Sequence[x509.Certificate]) -> Finding:
    text = "was issued by a certificate that may not issue any (no CA, or key usage without keyCertSign)"
    return _say(source, "tls-wrong-usage", text, "ask the source for a certificate of a real authority")


def _weak(source: Source, _chain: Sequence[x509.Certificate]) -> Finding:
    text = "is refused: its key or the digest of its signature is too weak (RSA below 2048 bits, SHA-1, MD5)"
    return _say(source, "tls-weak", text, "ask the source to renew it with RSA 2048 or P-256 and SHA-256")


# X509_V_ERR_... of OpenSSL's x509_vfy.h.
_EXPLAINED = {
    2: _no_issuer,
    9: _too_early,
    10: _over,
    18: _self_signed,
    19: _no_issuer,
    20: _no_issuer,
    21: _no_issuer,
    26: _other_use,
    32: _no_authority,
    62: _other_host,
    64: _other_host,
    66: _weak,
    67: _weak,
    68: _weak,
    79: _no_authority,
}


@dataclass(frozen=True, slots=True)
class _Refusal:
    code: str
    text: str
    step: str


_WANTS_OURS = _Refusal(
    "tls-client-certificate-required",
    "the source asks for a client certificate and got none",
    "set {subject}.tls_certificate and {subject}.tls_key to the certificate that is registered with the source, then "
    "restart",
)
_REFUSES_OURS = _Refusal(
    "tls-client-certificate-refused",
    "the source refuses our client certificate ({reason})",
    "ask the source which certificate of ours it knows and whether it knows its authority; see "
    "`openssl x509 -in {certificate} -noout -subject -issuer -enddate -ext extendedKeyUsage`",
)
_OLD = _Refusal(
    "tls-weak-protocol",
    "the source speaks only a TLS that is too old; 1.2 or newer is needed",
    "ask the source to switch TLS 1.2 on; there is no setting here that allows less",
)
_NO_TLS = _Refusal(
    "tls-not-spoken",
    "what answers is not TLS",
    "write http:// in {subject}.url if the source has no TLS, or correct its port",
)
_NOTHING_COMMON = _Refusal(
    "tls-weak",
    "the source offers only keys or ciphers that are too weak ({reason})",
    "ask the source to renew its TLS set-up; see `openssl s_client -connect {where}`",
)
_UNKNOWN_NAME = _Refusal(
    "tls-name-unknown",
    "the source has no TLS under the name {host}",
    "correct the host in {subject}.url: the source asks for the name it was registered under, not for an address",
)
_BROKEN = _Refusal(
    "tls-handshake-refused",
    "the source ended the TLS handshake without a reason",
    "ask the source whether it lets this machine in (address, client certificate), and the network whether something "
    "on the way cuts connections; see `openssl s_client -connect {where}`",
)
_REFUSED_AT_ALL = _Refusal(
    "tls-handshake-refused",
    "the source refuses the TLS handshake ({reason}): no cipher in common, or a client certificate that it misses",
    "ask the source whether it wants a client certificate ({subject}.tls_certificate); see "
    "`openssl s_client -connect {where}`",
)
# By what follows the prefix, which names the version of TLS in which an alert was first defined.
_REFUSALS: Mapping[str, _Refusal] = {
    "CERTIFICATE_REQUIRED": _WANTS_OURS,
    "BAD_CERTIFICATE": _REFUSES_OURS,
    "UNSUPPORTED_CERTIFICATE": _REFUSES_OURS,
    "CERTIFICATE_REVOKED": _REFUSES_OURS,
    "CERTIFICATE_EXPIRED": _REFUSES_OURS,
    "CERTIFICATE_UNKNOWN": _REFUSES_OURS,
    "UNKNOWN_CA": _REFUSES_OURS,
    "ACCESS_DENIED": _REFUSES_OURS,
    "DECRYPT_ERROR": _REFUSES_OURS,
    "PROTOCOL_VERSION": _OLD,
    "UNSUPPORTED_PROTOCOL": _OLD,
    "VERSION_TOO_LOW": _OLD,
    "WRONG_SSL_VERSION": _OLD,
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "HTTP_REQUEST": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "PACKET_LENGTH_TOO_LONG": _NO_TLS,
    "DH_KEY_TOO_SMALL": _NOTHING_COMMON,
    "EE_KEY_TOO_SMALL": _NOTHING_COMMON,
    "INSUFFICIENT_SECURITY": _NOTHING_COMMON,
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": _NOTHING_COMMON,
    "WRONG_SIGNATURE_TYPE": _NOTHING_COMMON,
    "UNRECOGNIZED_NAME": _UNKNOWN_NAME,
    "HANDSHAKE_FAILURE": _REFUSED_AT_ALL,
}
_PREFIXES = ("TLSV13_ALERT_", "TLSV1_ALERT_", "SSLV3_ALERT_", "TLSV1_", "SSLV3_")


def refused(source: Source, failure: BaseException) -> Finding:
    """Say why a source refuses TLS with us, or we with it, from what the connection ended with."""
    reason = (failure.reason if isinstance(failure, ssl.SSLError) else None) or ""
    plain = next((reason.removeprefix(prefix) for prefix in _PREFIXES if reason.startswith(prefix)), reason)
    found = _REFUSALS.get(plain)
    if found is None:
        unknown = plain and not isinstance(failure, ssl.SSLEOFError | ssl.SSLZeroReturnError)
        found = _REFUSED_AT_ALL if unknown else _BROKEN
    ours = source.endpoint.tls_certificate
    # What a source that wants a certificate says about none differs from one TLS library to the next.
    if found is _REFUSES_OURS and ours is None:
        found = _WANTS_OURS
    facts = {
        "reason": printable(plain.replace("_", " ").lower()),
        "where": source.where,
        "host": source.host,
        "subject": source.subject,
        "certificate": ours,
    }
    text = f"no TLS with {source.where}: {found.text.format_map(facts)}"
    return problem(source.subject, text, found.step.format_map(facts), found.code)
