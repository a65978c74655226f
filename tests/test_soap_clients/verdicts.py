"""What must hold of what any client hands to its user, whatever the client."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.test_soap_clients.calls import LESS
from tests.test_soap_clients.material import Asked, Tree, camel, camelled, pascal, seen

Blur = Callable[[Any], Any]
"""Takes away what a client cannot tell apart, from what it told and from what is expected of it."""


def sharp(value: Any) -> Any:
    """Nothing is taken away."""
    return value


def answered_as_rest(answer: Tree, rest: Mapping[str, Any], asked: Asked, blur: Blur = sharp) -> None:
    """The data are the truth and what REST says, byte for byte; what is said beside them is what REST says."""
    data = camelled(rest["data"])
    if asked.answer is not None:
        assert data == camelled(asked.answer)
    assert blur(seen(answer["data"], data)) == blur(data)
    exchange = camelled(rest["exchange"])
    exchange["fields"] = [_path(path, ".") for path in exchange["fields"]]
    for warning in exchange["warnings"]:
        warning["pointer"] = f"/{pascal(exchange['operation'])}Response{_path(warning['pointer'], '/')}"
    told = seen(answer["exchange"], exchange)
    assert told.pop("id") != exchange.pop("id")
    for instant in (told.pop("answeredAt"), exchange.pop("answeredAt")):
        assert instant.endswith("Z")
    if exchange["signature"] is not None:
        assert told["signature"].pop("signedAt")[10:11] == exchange["signature"].pop("signedAt")[10:11] == "T"
    assert blur(told) == blur(exchange)
    _received(answer, rest)


def _path(path: str, between: str) -> str:
    return between.join(camel(part) for part in path.split(between))


def _received(answer: Tree, rest: Mapping[str, Any]) -> None:
    """A receipt of the same log; the checkpoint is whole to its last line feed, or its signature would not hold."""
    receipt, theirs = answer["receipt"], rest["receipt"]
    assert receipt["log"] == theirs["log"]
    assert isinstance(receipt["index"], int)
    assert receipt["index"] != theirs["index"]
    assert receipt["checkpoint"].startswith(f"{theirs['log']}\n")
    assert receipt["checkpoint"].endswith("\n")
    assert (len(receipt["leaf"]), len(receipt["salt"])) == (44, 44)


def answered_less(answer: Tree, rest: Mapping[str, Any], blur: Blur = sharp) -> None:
    """Of the person of `population/person`, the fields that were asked for and no others."""
    data = camelled(rest["data"])
    assert "personalId" in data
    father = {"fullName": data["father"]["fullName"]}
    wanted = {"fullName": data["fullName"], "religion": data["religion"], "father": father}
    assert blur(answer["data"]) == blur(wanted)
    assert seen(answer["exchange"], {"fields": list(LESS)})["fields"] == list(LESS)


def refused(problem: Tree, code: str) -> None:
    """A problem as it stands in the detail of a fault, with the code and what helps to find the mistake."""
    status = {"no-record": 404, "unauthenticated": 401, "invalid": 422, "purpose-required": 400}[code]
    assert (problem["code"], str(problem["status"])) == (code, str(status))
    assert problem["type"].endswith(f"/problems/{code}")
    assert len(problem["requestId"]) == 36
    assert str(problem["retryable"]).lower() == "false"
    assert ("receipt" in problem and problem["receipt"] is not None) == (code != "unauthenticated")
    if code == "invalid":
        items = problem["errors"]
        items = items["item"] if isinstance(items, dict) else items
        first = items[0] if isinstance(items, list) else items
        assert first["pointer"] == "/Person/personalId"
