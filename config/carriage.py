"""Who carries our questions to a source that is not reached directly: a sharing platform, or an X-Road security server.

`[endpoints.NAME.lgsp]` and `[endpoints.NAME.xroad]`; what they mean on the wire is in `adapters/carriage.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from config.sections import Secret, Section

# Message protocol of X-Road (PR-MESS 4.0, section 2.7). Servers in the field hold other codes too; we emit none.
_CODE = re.compile(r"[A-Za-z0-9'()+,.=?-]{1,255}")


def _codes(*forms: str) -> Callable[[str], str]:
    """Make a validator of codes joined by `/`, as many as one of `forms` names; the empty text is none at all."""
    counts = {form.count("/") + 1 for form in forms}

    def check(value: str) -> str:
        codes = value.split("/")
        if len(codes) not in counts:
            raise ValueError(f"write {' or '.join(forms)}")
        for code in codes:
            # A dot alone would be taken for a step in a path.
            if _CODE.fullmatch(code) is None or code in (".", ".."):
                raise ValueError(f"an X-Road code has letters A-Z a-z, digits and '()+,-.=? only, and {code!r} is none")
        return value

    return check


Code = Annotated[str, AfterValidator(_codes("CODE"))]
Subsystem = Annotated[str, AfterValidator(_codes("INSTANCE/CLASS/MEMBER/SUBSYSTEM"))]
SecurityServer = Annotated[str, AfterValidator(_codes("INSTANCE/CLASS/MEMBER/SERVER"))]
Party = Annotated[str, AfterValidator(_codes("CLASS/MEMBER", "MEMBER"))]


def _shaped(form: str, wanted: str, longest: int = 2048) -> Callable[[str], str]:
    """Make a validator whose refusal says what to write and not which expression it breaks."""

    def check(value: str) -> str:
        if len(value) > longest or re.fullmatch(form, value) is None:
            raise ValueError(f"write {wanted}")
        return value

    return check


class Xroad(Section):
    """The way through our own security server (máy chủ an ninh), to which the endpoint's `url` leads.

    `client` and `provider` are subsystems, ours and the source's. `services` gives an operation's service code where
    it is not the name of its SOAP request, `service` the one code of a REST source; `version` is that of a SOAP
    service. `user_prefix` stands before the officer's account in userId (ISO 3166 country), `represented_party` is for
    whom we ask, `security_server` the provider's server that has to answer.
    """

    client: Subsystem
    provider: Subsystem
    service: Code | None = None
    services: dict[str, Code] = Field(default_factory=dict)
    version: Code | None = None
    user_prefix: Annotated[str, AfterValidator(_shaped(r"[A-Z]{2}", "a country as VN: two letters A-Z"))] = "VN"
    represented_party: Party | None = None
    security_server: SecurityServer | None = None


# Written by us or by the transport: a second one would let two readers see two messages.
_OURS = frozenset(
    {
        *("accept", "accept-encoding", "authorization", "connection", "content-length", "content-type", "expect"),
        *("host", "soapaction", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"),
    }
)


def _headers(value: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name, secret in value.items():
        if re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) is None or name.lower() in _OURS:
            raise ValueError(f"{name!r} is no header that can be set here")
        if re.fullmatch(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?", secret.get_secret_value()) is None:
            raise ValueError(f"the value of {name} is empty or has characters beyond printable ASCII")
    if len({name.lower() for name in value}) != len(value):
        raise ValueError("a header is there twice")
    return value


_ADDRESS = "a path as /token, or a whole address as https://host[:port]/token, without user, query and fragment"
_CONTEXT = "a path as /csdldc/1.0: a slash before each part, none at the end, letters A-Z a-z, digits and ._~- in them"


class Lgsp(Section):
    """The way through a sharing platform (nền tảng tích hợp, chia sẻ dữ liệu: LGSP, NGSP), to which `url` leads.

    `token` is where its OAuth2 tokens are had by client credentials, a path there or an address of its own; `context`
    stands before every path of the source (`/csdldc/1.0`); `headers` go along with every question.
    """

    token: Annotated[str, AfterValidator(_shaped(r"(https?://[^\s@/?#]+)?/[^\s@?#]*", _ADDRESS))] = Field(
        default="/token"
    )
    context: Annotated[str, AfterValidator(_shaped(r"(/[A-Za-z0-9._~-]*[A-Za-z0-9_~-])*", _CONTEXT, 255))] = ""
    headers: Annotated[dict[str, Secret], AfterValidator(_headers)] = Field(default_factory=dict)
