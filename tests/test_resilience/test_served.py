"""What of the declared databases a deployment serves."""

import pytest

from adapters import DATABASES
from adapters.dispatch import compile_codecs, served
from config.settings import ConfigurationError, Endpoint

ANYWHERE = Endpoint(url="http://127.0.0.1:9")


def test_an_office_serves_the_sources_that_it_reaches() -> None:
    found = served(DATABASES, {"tax": ANYWHERE, "social-insurance": ANYWHERE})
    names = {database.name: [operation.name for operation in database.operations] for database in found}
    assert names == {
        "social-insurance": ["participant", "find-number", "household"],
        "tax": ["taxpayer", "obligations"],
    }


def test_a_misspelt_endpoint_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"\[endpoints\.taxx\]: no operation uses it; known are .*tax"):
        served(DATABASES, {"taxx": ANYWHERE})


def test_a_param_that_a_source_asks_for_is_missed_at_start() -> None:
    reachable = {"civil-status": ANYWHERE}
    with pytest.raises(ConfigurationError, match=r"\[endpoints\.civil-status\] needs params\.maDonVi"):
        compile_codecs(served(DATABASES, reachable), reachable)
