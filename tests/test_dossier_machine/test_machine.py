"""The state machine: a short run for every change, a long one on demand (`make machine`)."""

import os

import pytest
from hypothesis import HealthCheck, settings

import sync.database  # noqa: F401 - declares every table
from tests.test_dossier_machine.machine import Dossiers

_EXAMPLES = int(os.environ.get("LGSP_MACHINE_EXAMPLES", "25"))
_STEPS = int(os.environ.get("LGSP_MACHINE_STEPS", "40"))
# What fails is made small before it is shown; a long run ends when it is done.
pytestmark = pytest.mark.timeout(1200 if _EXAMPLES <= 100 else 0)

TestDossiers = Dossiers.TestCase
TestDossiers.settings = settings(
    max_examples=_EXAMPLES,
    stateful_step_count=_STEPS,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
