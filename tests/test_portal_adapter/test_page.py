"""What the reference page says about the portal agrees with the code."""

from typing import get_args

from adapters.portal import PORTAL
from adapters.portal_binding import Portal, batch_limit
from adapters.portal_login import DEFAULTS, KNOWN
from adapters.portal_rules import FIRST, SECOND, UNKNOWN, Outcome
from tests.test_docs.pages import rows, section, text_of
from tests.test_portal_adapter.wiring import at

PAGE = section(text_of("docs/databases.md"), "## 7. `portal`, where statuses go")


def table(header: str) -> list[list[str]]:
    """The rows of the table with this header, cells without back-ticks."""
    text = header + PAGE.split(header)[1].partition("\n\n")[0]
    return [[cell.strip("`") for cell in row] for row in rows(text)]


def test_every_operation_and_how_it_is_asked() -> None:
    told = {row[0]: (row[2], row[3].partition(",")[0].strip("`")) for row in table("| operation | what |")}
    real = {}
    for operation in PORTAL.operations:
        assert isinstance(operation.binding, Portal)
        second = operation.binding.second
        real[operation.name] = (operation.binding.first.service, second.path if second else "")
    assert told == real
    changing = [operation.name for operation in PORTAL.operations if not operation.repeatable]
    assert changing == ["register", "progress"]


def test_every_param_with_its_default() -> None:
    told = {row[0]: (row[1], row[2]) for row in table("| param | generation | default |")}
    assert told.keys() == KNOWN["1"] | KNOWN["2"]
    for param, (generations, default) in told.items():
        spoken = [each for each in ("1", "2") if param in KNOWN[each]]
        assert generations == ("both" if len(spoken) == 2 else spoken[0])
        if default not in ("required", "none") and param not in ("generation", "batch"):
            assert default == DEFAULTS[spoken[0]][param]  # type: ignore[index]
    progress = PORTAL.operation("progress")
    assert progress is not None
    assert told["batch"][1] == str(batch_limit(at("http://127.0.0.1:9", "1"), progress))


def test_every_reason_of_the_rules() -> None:
    told = {(row[0], row[1]) for row in table("| outcome | reason |")}
    real = {tuple(verdict) for rules in (FIRST, SECOND) for *_, verdict in rules._rows}
    assert told == real
    assert ("refused", UNKNOWN) in told
    assert {outcome for outcome, _ in told} | {"unclear"} == set(get_args(Outcome))
