"""`lgsp signature`: what signed files prove (kiểm tra chữ ký), judged by the profiles that the gateway asks for."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from commands.common import fail, group

if TYPE_CHECKING:
    from security.signature_files import Verdict

app = group("signature", "Signatures of messages and documents: verify files.")

# A verdict that may be another at another time.
_TIMELY = ("stale", "expired")


@app.command()
def verify(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Signed files; - is standard input.")],
    trust: Annotated[
        list[Path], typer.Option(metavar="PEM", help="Anchors, and intermediates between them and signers.")
    ],
    signer: Annotated[Path | None, typer.Option(metavar="PEM", help="The one certificate that may sign.")] = None,
    profile: Annotated[
        Literal["soap", "enveloped"],
        typer.Option(help="soap: WS-Security over SOAP 1.1 or 1.2; enveloped: a whole XML document, as land answers."),
    ] = "soap",
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Judge times and certificates as of then; an offset is required.")
    ] = None,
    crl: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="Revocation list, in PEM or DER.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each file.")] = False,
) -> None:
    """Judge each file by itself: is its signature valid, whose is it, what does it cover; 1 if any is not valid.

    Messages are judged as if they came now: an old one is stale unless --at says when it came. Whether a message came
    twice, or answers a certain question, one file does not say.
    """
    from security.signature import utc_now
    from security.signature_files import FileUnusable, Verdict, judge, moment, read_message
    from security.signature_trust import trust_of

    if files.count("-") > 1:
        fail("standard input can be read once: name - only once", 2)
    try:
        now = utc_now() if at is None else moment(at)
        trusted = trust_of(trust, signer, crl or ())
    except (FileUnusable, ValueError) as wrong:
        fail(str(wrong), 2)
    unread = invalid = 0
    for name in files:
        try:
            verdict = judge(read_message(name), profile, trusted, now)
        except FileUnusable as unusable:
            unread += 1
            verdict = Verdict("malformed", f"the file {unusable}", None)
        invalid += verdict.reason is not None
        told = _told(name, verdict)
        _say(json.dumps(told) if as_json else _line(told))
    if unread:
        fail(f"files that could not be read: {unread} of {len(files)}", 2)
    if invalid:
        raise typer.Exit(1)


def _say(line: str) -> None:
    """Print a line, or end with 2: a verdict that nobody reads is none."""
    try:
        typer.echo(line)
    except BrokenPipeError:
        raise
    except OSError as failure:
        fail(f"the verdicts cannot be written: {failure.strerror}", 2)


def _told(name: str, verdict: Verdict) -> dict[str, Any]:
    """What is said of one file; every member is there in each case, null where it does not apply."""
    told: dict[str, Any] = {"file": name, "valid": verdict.reason is None}
    told |= {"reason": verdict.reason, "detail": verdict.detail}
    names = ("signer", "certificate", "signed_at", "algorithm", "covered", "soap")
    verified = verdict.verified
    if verified is None:
        return told | dict.fromkeys(names)
    from security.signature_files import coverage

    covered, soap = coverage(verified)
    at = verified.signed_at.isoformat().replace("+00:00", "Z")
    said = (verified.subject, f"sha256:{verified.fingerprint}", at, verified.algorithm, covered, soap)
    return told | dict(zip(names, said, strict=True))


def _line(told: dict[str, Any]) -> str:
    """One line for people: what a file or a certificate is named may not break it, nor steer their terminal."""
    if told["valid"]:
        kind = f"SOAP {told['soap']}" if told["soap"] else "document"
        found = f"valid: {kind} signed by {told['signer']} at {told['signed_at']}, certificate {told['certificate']}"
    else:
        found = f"{told['reason']}: {told['detail']}"
        if told["reason"] in _TIMELY:
            found += "; to judge it as of the time when it came, add --at TIME"
    text = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in f"{told['file']}: {found}")
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
