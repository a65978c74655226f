"""`lgsp dossiers`: what became of dossiers and deliveries, and repairing them as the operator (xử lý hồ sơ).

Whatever acts on several counts first: `--expect` says how many they are believed to be, without it they are only
counted. Codes, states and times are shown, never what is sealed.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from commands.common import AsJson, Config, fail, group, pairs, public_text, run, show, table
from commands.reconciling import reconcile

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from commands.desk import Desk
    from sync.repair import Act, Filter
    from sync.repairs import Repairs
    from sync.rows import Dossier

T = TypeVar("T")

app = group("dossiers", "Dossiers, their deliveries, and what to do about those that did not end well.")
app.command()(reconcile)

Code = Annotated[str | None, typer.Option("--code", help="Of this dossier.")]
Client = Annotated[str | None, typer.Option("--client", help="Of this source.")]
Agency = Annotated[str | None, typer.Option("--agency", help="Of sources of this agency.")]
Reason = Annotated[str | None, typer.Option("--reason", help="That ended for this reason, for example invalid-data.")]
Fingerprint = Annotated[str | None, typer.Option("--fingerprint", help="That failed alike.")]
Id = Annotated[str | None, typer.Option("--id", help="This one.")]
Expect = Annotated[int | None, typer.Option("--expect", min=0, help="How many they are; without it: count only.")]


Destination = Annotated[str, typer.Option("--destination", help="Which, where there are several.")]


@app.command(name="show")
def show_dossier(
    code: Annotated[str, typer.Argument(metavar="CODE", help="Code of the dossier.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show a dossier and the state of each of its deliveries."""
    from routes.dossiers.views import delivery
    from sync.reading import attempts, dossier, events_of

    def look(connection: Connection) -> tuple[Dossier | None, list[dict[str, Any]]]:
        events = events_of(connection, code)
        tried = attempts(connection, [event.position for event in events])
        return dossier(connection, code), [delivery(event, tried.get(event.position, ())) for event in events]

    found, deliveries = at_desk(lambda at: at.storage.read(look), config)
    if found is None:
        fail(f"there is no dossier {code}")
    facts = {
        "code": found.code,
        "standing": found.standing,
        "agency": found.agency,
        "version": found.version,
        "status": found.status,
        "delivered_status": found.delivered_status,
    }
    if as_json:
        show({**facts, "deliveries": deliveries})
        return
    pairs(facts)
    table(([one[name] for name in _COLUMNS] + [len(one["attempts"])] for one in deliveries), (*_COLUMNS, "attempts"))


_COLUMNS = ("id", "kind", "sequence", "status", "step", "reason", "accepted_at", "delivered_at")


@app.command()
def quarantine(
    code: Code = None,
    client: Client = None,
    agency: Agency = None,
    reason: Reason = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """List what is in quarantine; `retry --state quarantined` lets out what its mapping rules now say something of."""
    _list(_filter("quarantined", code, client, agency, reason, None, None), config, as_json)


@app.command()
def dead(
    code: Code = None,
    client: Client = None,
    agency: Agency = None,
    reason: Reason = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """List the dead letters, each with its reason and the fingerprint that it shares with those that failed alike."""
    _list(_filter("dead", code, client, agency, reason, None, None), config, as_json)


@app.command()
def retry(
    state: Annotated[str, typer.Option("--state", help="dead or quarantined.")] = "dead",
    code: Code = None,
    client: Client = None,
    agency: Agency = None,
    reason: Reason = None,
    fingerprint: Fingerprint = None,
    event: Id = None,
    expect: Expect = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters again, or let events out of quarantine."""
    _act("retry", _filter(state, code, client, agency, reason, fingerprint, event), expect, None, config, as_json)


@app.command()
def discard(
    why: Annotated[str, typer.Option("--why", help="For the audit trail; nothing about persons.")],
    state: Annotated[str, typer.Option("--state", help="dead, quarantined, waiting, queued or late.")] = "dead",
    code: Code = None,
    client: Client = None,
    agency: Agency = None,
    reason: Reason = None,
    fingerprint: Fingerprint = None,
    event: Id = None,
    expect: Expect = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Give deliveries up: they are never sent."""
    public_text(why, "--why")
    _act("discard", _filter(state, code, client, agency, reason, fingerprint, event), expect, why, config, as_json)


@app.command()
def destinations(config: Config = None, as_json: AsJson = False) -> None:
    """Show how each destination is, as far as delivering tells, and what waits for it."""
    import time
    from dataclasses import asdict

    from sync.destinations import condition

    async def work(at: Desk) -> list[dict[str, Any]]:
        now = time.time_ns() // 1_000_000
        names = _destinations(at)
        return await at.storage.read(lambda connection: [asdict(condition(connection, name, now)) for name in names])

    found = at_desk(work, config)
    if as_json:
        show({"destinations": found})
    else:
        for one in found:
            pairs(one)


@app.command()
def pause(
    why: Annotated[str, typer.Option("--why", help="Shown to the agencies whose events wait.")],
    destination: Destination = "portal",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Send nothing more to the portal until `resume`; what is under way ends."""
    import time

    from sync.destinations import paused

    public_text(why, "--why")

    async def work(at: Desk) -> None:
        _known(at, destination)
        write = paused(destination, at.by, why, time.time_ns() // 1_000_000)
        await at.make_with("destination-paused", {"destination": destination, "reason": why}, write)

    at_desk(work, config)
    _held(destination, "paused", as_json)


@app.command()
def resume(destination: Destination = "portal", config: Config = None, as_json: AsJson = False) -> None:
    """Let the portal be sent to again, at once."""
    from sync.destinations import resumed

    async def work(at: Desk) -> None:
        _known(at, destination)
        await at.make_with("destination-resumed", {"destination": destination}, resumed(destination))

    at_desk(work, config)
    _held(destination, "resumed", as_json)


def _destinations(at: Desk) -> list[str]:
    from adapters import destinations as declared

    return [one.name for one in declared(at.settings.endpoints)]


def _known(at: Desk, destination: str) -> None:
    if destination not in (names := _destinations(at)):
        fail(f"there is no destination {destination}; known are {', '.join(names)}", 2)


def _held(destination: str, what: str, as_json: bool) -> None:
    if as_json:
        show({"destination": destination, "done": what})
    else:
        typer.echo(f"{destination}: {what}")


def at_desk(work: Callable[[Desk], Coroutine[Any, Any, T]], config: Path | None) -> T:
    """Do something at an open deployment."""
    from commands.desk import desk

    async def opened() -> T:
        async with desk(config) as at:
            return await work(at)

    return run(opened)


def _filter(
    state: str | None,
    code: str | None,
    client: str | None,
    agency: str | None,
    reason: str | None,
    fingerprint: str | None,
    event: str | None,
) -> Filter:
    from sync.repair import Filter

    return Filter(agency, state, code, client, reason, fingerprint, event_id=event)


def _repairs(at: Desk) -> Repairs:
    from schemas.dossiers.vocabularies import configured
    from security.audit.assembly import open_sealer
    from sync.opening import Opener
    from sync.repairs import Repairs
    from sync.sealing import DossierSealer

    settings = at.settings
    named = {name: found.model_dump(exclude_none=True) for name, found in settings.vocabularies.items()}
    opener = Opener(DossierSealer(open_sealer(at.keys, settings.keys.vault)))
    return Repairs(at.storage, at.log, opener, configured(named), settings.sync)


def _list(wanted: Filter, config: Path | None, as_json: bool) -> None:
    from routes.dossiers.views import delivery
    from sync.repair import fingerprint

    async def work(at: Desk) -> list[dict[str, Any]]:
        found = await _repairs(at).matching(wanted, "retry")
        return [{**delivery(event, ()), "fingerprint": fingerprint(event)} for event in found]

    found = at_desk(work, config)
    if as_json:
        show({"count": len(found), "deliveries": found})
        return
    names = ("id", "code", "client", "sequence", "source_status", "status", "reason", "fingerprint", "accepted_at")
    table(([one[name] for name in names] for one in found), names)
    typer.echo(f"{len(found)} deliveries")


def _act(act: Act, wanted: Filter, expect: int | None, why: str | None, config: Path | None, as_json: bool) -> None:
    from sync.repairs import Miscounted

    async def work(at: Desk) -> tuple[int, list[Any] | None]:
        repairs = _repairs(at)
        if expect is None:
            return await repairs.count(wanted, act), None
        try:
            done = await repairs.do(act, wanted, expect, caller=None, by=at.by, reason=why)
        except Miscounted as error:
            return error.found, None
        return expect, done

    matched, done = at_desk(work, config)
    changed = [one for one in done or () if one.state != "untouched"]
    if as_json:
        listed = [{"id": one.event_id, "code": one.code, "step": one.state} for one in done or ()]
        show({"matched": matched, "changed": len(changed), "deliveries": listed})
    elif done is None:
        typer.echo(f"{matched} deliveries are meant; nothing was done")
    else:
        typer.echo(f"{len(changed)} of {matched} deliveries changed")
    if done is None and expect is not None:
        fail(f"{matched} are meant, not {expect}: nothing was done")
    if done is None and not as_json:
        typer.echo(f"to do it: the same with --expect {matched}")
