"""Running the app: one process, one port, gone cleanly when told to."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from pipeline.errors import JoineryError

_GRACE_S = 3


def bound(host: str, port: int) -> socket.socket:
    """A socket of this address (port 0: any free one). Raises JoineryError when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
    except OSError as error:
        opened.close()
        raise JoineryError(
            f"{host}:{port}: {error.strerror}; give another --port (an open page keeps what it has not sent yet under "
            "the old one)"
        ) from error
    return opened


def serve(app: FastAPI, where: socket.socket, started: Callable[[], None] = lambda: None) -> None:
    """Answer until interrupted or terminated. ``started`` is called when the first request would be answered."""
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=_GRACE_S
    )
    server = _Server(config, started)
    server.run(sockets=[where])


class _Server(uvicorn.Server):
    """Says when it is up."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._told = started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End at Ctrl-C or termination, and let the caller close what it has open.

        uvicorn would send itself the signal again afterwards, and nobody would.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._told()
