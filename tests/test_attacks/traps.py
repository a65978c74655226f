"""What a verifier must never touch, though messages tell it to: an address and a file that notice it."""

import ctypes
import os
import socket
import tempfile
from pathlib import Path

_IN_ACCESS_OPEN = 0x21
_LISTENING = socket.create_server(("127.0.0.1", 0))
_LISTENING.setblocking(False)
_PATH = Path(tempfile.mkdtemp(prefix="lgsp-trap-")) / "file"
_PATH.write_text("TRAPPED")
_LIBC = ctypes.CDLL(None, use_errno=True)
_WATCH = _LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
assert _LIBC.inotify_add_watch(_WATCH, bytes(_PATH), _IN_ACCESS_OPEN) >= 0

LISTENER = b"http://127.0.0.1:%d/" % _LISTENING.getsockname()[1]
FILE = f"file://{_PATH}".encode()


def touched() -> list[str]:
    """Which of the two was asked for since the last look."""
    found = []
    try:
        _LISTENING.accept()[0].close()
        found.append("the address")
    except BlockingIOError:
        pass
    try:
        os.read(_WATCH, 65_536)
        found.append("the file")
    except BlockingIOError:
        pass
    return found
