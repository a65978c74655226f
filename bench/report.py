"""What is printed and kept of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the medians of every server as a table."""
    lines = [f"{'':18}{'req/CPU-s':>10}{'CPU ms':>9}{'req/s':>8}{'p50 ms':>9}{'p99 ms':>9}{'answered':>10}{'MB':>8}"]
    lines += [
        f"{name:18}{row['requests_per_cpu_second']:>10}{row['cpu_ms_per_request']:>9.3f}{row['requests_per_second']:>8}"
        f"{row['closed_p50_ms']:>9}{row['closed_p99_ms']:>9}{row['answered']:>10}{row['resident_mb']:>8}"
        for name, row in rows.items()
    ]
    return "\n".join(lines)
