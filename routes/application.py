"""The gateway's web application for one worker process: every middleware and every route."""

from __future__ import annotations

from aiohttp import web

from config.settings import ConfigurationError, Settings
from routes import frame, me, tokens
from routes.assembly import Gateway, assembled
from routes.audit.access import Room
from routes.audit.published import add_audit
from routes.authorities import addressed_to
from routes.catalog import add_catalog
from routes.context import ADMIN, PEER
from routes.delivering import GATEWAY
from routes.developers.published import add_developers
from routes.docs import add_docs
from routes.dossiers.published import Parts, add_dossiers
from routes.dossiers.pushing import Means as Pushing
from routes.dossiers.repairs import Mending
from routes.dossiers.viewing import Looks
from routes.exchanges import add_exchanges
from routes.guests import Guests
from routes.health import add_health
from routes.openapi import add_openapi
from routes.problems import add_problems
from routes.quota import quota
from routes.readiness import health_checks
from routes.recorded import recorded
from routes.signed import Signatures
from routes.soap.callers import Callers
from routes.soap.dossiers import add_soap_dossiers
from routes.soap.face import Means, add_soap
from routes.soap.faulting import faulting
from routes.soap.incoming import Judges
from routes.soap.me import add_me
from routes.soap.published import add_contracts
from routes.xroad import forwarded
from schemas.errors import EvidenceUnavailable
from schemas.exchange import Caller, Database
from security.keys import KeysUnusable
from storage.errors import StorageError


def application(gateway: Gateway) -> web.Application:
    """Return the web application over an assembled gateway."""
    settings = gateway.settings
    app = web.Application(client_max_size=settings.server.max_body + 1)
    frame.setup(app, settings.server, reload=gateway.reload)

    def identify(request: web.Request) -> Caller:
        certificate = request[PEER].certificate
        if certificate is not None and certificate in gateway.servers:
            return forwarded(request, gateway.servers, gateway.identity)
        return gateway.identity.identify(request.headers.get("Authorization"), certificate)

    faults = faulting(gateway.trail, gateway.answer_signer, gateway.servers)
    app.middlewares.extend((quota, faults, recorded(identify, gateway.trail, gateway.databases), frame.unrepeated))
    signatures = Signatures(gateway.signatures.verify, gateway.revocation.settle)
    add_exchanges(
        app.router, gateway.databases, gateway.handler, gateway.trail.proof, signatures, settings.server.max_body
    )
    desk, prove = gateway.dossiers, gateway.trail.proof
    dossiers = Parts(
        Pushing(desk.intake, prove, signatures, gateway.once, settings.server.max_body),
        Looks(gateway.storage, gateway.log, desk.opener, prove),
        Mending(
            desk.repairs,
            gateway.storage,
            [destination.name for destination in gateway.destinations],
            settings.server.max_body,
        ),
        Guests(gateway.limiter, gateway.trail.anonymous, "public/dossiers", settings.sync.guesses),
    )
    add_dossiers(app.router, dossiers)
    watchers = Guests(
        gateway.limiter, gateway.trail.anonymous, "public/audit", settings.audit.public_requests_per_minute
    )
    add_audit(
        app.router,
        Room(gateway.storage, gateway.reader, gateway.log, gateway.keys, watchers, settings.server.max_body),
    )
    judges = Judges(
        Callers(gateway.identity, gateway.servers),
        gateway.soap_callers.verify,
        gateway.revocation.settle,
        gateway.answer_signer.require,
        addressed_to(settings.server),
    )
    means = Means(gateway.handler, gateway.trail.proof, judges, gateway.answer_signer, settings.server.max_body)
    add_soap(app.router, gateway.databases, means)
    tokens.setup(
        app,
        tokens.TokenEndpoint(gateway.identity, gateway.assertions, gateway.log.record, gateway.trail.unproven),
    )
    describe = me.describing(gateway.identity, gateway.databases)
    me.setup(app, describe)
    add_problems(app.router)
    # Health on a port of its own is no matter of the callers.
    public, health = frame.public_url(settings.server), settings.server.admin_listen is None
    add_openapi(app.router, gateway.databases, public, health=health)
    add_contracts(app.router, gateway.databases, public)
    add_me(app.router, describe, means, gateway.once, public)
    add_soap_dossiers(app.router, dossiers, means, public)
    add_docs(app.router)
    add_developers(app.router, gateway.databases, public)
    add_catalog(app.router, gateway.databases, public, health=health)
    operations = app
    if settings.server.admin_listen:
        operations = app[ADMIN] = web.Application()
    checks = health_checks(settings, gateway.storage, gateway.keys, gateway.identity.registry)
    add_health(operations.router, checks)
    return app


async def make_app(settings: Settings, databases: tuple[Database, ...]) -> web.Application:
    """Assemble a gateway and return its application, which closes it at the end; raises ConfigurationError."""
    context = assembled(settings, databases)
    try:
        gateway = await context.__aenter__()
    except (StorageError, KeysUnusable, EvidenceUnavailable, OSError) as error:
        raise ConfigurationError(str(error)) from error
    app = application(gateway)
    app[GATEWAY] = gateway

    async def close(_app: web.Application) -> None:
        await context.__aexit__(None, None, None)

    app.on_cleanup.append(close)
    return app
