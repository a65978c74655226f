"""What is counted past the library's checks stands on the page as if the library had counted it."""

import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest
from prometheus_client import REGISTRY

from config.metrics import Level, Spread, Tally, labelled, metrics

ROOT = Path(__file__).parents[2]

# Two workers in one folder; the second one's file has to grow while values in it are in use.
SHARED = """
import sys
from pathlib import Path
from config import metrics as m
m.share(Path(sys.argv[1]))
m.become(sys.argv[2])
counted = m.metrics()
for database in ("a", "b"):
    first = m.labelled(counted.exchanges, database, "first", "answered")
    first.inc()
level = m.labelled(counted.http_in_flight)
level.inc()
level.inc()
level.dec()
seconds = m.labelled(counted.exchange_seconds, "a", "first")
for amount in (0.0005, 0.001, 0.3, 99.0):
    seconds.observe(amount)
if sys.argv[2] == "1":
    for number in range(12_000):
        m.labelled(counted.exchanges, "c", f"operation-{number}", "answered").inc()
    first.inc()
counted.log_size.set(7)
sys.stdout.buffer.write(m.render())
"""


def value(name: str, /, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_children_are_made_once_and_by_kind() -> None:
    counted = metrics()
    requests = labelled(counted.http_requests, "/kinds", "GET", "200")
    assert labelled(counted.http_requests, "/kinds", "GET", "200") is requests
    assert isinstance(requests, Tally)
    assert isinstance(labelled(counted.http_in_flight), Level)
    assert isinstance(labelled(counted.http_seconds, "/kinds"), Spread)


def test_counting_shows_at_once() -> None:
    counted = metrics()
    before = value("lgsp_http_in_flight")
    labelled(counted.http_requests, "/at-once", "GET", "200").inc()
    labelled(counted.http_in_flight).inc()
    assert value("lgsp_http_requests_total", route="/at-once", method="GET", status="200") == 1
    assert value("lgsp_http_in_flight") == before + 1
    labelled(counted.http_in_flight).dec()
    assert value("lgsp_http_in_flight") == before


def test_a_level_that_is_set_goes_on_from_there() -> None:
    counted = metrics()
    level = counted.expiry.labels("key", "set")
    level.set(-2.5)
    assert value("lgsp_expiry_seconds", kind="key", name="set") == -2.5
    labelled(counted.expiry, "key", "set").inc()
    assert value("lgsp_expiry_seconds", kind="key", name="set") == -1.5


def test_threads_lose_no_count() -> None:
    counted = metrics()
    tally, seconds = labelled(counted.http_requests, "/threads", "GET", "200"), labelled(counted.http_seconds, "/thr")

    def count() -> None:
        for _ in range(5_000):
            tally.inc()
            seconds.observe(0.5)

    threads = [Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value("lgsp_http_requests_total", route="/threads", method="GET", status="200") == 20_000
    assert value("lgsp_http_request_seconds_count", route="/thr") == 20_000
    assert value("lgsp_http_request_seconds_sum", route="/thr") == 10_000


@pytest.mark.parametrize("amount", [-1.0, 0.0, 0.0009, 0.001, 0.00101, 0.25, 19.9, 20.0, 20.1, 1e9])
def test_an_observation_falls_where_the_library_puts_it(amount: float) -> None:
    ours, theirs = f"/ours-{amount}", f"/theirs-{amount}"
    counted = metrics()
    labelled(counted.http_seconds, ours).observe(amount)
    counted.http_seconds.labels(theirs).observe(amount)
    samples = [sample for metric in counted.http_seconds.collect() for sample in metric.samples]

    def of(route: str) -> list[tuple[str, str | None, float]]:
        return [(s.name, s.labels.get("le"), s.value) for s in samples if s.labels["route"] == route]

    assert of(ours) == of(theirs) != []


def test_values_of_several_processes_add_up_and_outlive_a_growing_file(tmp_path: Path) -> None:
    def page(worker: str) -> list[str]:
        run = [sys.executable, "-c", SHARED, str(tmp_path), worker]
        return subprocess.run(run, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()

    page("0")
    shown = page("1")
    assert (tmp_path / "counter_1.db").stat().st_size > 2**20
    for line in (
        'lgsp_exchanges_total{database="a",operation="first",outcome="answered"} 2.0',
        'lgsp_exchanges_total{database="b",operation="first",outcome="answered"} 3.0',
        'lgsp_exchanges_total{database="c",operation="operation-11999",outcome="answered"} 1.0',
        'lgsp_exchange_seconds_bucket{database="a",le="0.001",operation="first"} 4.0',
        'lgsp_exchange_seconds_bucket{database="a",le="20.0",operation="first"} 6.0',
        'lgsp_exchange_seconds_count{database="a",operation="first"} 8.0',
        "lgsp_http_in_flight 2.0",
        "lgsp_audit_log_entries 7.0",
    ):
        assert line in shown
    # A worker that is started again goes on in its predecessor's file.
    assert 'lgsp_exchanges_total{database="a",operation="first",outcome="answered"} 3.0' in page("0")
