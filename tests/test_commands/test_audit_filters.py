"""`lgsp audit search` refuses filters that no entry can match, as REST does: an empty answer would look like a fact."""

from __future__ import annotations

import pytest

from tests.test_commands.conftest import Deployment, quick


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        pytest.param("--kind", "zzz", "must be one of: exchange", id="kind"),
        pytest.param("--dossier", "x", "a dossier code is", id="dossier"),
        pytest.param("--request-id", "a b", "no request id", id="request-id"),
        pytest.param("--database", "no such", "1 to 64", id="a-word"),
        pytest.param("--to", "9999-12-31", "years 1900 to 2199", id="late"),
        pytest.param("--from", "0001-01-01", "years 1900 to 2199", id="early"),
    ],
)
def test_filters_that_mean_nothing_are_wrong_use(deployed: Deployment, option: str, value: str, said: str) -> None:
    before = deployed.entries()
    result = quick("audit", "search", option, value, *deployed.config)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{option}: " in result.stderr
    assert said in result.stderr
    assert deployed.entries() == before
