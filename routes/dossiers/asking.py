"""What the routes of dossiers have in common: who may push, what a path and a query say."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from routes.bodies import once
from routes.context import CALLER
from routes.flaw_texts import VIETNAMESE
from routes.recorded import wants_full_receipt
from schemas.codes.agencies import check_dossier_code
from schemas.errors import Flaw, Invalid, Refused, Text
from schemas.exchange import Caller

RIGHT = "dossiers"
LIMIT, MOST = 50, 500

_NO_RIGHT = Text("Bên gọi không có quyền gửi hồ sơ", "The caller may not push dossiers")
_LIMIT_SHAPE = Text(f"phải là số nguyên từ 1 đến {MOST}", f"must be an integer from 1 to {MOST}")
_ONLY_ONCE = Text("chỉ nhận các tham số đã công bố, mỗi tham số một lần", "takes the published parameters, each once")


def pusher(request: web.Request) -> Caller:
    """Return the caller; raises Refused where it may not push dossiers."""
    caller = request[CALLER]
    if RIGHT not in caller.rights:
        raise Refused(_NO_RIGHT, reason="no-right")
    return caller


def dossier_code(request: web.Request) -> str:
    """Return the code that the path names; raises Invalid."""
    try:
        return check_dossier_code(request.match_info["code"])
    except ValueError as error:
        wrong = Text(VIETNAMESE.get(str(error), "giá trị không hợp lệ"), str(error))
        raise Invalid(flaws=[Flaw("", wrong, parameter="code")]) from None


def wants_full(request: web.Request) -> bool:
    """Tell whether the caller asked for the receipt with its proof; raises Malformed for a header that is not ASCII."""
    return wants_full_receipt(once(request.headers, "Lgsp-Receipt"))


def asked(request: web.Request, names: Iterable[str]) -> dict[str, str]:
    """Return the parameters of a query; raises Invalid for unknown ones and those that come twice."""
    query, known = request.query, frozenset(names)
    for name in query:
        if name not in known or len(query.getall(name)) > 1:
            # The name of an unknown parameter may hold anything: it is not repeated.
            raise Invalid(flaws=[Flaw("", _ONLY_ONCE, parameter=name if name in known else None)])
    return dict(query)


def limit_of(query: dict[str, str]) -> int:
    """Return how many items a page may have; raises Invalid."""
    said = query.get("limit", str(LIMIT))
    if not (said.isascii() and said.isdigit() and len(said) <= 3 and 1 <= int(said) <= MOST):
        raise Invalid(flaws=[Flaw("", _LIMIT_SHAPE, parameter="limit")])
    return int(said)
