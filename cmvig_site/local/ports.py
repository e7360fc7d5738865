"""The port the site is served on. Standard library only: a taken port is said before anything is installed."""

from __future__ import annotations

import os
import socket

from cmvig_site.local.problems import Problem

HOST = "127.0.0.1"


def port() -> int:
    """PORT from the environment, 8000 without. Raises Problem for anything that is no port."""
    named = os.environ.get("PORT") or "8000"
    if not (named.isascii() and named.isdigit() and 1 <= int(named) <= 65535):
        raise Problem(f"PORT={named} is not a port (1 to 65535).")
    return int(named)


def refuse_taken_port() -> None:
    """Raise Problem, naming the port, if something already listens on it."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port()))
        except PermissionError:
            raise Problem(f"Port {port()} is reserved for the system. Choose another: PORT=8000 ./dev run") from None
        except OSError:
            raise Problem(f"Port {port()} is taken by another program. Choose another: PORT={port() + 1} ./dev run") from None
