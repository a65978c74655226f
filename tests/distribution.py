"""Which process runs which tests: a suite stays together, since its tests share a demo, and the longest begin first."""

from typing import Final

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Longer than ten seconds each; of one that is missing here a process may be left idle at the end, no more.
LONGEST: Final = (
    "test_gateway",
    "test_delivery",
    "test_commands",
    "test_soap_clients",
    "test_attacks",
    "test_dossier_failures",
    "test_soap_face",
    "test_openapi",
    "test_audit",
    "test_signatures",
    "test_bench",
    "test_tampering",
    "test_power",
    "test_server",
    "test_inbox",
    "test_snippets",
    "test_xroad",
    "test_verify_audit",
    "test_witnesses",
    "test_revocation",
    "test_pki",
    "test_intake",
    "test_fuzz",
    "test_dossier_machine",
    "test_reconciliation",
    "test_pkcs11",
)


def suite(nodeid: str) -> str:
    """Return the folder of a test, `test_audit` of `tests/test_audit/test_log.py::test_one`."""
    return nodeid.split("/")[1]


def longest_first(items: list[pytest.Item]) -> None:
    """Put the tests in the order in which their suites are handed out; within a suite nothing changes."""
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(suite(item.nodeid), len(rank)))


class BySuite(LoadScopeScheduling):
    """Hands out whole suites in the order of the tests."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        # Not by their number of tests.
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return suite(nodeid)
