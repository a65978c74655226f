"""The bench of evidence writes, verifies and proves what it says, and judges by its targets."""

from bench import evidence


def test_entries_are_written_verified_and_proven() -> None:
    found = evidence.measured(200, 600)
    # The last commit is full, and one entry came before.
    assert found["durable"]["entries"] == 256
    assert (found["answered"]["entries"], found["values"]["opened"]) == (257, 257)
    assert (found["tenth"]["entries"], found["whole"]["entries"], found["proof"]["entries"]) == (60, 600, 600)
    assert "inclusion proof among 600 entries" in evidence.table(found)


def test_verdicts_are_those_of_the_targets() -> None:
    def judged(rate: int, milliseconds: float, memory: float) -> set[bool]:
        speed = {"per_cpu_second": rate, "resident_mb": memory}
        found = {"durable": speed, "whole": speed, "values": speed, "tenth": {"resident_mb": 100.0}}
        return {each["met"] for each in evidence.judged({**found, "proof": {"cpu_ms": milliseconds}}).values()}

    assert judged(100_000, 1.0, 120.0) == {True}
    assert judged(9_999, 1.01, 121.0) == {False}
