"""How `lgsp clients` shows clients and their changes, to people and to programs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from commands.common import show

if TYPE_CHECKING:
    from security.administration import Change
    from security.clients import Client


def tell(changes: list[Change], as_json: bool, *, planned: bool = False) -> None:
    """Print what changed, with the secrets that exist nowhere else; `planned` is for what was not written.

    What a client could not use for lack of a signing certificate is noted beside it.
    """
    for change in changes:
        if _cannot_sign(change.client):
            typer.echo(
                f"note: {change.client.client_id} must sign requests and has no signing certificate: register it with "
                f"`lgsp clients register {change.client.client_id} --signing-certificate FILE`",
                err=True,
            )
    shown: list[dict[str, Any]] = [
        {
            "client_id": change.client.client_id,
            "changes": change.differences,
            # A dry run makes a secret too, and forgets it.
            "client_secret": None if planned else change.secret,
        }
        for change in changes
    ]
    if as_json:
        show(shown)
        return
    for item in shown:
        verdict = "nothing to change" if not item["changes"] else "would change" if planned else "changed"
        typer.echo(f"{item['client_id']}: {verdict}")
        for name, values in item["changes"].items():
            typer.echo(f"  {name}: {plain(values['before'])} -> {plain(values['after'])}")
        if item["client_secret"]:
            typer.echo(f"  secret (shown once): {item['client_secret']}")
    if not shown:
        typer.echo("nothing to change")


def _cannot_sign(client: Client) -> bool:
    at = datetime.now(UTC)
    return (
        client.revoked_at is None
        and any(grant.signature_required for grant in client.grants)
        and not any(item.kind == "signature" and item.lapse(at) is None for item in client.credentials)
    )


def summary(client: Client) -> dict[str, Any]:
    """Return one line of the list: grants and living credentials as numbers."""
    return {
        "client_id": client.client_id,
        "name": client.name,
        "agency": client.agency,
        "rights": sorted(client.rights),
        "grants": len(client.grants),
        "credentials": sum(1 for item in client.credentials if item.lapse(datetime.now(UTC)) is None),
        "revoked_at": client.revoked_at.isoformat() if client.revoked_at else None,
    }


def described(client: Client) -> dict[str, Any]:
    """Return a client as JSON: what `view` tells, with credentials and grants as lists."""
    from security.administration import view

    plain: dict[str, Any] = {}
    credentials: list[dict[str, Any]] = []
    grants: list[dict[str, Any]] = []
    for name, value in view(client).items():
        kind, _, rest = name.partition(" ")
        if kind == "credential" and isinstance(value, dict):
            credentials.append({"id": rest, **value})
        elif kind == "grant" and isinstance(value, dict):
            operation, _, purposes = rest.partition(" ")
            database, _, operation = operation.partition("/")
            grants.append({"database": database, "operation": operation, "purposes": purposes.split("+"), **value})
        else:
            plain[name] = value
    return {**plain, "credentials": credentials, "grants": grants}


def plain(value: Any) -> str:
    """Return a value of a change as people read it."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {plain(item)}" for name, item in value.items() if item not in (None, False))
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
