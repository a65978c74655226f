"""The `gateway.toml` that the demo writes: complete, commented, and what `lgsp serve --config` takes as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping

from adapters import DATABASES
from adapters.dispatch import endpoint_of
from sandbox.pki import Pki
from sandbox.portal.site import NAME as PORTAL
from sandbox.run import Running

_HEAD = """\
# Configuration of a demo gateway. Everything here is made by `lgsp demo` and marked LGSP SANDBOX: outside loopback
# `lgsp serve` refuses it. What you change here stays when the demo is started again. Relative paths are relative to
# this file; a secret may be env:NAME or file:PATH; every setting can be overridden by the environment, for example
# LGSP_SERVER__LISTEN. Unknown settings are errors.

[server]
listen = {listen}                  # HTTP, for callers behind a TLS proxy or on this machine
public_url = {public_url}          # in problem types, metadata, WSDL addresses and tokens
workers = {workers}                # processes; one for each core
trusted_proxies = []               # only from these count X-Forwarded-* and Client-Cert (RFC 9440)
max_body = 1048576                 # bytes of a request body
# admin_listen = "127.0.0.1:8081"  # own port for /livez, /readyz and /metrics

[server.tls]                       # direct TLS; client certificates (mTLS) from this CA identify callers
listen = {tls_listen}
certificate = {tls_certificate}
key = {tls_key}
client_ca = {clients_ca}

[storage]
url = "sqlite:///lgsp.sqlite"      # or postgresql+asyncpg://user@host/name for several machines
reserve = 268435456                # bytes of free space below which readiness warns

[redis]
url = ""                           # set when several nodes must share limits; may be lost without losing data

[keys]
directory = "keys"                 # the gateway's own keys, readable by its user only
vault = "vault"                    # wrapped keys of the audit trail's sealed side table; never in a backup
origin = "localhost/lgsp-demo"     # name of the audit log in checkpoints and receipts

[tokens]
lifetime = 600                     # seconds

[audit]
anonymous_entries_per_minute = 60  # bound of what requests without a known caller may add to the log

[log]
level = "info"

[signing]                          # signs SOAP answers to callers who sign; they trust its authority or pin it
key = {answers_key}
certificate = {answers_certificate}

[xroad]                            # services behind X-Road: on connections of these servers alone (mTLS) the X-Road
servers = [{security_server}]      # client that is named says who asks

[telemetry]
endpoint = ""                      # OTLP/HTTP address for traces, for example http://127.0.0.1:4318/v1/traces

[trust.registries]                 # a trust domain: whose certificates count, and who is asked about them
anchors = [{registries_ca}]
from_certificates = true           # certificates name a responder (OCSP) and a list (CRL): here {pki_url}
when_silent = "refuse"             # where neither answers, nobody is believed
"""

_ENDPOINT = """
[endpoints.{name}]
url = {url}
username = {username}
secret = {secret}
timeout = {{ connect = 2.0, read = 8.0, total = 8.0 }}   # seconds, for one attempt
retry = {{ attempts = 3, initial = 0.1, maximum = 1.0 }}
breaker = {{ failures = 5, window = 30.0, open_for = 5.0 }}
concurrency = 64
"""

_PORTAL = """
[endpoints.portal]                 # the national portal, where dossiers and statuses go; callers have no way there
url = {url}
username = {username}
secret = {secret}
params = {{ madonvi = "H26" }}       # the unit in whose name is sent; {{ generation = "2" }} for the other interface
timeout = {{ connect = 2.0, read = 8.0, total = 8.0 }}
breaker = {{ failures = 5, window = 30.0, open_for = 5.0 }}
# Another generation or account beside it is another destination, and each source may have its own:
#   [endpoints.portal-2]
#   params = {{ generation = "2" }}
#   [sync.sources.one-stop]
#   destination = "portal-2"
"""

_INBOX = """
[inbox]                            # dossiers that people file at the portal: fetched, shown at /v1/inbox/dossiers
enabled = true
every = 30.0                       # seconds between two questions that found nothing new

# Who is told when something happens (Standard Webhooks), by client id:
#   [webhooks.province]
#   url = "https://mot-cua.example/lgsp"           # http to this machine only
#   secrets = ["file:webhooks.province.secret"]    # whsec_ and base64; two while they are rotated
#   events = ["dossier.filed", "dossier.dead"]     # left out: everything
"""

_WITNESS = """
[witness.demo]                     # holds checkpoints of the log, so that nobody here can rewrite it unseen
kind = "http"                      # C2SP tlog-witness: the demo runs one; without the demo this starts it again:
url = {url}     # lgsp witness --state witness --config gateway.toml --listen {listen}
key = {key}
every = 2.0                        # seconds between two checkpoints while the log grows
# Another kind: files in a directory that takes new ones and gives none back
#   [witness.paper]
#   kind = "directory"
#   path = "/mnt/append-only/checkpoints"
"""

_CARRIED = """
# A source that is not reached directly: the same section with two lines more, and a table beside it.
#
# Through a sharing platform (LGSP, NGSP), whose token username and secret then get:
#   via = "lgsp"
#   url = "https://lgsp.example:8243"
#   [endpoints.enterprise.lgsp]
#   context = "/csdldc/1.0"            # stands before every path
#
# Through our X-Road security server (VDXP), which knows us by tls_certificate:
#   via = "xroad"
#   url = "https://ss.example"
#   [endpoints.enterprise.xroad]
#   client = "XROADVN/GOV/H26/lgsp"    # our subsystem
#   provider = "XROADVN/GOV/G12/dkdn"  # the source's
#   service = "dkdn"                   # its code; SOAP sources are called by the names of their requests
"""

_BY_FILES = """\
trust = [{trust}]                  # authorities of the source's signing certificate
crl = [{crl}]                      # and its revocation list, as a file
"""

_BY_DOMAIN = """\
domain = "registries"              # whose certificates count: the trust domain above
"""

_SIGNED = """\
signer = {signer}                  # whose subject signs its answers
key = {key}                        # signs our questions
certificate = {certificate}
"""
# Both ways to learn of revocations are shown: this source's certificate is asked about, the others' lists are files.
_ASKED_ABOUT = frozenset({"land"})


def _toml(value: object) -> str:
    # A JSON string is a TOML basic string.
    return json.dumps(str(value), ensure_ascii=False)


def configuration(running: Running, addresses: Mapping[str, str], workers: int) -> str:
    """Return the text; `addresses` has `listen` and `tls_listen` (host:port), `tls_host` and `public_url`.

    Where a witness runs, also its address `witness` (host:port) and its key `witness_key`.
    """
    pki = running.pki
    tls = pki.gateway_tls(addresses["tls_host"])
    answers = pki.gateway_answers()
    parts = [
        _HEAD.format(
            listen=_toml(addresses["listen"]),
            public_url=_toml(addresses["public_url"]),
            workers=workers,
            tls_listen=_toml(addresses["tls_listen"]),
            tls_certificate=_toml(tls.certificate),
            tls_key=_toml(tls.key),
            clients_ca=_toml(pki.clients_ca),
            answers_key=_toml(answers.key),
            answers_certificate=_toml(answers.certificate),
            security_server=_toml(pki.security_server().certificate),
            registries_ca=_toml(pki.registries_ca),
            pki_url=running.pki_url,
        )
    ]
    owners = {
        endpoint_of(database, operation): (database.name, operation.signed)
        for database in DATABASES
        for operation in database.operations
    }
    for endpoint, url in running.urls.items():
        account = running.accounts[endpoint]
        name, signs = owners[endpoint]
        parts.append(
            _ENDPOINT.format(
                name=endpoint, url=_toml(url), username=_toml(account.username), secret=_toml(account.secret)
            )
        )
        if running.params[name]:
            inside = ", ".join(f"{param} = {_toml(value)}" for param, value in running.params[name].items())
            parts.append(f"params = {{ {inside} }}\n")
        if signs:
            parts.append(_signed(pki, name))
    if running.portal is not None:
        account = running.accounts[PORTAL]
        parts.append(
            _PORTAL.format(url=_toml(running.portal), username=_toml(account.username), secret=_toml(account.secret))
        )
        parts.append(_INBOX)
    if witness := addresses.get("witness"):
        url, key = _toml(f"http://{witness}"), _toml(addresses["witness_key"])
        parts.append(_WITNESS.format(url=url, listen=witness, key=key))
    parts.append(_CARRIED)
    return "".join(parts)


def _signed(pki: Pki, name: str) -> str:
    ours = pki.gateway_signing()
    by_files = _BY_FILES.format(trust=_toml(pki.registries_ca), crl=_toml(pki.revocations(())))
    return (_BY_DOMAIN if name in _ASKED_ABOUT else by_files) + _SIGNED.format(
        signer=_toml(pki.registry(name).certificate),
        key=_toml(ours.key),
        certificate=_toml(ours.certificate),
    )
