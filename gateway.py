"""The entry point of the gateway: `lgsp`, and `python gateway.py`, which is the same.

The commands are in `commands`; what the gateway is built of, and the order in which an exchange passes its stages, in
`routes.assembly`.
"""

import sys

from commands import app
from commands.common import output


def main() -> None:
    """Run the `lgsp` command line."""
    with output():
        app(sys.argv[1:])


if __name__ == "__main__":
    main()
