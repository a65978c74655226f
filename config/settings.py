"""The configuration: one frozen model per section, one TOML file, environment on top (`LGSP_SECTION__KEY`).

Unknown keys are refused by name. A secret may be written `env:NAME` or `file:PATH`; it is resolved when read here, so
the rest of the product sees only values. Relative paths are relative to the configuration file.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config.carriage import Lgsp, Xroad
from config.inbox import Inbox as Inbox
from config.inbox import Webhook
from config.retention import Retention
from config.sections import BASE, FilePath, HttpUrl, KeyPlace, Section, beside, resolved
from config.sections import ConfigurationError as ConfigurationError
from config.sections import Secret as Secret
from config.signatures import Callers as Callers
from config.signatures import Signing as Signing
from config.sync import Sync as Sync
from config.sync import Vocabulary
from config.witness import Witness, WitnessName
from config.xroad_provider import XroadProvider as XroadProvider


def _sqlite_beside(url: str) -> str:
    scheme, slashes, path = url.partition(":///")
    if not slashes or not scheme.startswith("sqlite") or not path:
        return url
    return f"{scheme}:///{beside(Path(path))}"


class Tls(Section):
    """Direct TLS; `client_ca` asks for client certificates (mTLS) and names the CAs that may issue them."""

    certificate: FilePath
    key: FilePath
    client_ca: FilePath | None = None
    listen: str = "127.0.0.1:8443"


class Server(Section):
    """The HTTP face: addresses are `host:port`, sizes bytes, times seconds."""

    listen: str = "127.0.0.1:8080"
    admin_listen: str | None = None
    public_url: str | None = None
    tls: Tls | None = None
    workers: int = Field(default=1, ge=1, le=64)
    trusted_proxies: tuple[str, ...] = ()
    max_body: int = Field(default=1_048_576, ge=1)
    max_in_flight: int = Field(default=1_000, ge=1)
    grace: float = Field(default=30.0, ge=0, le=3600)


class Storage(Section):
    """The SQL database; `reserve` is the free space in bytes below which readiness warns."""

    url: Annotated[str, BeforeValidator(resolved), AfterValidator(_sqlite_beside)] = Field(
        default="sqlite:///lgsp.sqlite", validate_default=True
    )
    reserve: int = 256 * 1024 * 1024


class Redis(Section):
    """Shared memory between nodes; empty means that the SQL storage serves."""

    url: Secret = SecretStr("")


class Keys(Section):
    """Where the gateway's own keys lie, and the log's origin (its name in checkpoints)."""

    directory: FilePath = Field(default=Path("keys"), validate_default=True)
    vault: FilePath = Field(default=Path("vault"), validate_default=True)
    origin: str = "lgsp.example/log"


class Tokens(Section):
    """OAuth2 access tokens: lifetime in seconds; `issuer` defaults to `server.public_url`."""

    lifetime: int = Field(default=600, ge=30, le=3600)
    issuer: str | None = None


class Audit(Section):
    """Bounds of the audit log: bulk entries a minute for requests without a known caller.

    `public_requests_per_minute` is how often one address may fetch checkpoints, keys, tiles and consistency proofs,
    `keep_days` for how long entries stay in the database at least before they may be archived: answers to repeated
    pushes and the reconciliation of past days are made of them. `archives` is where the files lie that it wrote, or
    copies of them: entries are read from there. `retention` is how long their personal values are kept.
    """

    anonymous_entries_per_minute: int = Field(default=60, ge=1)
    public_requests_per_minute: int = Field(default=1200, ge=1)
    keep_days: int = Field(default=400, ge=40)
    archives: FilePath | None = None
    retention: Retention = Retention()


class Timeout(Section):
    """Seconds to connect, between two reads, and for one whole attempt."""

    connect: float = Field(default=3.0, gt=0, le=600)
    read: float = Field(default=10.0, gt=0, le=600)
    total: float = Field(default=15.0, gt=0, le=600)


class Breaker(Section):
    """Opens after `failures` in a row within `window` seconds; probes again after `open_for` seconds."""

    failures: int = Field(default=5, ge=1)
    window: float = Field(default=30.0, gt=0)
    open_for: float = Field(default=10.0, gt=0, le=3600)


class Retry(Section):
    """Attempts at a repeatable operation and the exponential back-off between them, in seconds, with full jitter."""

    attempts: int = Field(default=3, ge=1, le=10)
    initial: float = Field(default=0.1, ge=0, le=600)
    maximum: float = Field(default=2.0, ge=0, le=600)


class Domain(Section):
    """One trust domain (miền tin cậy): the CAs that vouch for signers there, and how revocations are learnt of.

    `crl` are files of revocation lists, `crl_urls` and `ocsp_url` addresses that are asked for them; with
    `from_certificates` also those that certificates name whose path is already validated. `when_silent` is what counts
    where nothing current can be had: `accept` believes the certificate and says `indeterminate`.
    """

    anchors: tuple[FilePath, ...] = Field(min_length=1)
    intermediates: tuple[FilePath, ...] = ()
    revocation: Literal["check", "off"] = "check"
    when_silent: Literal["refuse", "accept"] = "refuse"
    crl: tuple[FilePath, ...] = ()
    crl_urls: tuple[HttpUrl, ...] = ()
    ocsp_url: str = Field(default="", pattern=r"^(https?://[^\s@]+)?$", max_length=2048)
    from_certificates: bool = True


class Revocation(Section):
    """Fetching of revocation lists and OCSP answers: where they are kept, seconds for one, the largest list in bytes.

    `refresh` is after how many seconds what is still current is fetched again at the latest.
    """

    directory: FilePath = Field(default=Path("revocation"), validate_default=True)
    timeout: float = Field(default=5.0, gt=0, le=60)
    refresh: float = Field(default=3600.0, ge=1)
    max_list: int = Field(default=32 * 1024 * 1024, ge=1024)


class Expected(Section):
    """What the certificate of a signer must say, beyond being of the domain; what is empty is not asked for.

    `subject` is the whole name as RFC 4514 text, `agency` a code in it (mã định danh cơ quan), `content_commitment` the
    key usage of that name (nonRepudiation), `key_bits` the shortest RSA key, `policies` certificate policies (dotted),
    one of which must hold along the path.
    """

    subject: str = ""
    agency: str = ""
    content_commitment: bool = False
    key_bits: int = Field(default=2048, ge=2048, le=4096)
    policies: tuple[Annotated[str, Field(pattern=r"^[0-2](\.(0|[1-9]\d*))+$")], ...] = ()


class Endpoint(Section):
    """One address of one source and everything that belongs to the way there (điểm kết nối).

    `domain` names the trust domain of who signs answers; without one `trust` holds anchors and `crl` their lists.
    `signer` holds certificates whose subjects are expected, `expect` says what else a certificate must say, `pinned`
    are those that alone may sign. `key` and `certificate` sign our requests, `key_pin` opens the token that the key is
    on; `tls_ca` and `tls_*` are for HTTPS. `username` and `secret` feed the source's own log-in, `params` whatever
    constants its profile asks for (agency or service codes). `via` is who carries our questions: nobody, the platform
    of `lgsp`, whose token `username` and `secret` then get, or the security server of `xroad`; `url` is its address.
    """

    url: str
    via: Literal["direct", "lgsp", "xroad"] = "direct"
    lgsp: Lgsp | None = None
    xroad: Xroad | None = None
    domain: str = ""
    pinned: tuple[FilePath, ...] = ()
    expect: Expected = Expected()
    trust: tuple[FilePath, ...] = ()
    crl: tuple[FilePath, ...] = ()
    signer: FilePath | None = None
    key: KeyPlace | None = None
    key_pin: Secret = SecretStr("")
    certificate: FilePath | None = None
    tls_ca: FilePath | None = None
    tls_certificate: FilePath | None = None
    tls_key: FilePath | None = None
    username: str = ""
    secret: Secret = SecretStr("")
    params: dict[str, str] = Field(default_factory=dict)
    timeout: Timeout = Timeout()
    breaker: Breaker = Breaker()
    retry: Retry = Retry()
    concurrency: int = Field(default=64, ge=1)
    max_answer: int = Field(default=4 * 1024 * 1024, ge=1)

    @model_validator(mode="after")
    def _one_carrier(self) -> Endpoint:
        for name, table in (("lgsp", self.lgsp), ("xroad", self.xroad)):
            if table is not None and self.via != name:
                raise ValueError(f'the table {name} is read with via = "{name}" only, and via is "{self.via}"')
            if table is None and self.via == name:
                raise ValueError(f'via = "{name}" needs the table {name}')
        return self


class Log(Section):
    """JSON lines on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Telemetry(Section):
    """OpenTelemetry traces: the collector's OTLP/HTTP address for traces, empty for none.

    `service` is the name in the spans, `ratio` the share of traces that are kept where the caller has not decided.
    """

    endpoint: str = Field(default="", pattern=r"^(https?://\S+)?$")
    service: str = "lgsp-gateway"
    ratio: float = Field(default=1.0, ge=0.0, le=1.0)


class Settings(BaseSettings):
    """The whole configuration."""

    model_config = SettingsConfigDict(
        env_prefix="LGSP_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    server: Server = Field(default_factory=Server)
    storage: Storage = Field(default_factory=Storage)
    redis: Redis = Field(default_factory=Redis)
    keys: Keys = Field(default_factory=Keys)
    tokens: Tokens = Field(default_factory=Tokens)
    audit: Audit = Field(default_factory=Audit)
    log: Log = Field(default_factory=Log)
    telemetry: Telemetry = Field(default_factory=Telemetry)
    trust: dict[str, Domain] = Field(default_factory=dict)
    revocation: Revocation = Field(default_factory=Revocation)
    callers: Callers = Field(default_factory=Callers)
    signing: Signing = Field(default_factory=Signing)
    xroad: XroadProvider = Field(default_factory=XroadProvider)
    endpoints: dict[str, Endpoint] = Field(default_factory=dict)
    sync: Sync = Field(default_factory=Sync)
    vocabularies: dict[str, Vocabulary] = Field(default_factory=dict)
    inbox: Inbox = Field(default_factory=Inbox)
    webhooks: dict[str, Webhook] = Field(default_factory=dict)
    witness: dict[WitnessName, Witness] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _destinations_are_there(self) -> Self:
        for name, source in self.sync.sources.items():
            if source.destination is not None and source.destination not in self.endpoints:
                raise ValueError(f"sync.sources.{name}.destination: there is no [endpoints.{source.destination}]")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        return env_settings, init_settings


def load(path: Path | None = None) -> Settings:
    """Read the TOML at `path` (none: defaults and environment); raises ConfigurationError naming each wrong key."""
    table: dict[str, Any] = {}
    if path is not None:
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"{path} is not TOML: {error}") from None
    # The environment source reads what it knows and would pass over a misspelt section in silence.
    for name in os.environ:
        section, parts, _ = name.removeprefix("LGSP_").partition("__")
        if name.startswith("LGSP_") and parts and section.lower() not in Settings.model_fields:
            raise ConfigurationError(f"{name}: there is no such setting")
    token = BASE.set(path.resolve().parent if path is not None else Path.cwd())
    try:
        return Settings(**table)
    except ValidationError as error:
        raise ConfigurationError(_listed(error)) from None
    finally:
        BASE.reset(token)


def _listed(error: ValidationError) -> str:
    """Name each wrong key, without the value: it may be a secret."""
    lines = []
    for flaw in error.errors(include_input=False, include_url=False):
        key = ".".join(str(part) for part in flaw["loc"])
        unknown = flaw["type"] == "extra_forbidden"
        lines.append(f"{key}: there is no such setting" if unknown else f"{key}: {flaw['msg']}")
    return "\n".join(lines)
