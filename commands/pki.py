"""`lgsp pki`: authorities of a sandbox or a small office, their certificates and lists (hạ tầng khóa công khai).

It works on a directory of its own, on any machine, and reads no configuration of a gateway: nothing that it does is in
an audit log. The authority's index keeps what it issued and revoked; which authorities and certificates a gateway
believes is configuration and registration, whose changes are entries there.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from commands.common import AsJson, duration, fail, group, pairs, sentences, show, table
from commands.pki_inspection import inspect

if TYPE_CHECKING:
    from security.hierarchy import Hierarchy

app = group("pki", "Certification authority of a sandbox or a small office; what is in a certificate.")

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="Where the authority is kept.")]
Passphrase = Annotated[
    str | None, typer.Option(metavar="env:NAME|file:PATH", help="Of the authority's keys; never the words themselves.")
]
Rsa = Annotated[bool, typer.Option("--rsa/--ec", help="RSA of 3072 bits, or ECDSA on P-256.")]
Kinds = Literal["signing", "tls-server", "tls-client", "ocsp-responder"]
Reasons = Literal[
    "unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded", "cessationOfOperation",
    "privilegeWithdrawn",
]  # fmt: skip

_OVERLAP = "30d"


@app.command()
def init(
    directory: Directory,
    organization: Annotated[str, typer.Option(help="Whose authority this is: the organisation in every subject.")],
    days: Annotated[int, typer.Option(min=1, max=10_950, help="How long the root lives.")] = 3650,
    issuing_days: Annotated[int, typer.Option(min=1, max=10_950, help="How long the issuing authority lives.")] = 1825,
    rsa: Rsa = False,
    publish_at: Annotated[str | None, typer.Option(metavar="URL", help="Where you will serve DIR/publish.")] = None,
    ocsp: Annotated[str | None, typer.Option(metavar="URL", help="Address of a responder, where you run one.")] = None,
    policy: Annotated[list[str] | None, typer.Option(metavar="OID", help="Policy of every certificate.")] = None,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Mark everything LGSP SANDBOX.")] = False,
    passphrase: Passphrase = None,
    as_json: AsJson = False,
) -> None:
    """Make a root and an issuing authority in a directory that does not exist yet."""
    with _sentences(directory):
        from security.hierarchy import Hierarchy
        from security.office import Office

        for url in (publish_at, ocsp):
            if url is not None and not url.startswith(("http://", "https://")):
                fail(f"{url}: write an address that begins with http:// or https://", 2)
        if issuing_days > days:
            fail("the issuing authority cannot outlive the root: give fewer --issuing-days", 2)
        office = Office(organization, publish_at, ocsp, tuple(policy or ()), sandbox)
        made = Hierarchy.create(
            directory,
            office,
            {"root": timedelta(days=days), "issuing": timedelta(days=issuing_days)},
            datetime.now(UTC),
            key_kind="rsa" if rsa else "ec",
            password=_password(passphrase),
        )
        root = made.authorities["root"]
        told = {
            "root": str(root.path),
            "issuing": str(made.authorities["issuing"].path),
            "chain": str(directory / "chain.pem"),
            "publish": str(directory / "publish"),
            "not_after": root.certificate.not_valid_after_utc.isoformat(),
        }
    if as_json:
        show(told)
        return
    pairs(told)
    typer.echo(
        f"\nKeep {directory / 'root.key'} somewhere else: it is needed once in half a year, for the root's list.\n"
        f"The issuing authority's list is good for a week: run `lgsp pki crl {directory}` every day."
    )


@app.command()
def issue(
    directory: Directory,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call the holder: small letters, digits, -.")],
    kind: Annotated[Kinds | None, typer.Option(help="What it is for; signing where nothing is said.")] = None,
    common_name: Annotated[str | None, typer.Option(help="CN of the subject; otherwise that of the request.")] = None,
    organization: Annotated[str | None, typer.Option(help="O; otherwise that of the request or the office.")] = None,
    agency: Annotated[str | None, typer.Option(help="Agency code (mã định danh cơ quan), e.g. H26.12.")] = None,
    host: Annotated[list[str] | None, typer.Option(help="Name or address that a TLS server is reached by.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="How long it lives; 365, responders 90.")] = None,
    rsa: Annotated[bool | None, typer.Option("--rsa/--ec", help="Kind of the key made here; otherwise --ec.")] = None,
    csr: Annotated[
        str | None, typer.Option(metavar="FILE", help="Request of a holder that keeps its own key; - reads it.")
    ] = None,
    renew: Annotated[bool, typer.Option("--renew", help="One more for a holder that has one.")] = False,
    overlap: Annotated[str, typer.Option(help="With --renew: how long the old one stays good.")] = _OVERLAP,
    passphrase: Passphrase = None,
    as_json: AsJson = False,
) -> None:
    """Issue or renew a certificate, with a key made here or for a request (CSR)."""
    with _sentences(directory):
        from commands.pki_orders import Said, ordered, requested, told_of

        kept = duration(overlap)
        asked = None if csr is None else requested(csr)
        lasting = None if days is None else timedelta(days=days)
        now, hierarchy = datetime.now(UTC), _open(directory, passphrase)
        if renew:
            if any(said is not None for said in (kind, common_name, organization, agency, rsa)) or host:
                fail(
                    "a renewed certificate says of its holder what the old one says, and has such a key:"
                    " leave out --kind, --common-name, --organization, --agency, --host, --rsa and --ec",
                    2,
                )
            papers, good_until = hierarchy.renew(name, None if asked is None else asked.key, now, lasting, kept)
            told = told_of(name, papers) | {"old_good_until": good_until.isoformat()}
        else:
            said = Said(common_name, organization, agency, tuple(host or ()))
            told = told_of(
                name,
                hierarchy.issue(
                    ordered(hierarchy.office, name, kind or "signing", said, asked, lasting, rsa=bool(rsa)), now
                ),
            )
    if as_json:
        show(told)
    else:
        pairs(told)


@app.command()
def revoke(
    directory: Directory,
    what: Annotated[str, typer.Argument(metavar="NAME|SERIAL", help="A holder, or one certificate by its number.")],
    reason: Annotated[Reasons, typer.Option(help="Why (RFC 5280, 5.3.1).")] = "unspecified",
    passphrase: Passphrase = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a certificate, or all of a holder, and make a fresh list that says so."""
    with _sentences(directory):
        hierarchy, now = _open(directory, passphrase), datetime.now(UTC)
        serials = [one.certificate.serial_number for _, one in hierarchy.held() if one.name == what] or [_serial(what)]
        revoked = [(serial, hierarchy.revoke(serial, now, reason)) for serial in serials]
        whose = hierarchy.issuer_of(serials[0])
        path = hierarchy.publish_list(whose, _list_time(whose, None), now)
    told = [
        {"serial": f"{serial:x}", "since": end.at.isoformat(), "reason": end.reason}
        for serial, end in revoked
    ]  # fmt: skip
    if as_json:
        show({"revoked": told, "list": str(path)})
        return
    for one in told:
        pairs(one)
    typer.echo(f"{path} says so: put it where the certificates point to")


@app.command()
def crl(
    directory: Directory,
    authority: Annotated[Literal["issuing", "root"], typer.Option(help="Whose list.")] = "issuing",
    days: Annotated[int | None, typer.Option(min=1, max=366, help="How long it is good; 7, the root's 180.")] = None,
    passphrase: Passphrase = None,
    as_json: AsJson = False,
) -> None:
    """Make a fresh revocation list (CRL) into DIR/publish."""
    with _sentences(directory):
        from security.trust_revocation import parse_list

        hierarchy = _open(directory, passphrase)
        path = hierarchy.publish_list(authority, _list_time(authority, days), datetime.now(UTC))
        made = parse_list(path.read_bytes())
    ends = made.next_update_utc
    told = {"list": str(path), "revoked": len(made), "next_update": None if ends is None else ends.isoformat()}
    if as_json:
        show(told)
    else:
        pairs(told)


@app.command("list")
def list_issued(
    directory: Directory,
    openssl: Annotated[bool, typer.Option("--openssl", help="As the index that `openssl ocsp -index` reads.")] = False,
    as_json: AsJson = False,
) -> None:
    """List every certificate that was issued, with its standing now."""
    with _sentences(directory):
        if openssl:
            from commands.pki_orders import openssl_line

            opened, at = _open(directory, None), datetime.now(UTC)
            for _, one in opened.held():
                typer.echo(openssl_line(one, opened.authorities["issuing"].index, at))
            return
        hierarchy, now = _open(directory, None), datetime.now(UTC)
        revoked = hierarchy.authorities["issuing"].index.revoked
        rows = []
        for path, issued in hierarchy.held():
            end = revoked.get(issued.certificate.serial_number)
            ends = issued.certificate.not_valid_after_utc
            state = "revoked" if end is not None and end.at <= now else "expired" if ends < now else "good"
            rows.append(
                {
                    "name": issued.name,
                    "kind": issued.kind,
                    "state": state,
                    "serial": f"{issued.certificate.serial_number:x}",
                    "not_after": ends.isoformat(),
                    "good_until": end.at.isoformat() if end is not None and end.at < ends else ends.isoformat(),
                    "certificate": str(path),
                }
            )
    if as_json:
        show(rows)
    else:
        table([list(row.values()) for row in rows], ("NAME", "KIND", "STATE", "SERIAL", "ENDS", "GOOD UNTIL", "FILE"))


app.command()(inspect)


@contextmanager
def _sentences(directory: Path) -> Iterator[None]:
    """Turn what an authority refuses into its sentence and exit code, besides what every command knows."""
    from security.authority import AuthorityRefused
    from security.authority_index import IndexDamaged
    from security.certificate_request import RequestRefused
    from security.signature_key import KeyRefused

    with sentences():
        try:
            yield
        except (AuthorityRefused, RequestRefused) as refused:
            fail(str(refused), 2)
        except (IndexDamaged, KeyRefused) as failure:
            fail(str(failure))
        except OSError as failure:
            fail(f"{failure.filename or directory}: {failure.strerror}: {_step(failure)}")
        except ValueError as failure:
            fail(f"that cannot be said in a certificate: {failure}", 2)


def _step(failure: OSError) -> str:
    """Say what to do about a file that cannot be read or written."""
    match failure.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return "make room on that disk, and run the command again"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return "run this as the owner of the directory, and where it can be written"
        case _:
            return "correct the path, or make the directory that it should be in"


def _open(directory: Path, passphrase: str | None) -> Hierarchy:
    from security.hierarchy import Hierarchy

    return Hierarchy(directory, _password(passphrase))


def _password(text: str | None) -> bytes | None:
    """Read a passphrase from where the option says it is; the words themselves would be seen by every user."""
    if text is None:
        return None
    from pydantic import TypeAdapter, ValidationError

    from config.settings import Secret

    if not text.startswith(("env:", "file:")):
        fail("--passphrase: write env:NAME or file:PATH, never the words themselves: other users see them", 2)
    try:
        words: str = TypeAdapter(Secret).validate_python(text).get_secret_value()
    except ValidationError as wrong:
        fail(f"--passphrase: {wrong.errors(include_input=False)[0]['msg']}", 2)
    if not words:
        fail(f"--passphrase: {text} is empty", 2)
    return words.encode()


def _serial(text: str) -> int:
    try:
        return int(text.replace(":", ""), 16)
    except ValueError:
        fail(f"nothing was issued to {text}, and it is no serial number: see `lgsp pki list`", 2)


def _list_time(which: Literal["issuing", "root"], days: int | None) -> timedelta:
    from security.hierarchy import LIST_DAYS

    return timedelta(days=LIST_DAYS[which] if days is None else days)
