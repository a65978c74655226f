"""The suites that begin first are there: one that is renamed would begin last and leave a process idle."""

from tests.distribution import LONGEST, suite
from tests.test_rules.sources import ROOT


def test_suites_that_begin_first_exist_and_are_named_once() -> None:
    assert [name for name in LONGEST if not (ROOT / "tests" / name).is_dir()] == []
    assert len(set(LONGEST)) == len(LONGEST)


def test_a_suite_is_the_folder_of_its_tests() -> None:
    assert suite("tests/test_xroad/double/test_link.py::TestOne::test_a[b/c.py::d]") == "test_xroad"
