"""`lgsp pki inspect`: what certificates, keys, requests and revocation lists are, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.common import AsJson, fail, pairs, show


def inspect(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="PEM or DER, one thing or many in each; - is standard input."),
    ],
    trust: Annotated[
        list[Path] | None, typer.Option(metavar="PEM", help="Authorities that are trusted; repeatable.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Judge as of then, in RFC 3339; otherwise now.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Explain certificates, keys, requests and lists; 1 where something is wrong with one of them."""
    import dataclasses

    from cryptography import x509

    from security.pki_files import FileUnreadable, things_in
    from security.pki_inspection import Inspection, Piece
    from security.signature import utc_now
    from security.signature_files import moment

    try:
        pieces = [Piece(path, thing) for path in files for thing in things_in(path)]
        now = utc_now() if at is None else moment(at)
        trusted = [thing for path in trust or () for thing in things_in(path) if isinstance(thing, x509.Certificate)]
    except FileUnreadable as unreadable:
        fail(str(unreadable))
    except ValueError as wrong:
        fail(str(wrong), 2)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}", 2)
    if trust and not trusted:
        fail("--trust holds no certificate: name the authority's PEM or DER file", 2)
    found = Inspection(pieces, trusted, now).explain()
    if as_json:
        show([dataclasses.asdict(one) for one in found])
    else:
        for one in found:
            typer.echo(f"{one.kind} in {one.file}")
            pairs({f"  {name.replace('_', ' ')}": _shown(value) for name, value in one.facts.items()})
            for finding in one.findings:
                typer.echo(f"  PROBLEM  {finding}")
            typer.echo()
    if any(one.findings for one in found):
        raise typer.Exit(1)


def _shown(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "; ".join(map(str, value)) or None
    return value
