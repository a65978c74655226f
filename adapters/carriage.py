"""Who carries questions to a source (`via`): what is put around codecs and log-ins, and what cannot be combined.

Which combinations there are, and why, is in `docs/adr/0008-carriage.md`. Everything is decided at start-up; a codec of
an endpoint that is reached directly is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from adapters.bindings import Codec, Compilable, Expected
from adapters.schemes import LOGIN_PARAMS, ClientCredentials, HashedBasic, NoLogin, Scheme
from adapters.site import Site
from adapters.soap import Soap
from adapters.transport import Message
from adapters.xroad_rest import RestRoad, RoadLogin
from adapters.xroad_trace import traced
from config.carriage import Lgsp, Xroad
from config.settings import ConfigurationError, Endpoint
from schemas.exchange import Database, Exchange, Operation


def compiled(database: Database, operation: Operation, site: Site) -> Codec:
    """Compile an operation for its endpoint, by whatever way that is reached; raises ConfigurationError."""
    binding, endpoint = operation.binding, site.endpoint
    if not isinstance(binding, Compilable):
        raise TypeError(f"{database.name}/{operation.name}: {type(binding).__name__} cannot be compiled")
    check_login(site.name, endpoint, scheme_of((database,), site.name))
    _check_address(site.name, endpoint)
    codec = binding.compile(operation, site)
    if endpoint.lgsp is not None:
        return _through_platform(codec, endpoint.lgsp)
    if endpoint.xroad is None:
        return codec
    _check_services(database, site.name, endpoint.xroad)
    # A SOAP question has the headers of X-Road inside its envelope: its binding writes them.
    carried = codec if isinstance(binding, Soap) else _rest_road(site.name, endpoint.xroad).around(codec)
    return traced(site.name, carried)


def doubt(operation: Operation, endpoint: Endpoint) -> str | None:
    """Say what lets the answers of an operation fail on the way although the configuration is right; None for nothing.

    A security server takes an answer for one of the service only by its name (SoapUtils.validateServiceName, 7.8), and
    a source need not have thought of that. An answer under another name is none to us, so that no setting helps; what
    a server in the field does is for a trial to show.
    """
    binding, road = operation.binding, endpoint.xroad
    if road is None or not isinstance(binding, Soap):
        return None
    code, answer = road.services.get(operation.name, binding.request[1]), binding.answer[1]
    if answer.startswith(code) and answer.endswith("Response"):
        return None
    return (
        f"{operation.name} cannot be reached through a security server of version 7.8: that one hands on answers whose"
        f" name begins with {code} and ends in Response, and by its profile the source calls its answer {answer}"
    )


def scheme_of(databases: Iterable[Database], endpoint: str) -> Scheme | None:
    """Return how the source behind an endpoint is declared to want us to prove ourselves; None for not at all."""
    for database in databases:
        scheme = database.logins.get(endpoint)
        if scheme is not None:
            if not isinstance(scheme, Scheme):
                raise ConfigurationError(f"{database.name}: the login of {endpoint} is not a Scheme")
            return scheme
    return None


def login_for(name: str, endpoint: Endpoint, scheme: Scheme | None) -> tuple[Scheme, str]:
    """Return how to prove ourselves on the way to an endpoint, and the address where that is done.

    Directly it is the source's `scheme`. A platform's token takes its place. Through X-Road the source's goes along
    where `username` is set: the security server itself knows us by our certificate.
    """
    if endpoint.lgsp is not None:
        parts = urlsplit(endpoint.lgsp.token)
        elsewhere = f"{parts.scheme}://{parts.netloc}" if parts.netloc else endpoint.url
        return ClientCredentials(path=parts.path), elsewhere
    if scheme is None or (endpoint.xroad is not None and not endpoint.username):
        return NoLogin(), endpoint.url
    if endpoint.xroad is not None:
        return RoadLogin(scheme, _rest_road(name, endpoint.xroad)), endpoint.url
    return scheme, endpoint.url


def check_login(name: str, endpoint: Endpoint, scheme: Scheme | None) -> None:
    """Refuse credentials that the way to the endpoint leaves no place for; raises ConfigurationError."""
    if endpoint.via == "direct":
        return
    where = f"[endpoints.{name}]"
    if urlsplit(endpoint.url).username is not None:
        raise ConfigurationError(
            f'{where}: via = "{endpoint.via}" takes no user in url: write username and secret, or tls_certificate'
        )
    unread = sorted(LOGIN_PARAMS & endpoint.params.keys())
    if endpoint.lgsp is not None:
        if not endpoint.username or not endpoint.secret.get_secret_value():
            raise ConfigurationError(f"{where} needs username and secret: the platform gives its token for them")
        if unread:
            raise ConfigurationError(
                f"{where}: params.{unread[0]} is for the source's own log-in, whose place the platform's token takes:"
                " write a constant header into lgsp.headers"
            )
        return
    if scheme is None or not endpoint.username:
        if endpoint.username or unread:
            setting = "username" if endpoint.username else f"params.{unread[0]}"
            raise ConfigurationError(f"{where}: {setting} is for a log-in at the source, and none is done")
        return
    if isinstance(scheme, HashedBasic):
        raise ConfigurationError(
            f"{where}: username cannot be used through X-Road: of HTTP headers its SOAP protocol hands on Content-Type"
            " and SOAPAction only, and the source's proof is over its own address; leave username and secret out"
        )


def _check_address(name: str, endpoint: Endpoint) -> None:
    """Refuse an address that holds more than a security server has; raises ConfigurationError."""
    parts = urlsplit(endpoint.url)
    if endpoint.xroad is not None and (parts.path.strip("/") or parts.query or parts.fragment):
        raise ConfigurationError(
            f"[endpoints.{name}]: url is that of the security server, https://host[:port] and nothing behind it:"
            " X-Road's paths are made from xroad.provider and xroad.service"
        )


def _check_services(database: Database, name: str, road: Xroad) -> None:
    known = {each.name for each in database.operations if (each.endpoint or database.name) == name}
    unknown = sorted(road.services.keys() - known)
    if unknown:
        raise ConfigurationError(
            f"[endpoints.{name}.xroad] services.{unknown[0]}: no such operation; known are {', '.join(sorted(known))}"
        )


def _rest_road(name: str, road: Xroad) -> RestRoad:
    where = f"[endpoints.{name}.xroad]"
    if road.service is None:
        raise ConfigurationError(f"{where} needs service: the code under which the source's REST interface is known")
    for setting, value in (("services", road.services), ("version", road.version)):
        if value:
            raise ConfigurationError(f"{where}: {setting} is for SOAP; a REST interface has one service, unversioned")
    return RestRoad(name, road, road.service)


def _through_platform(codec: Codec, platform: Lgsp) -> Codec:
    context = platform.context
    constant = {name: secret.get_secret_value() for name, secret in platform.headers.items()}

    def write(exchange: Exchange) -> tuple[Message, Expected]:
        message, expected = codec.write(exchange)
        message.path = context + message.path
        if constant:
            message.headers = {**message.headers, **constant}
        return message, expected

    return codec._replace(write=write)
