"""`[xroad]`: the security servers behind which our services stand (máy chủ an ninh X-Road, phía cung cấp)."""

from __future__ import annotations

from config.sections import FilePath, Section


class XroadProvider(Section):
    """The certificates with which security servers connect to us (mTLS), in PEM; a file may hold several.

    On their connections alone the X-Road client that is named identifies the caller.
    """

    servers: tuple[FilePath, ...] = ()
