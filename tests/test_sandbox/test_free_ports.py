"""Ports of a demo are not those that the kernel gives to outgoing connections."""

import socket
from pathlib import Path

from sandbox.ports import free_port, is_free
from tools.chaos_processes import Portal


def test_a_free_port_is_not_given_to_outgoing_connections() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    for host in ("127.0.0.1", "::1"):
        port = free_port(host)
        assert 10_240 <= port < first
        assert is_free(host, port)


def test_a_port_on_which_somebody_listens_is_not_free() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        assert not is_free("127.0.0.1", taken.getsockname()[1])


def test_processes_of_a_chaos_run_listen_on_such_ports(tmp_path: Path) -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    assert int(Portal(tmp_path).url.rpartition(":")[2]) < first
