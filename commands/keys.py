"""`lgsp keys`: the gateway's own keys with age and expiry, and their rotation (xoay khóa), an audit entry each."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from commands.common import AsJson, Config, duration, fail, group, run, sentences, show, table

app = group("keys", "Keys of log, tokens, index and data, and certificates: age, expiry, rotation.")

# How long a predecessor verifies on where the operator does not say: longer than anything it signed is in use.
_OVERLAP = "1d"


@app.command("list")
def list_keys(config: Config = None, as_json: AsJson = False) -> None:
    """List every key and certificate with its end."""
    from datetime import UTC, datetime

    from config.settings import load
    from routes.expiry import certificate_expiries
    from routes.token_findings import token_expiries
    from security.keys import KeyRing

    now = datetime.now(UTC)
    with sentences():
        settings = load(config)
        keys = KeyRing(settings.keys.directory).all()
    rows: list[dict[str, Any]] = [
        {
            "name": key.id,
            "kind": key.algorithm,
            "state": key.state(now),
            "age_days": key.age(now).days,
            "expires_at": (key.until or key.expires).isoformat(),
            "sandbox": key.sandbox,
        }
        for key in keys
    ]
    rows += [
        {
            "name": found.name,
            "kind": found.kind,
            "state": "active" if now < found.ends else "expired",
            "age_days": None if found.since is None else (now - found.since).days,
            "expires_at": found.ends.isoformat(),
            "sandbox": found.sandbox,
        }
        for found in (*certificate_expiries(settings, now), *token_expiries(settings))
    ]
    if as_json:
        show(rows)
    else:
        cells = [(*list(row.values())[:-1], "LGSP SANDBOX" if row["sandbox"] else "") for row in rows]
        table(cells, ("NAME", "KIND", "STATE", "DAYS OLD", "ENDS", ""))


@app.command()
def rotate(
    name: Annotated[str, typer.Argument(metavar="NAME", help="log, token, period (the index) or data.")],
    overlap: Annotated[
        str, typer.Option(help="How long the old one verifies on (log: signs along): 1d, 12h, 0.")
    ] = _OVERLAP,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Add a generation of a key; keys that are missing altogether are made first."""
    from config.settings import load
    from security.keys import NAMES, KeyRing, KeysUnusable

    lasting = duration(overlap)
    chosen = next((each for each in NAMES if each == name), None)
    if chosen is None:
        fail(f"there is no key named {name}; there are {', '.join(NAMES)}. A TLS key: replace its file, then reload", 2)
    with sentences():
        directory = load(config).keys.directory
        try:
            KeyRing(directory)
        except KeysUnusable:
            before = {path.name for path in directory.glob("*.key")}
            # Permissions and damage raise here again; what is merely missing is made.
            made = KeyRing.create(directory)
            _tell([key.id for key in made.all() if key.path.name not in before], "made", as_json)
            return

    from commands.desk import desk
    from security.audit.assembly import verifier_of
    from security.audit.entries import instant

    async def work() -> str:
        async with desk(config) as at:
            before, after = at.keys.current(chosen), at.keys.propose(chosen, overlap=lasting)
            details: dict[str, Any] = {
                "key": after.id,
                "replaces": before.id,
                "algorithm": after.algorithm,
                "overlap_s": int(lasting.total_seconds()),
                "from": instant(after.created),
                "until": instant(after.created + lasting),
            }
            if chosen == "log":
                details["verifier_key"] = verifier_of(after, at.settings.keys.origin).encode()
                details["replaces_verifier_key"] = verifier_of(before, at.settings.keys.origin).encode()
            elif after.algorithm != "AES-256":
                details["public_key"] = after.public_pem()
            try:
                # Before anything can use it: who trusted the old log key learns the new one from an entry under it.
                await at.record("key-rotation", "key-rotation", details)
            except BaseException:
                at.keys.drop(after)
                raise
            at.keys.take(after)
            return after.id

    _tell([run(work)], "made", as_json)
    if chosen == "log" and not as_json:
        typer.echo("Before the overlap ends, hand `lgsp keys export log` to witnesses and to whoever verifies.")


@app.command()
def export(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="log or token alone; `log` makes a file of keys.")] = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Print the public keys: of the log for whoever verifies receipts, of tokens for whoever verifies those."""
    from datetime import UTC, datetime

    from config.settings import load
    from security.audit.assembly import log_verifiers
    from security.keys import KeyRing

    if name not in ("", "log", "token"):
        fail(f"{name} has no public keys; log and token do", 2)
    with sentences():
        settings = load(config)
        keys = KeyRing(settings.keys.directory)
        verifiers = log_verifiers(keys, settings.keys.origin)
    shown: dict[str, Any] = {"origin": settings.keys.origin}
    if name != "token":
        shown["log"] = [
            {"id": key.id, "verifier_key": verifier.encode(), "since": key.created.isoformat()}
            for key, verifier in zip(keys.generations("log"), verifiers, strict=True)
        ]
    if name != "log":
        usable = keys.usable("token", datetime.now(UTC))
        shown["token"] = [{"id": key.id, "public_key": key.public_pem()} for key in usable]
    if as_json:
        show(shown)
        return
    for item in shown.get("log", ()):
        typer.echo(item["verifier_key"])
    for item in shown.get("token", ()):
        typer.echo(f"# {item['id']}\n{item['public_key'].rstrip()}")


@app.command()
def rewrap(config: Config = None, as_json: AsJson = False) -> None:
    """Wrap the vault's period keys by the newest `period` key, once every gateway was started again with it.

    Only then is nothing protected by its predecessors any more.
    """
    import asyncio

    from commands.desk import desk
    from security.audit.assembly import open_sealer

    async def work() -> int:
        async with desk(config) as at:
            sealer = open_sealer(at.keys, at.settings.keys.vault)
            moved = await asyncio.to_thread(sealer.rewrap)
            if moved:
                details: dict[str, Any] = {"key": at.keys.current("period").id, "periods": moved}
                await at.record("key-rotation", "key-rewrap", details)
            return moved

    moved = run(work)
    if as_json:
        show({"periods": moved})
    else:
        typer.echo(f"{moved} period keys wrapped anew")


def _tell(keys: list[str], verb: str, as_json: bool) -> None:
    if as_json:
        show({"keys": keys})
        return
    typer.echo(f"{', '.join(keys)}: {verb}")
    typer.echo("Running gateways take it at `lgsp reload`.")
