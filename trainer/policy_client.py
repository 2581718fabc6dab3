"""A client of `joinery policy serve`: this one file, with numpy, msgpack and websockets, is all a robot's side needs.

It imports nothing of ours, so it may be copied beside a controller whose environment has no torch. Messages are msgpack
maps in which an array is a map of its bytes, dtype and shape, as the msgpack-numpy convention of openpi's clients has
it: such a client can talk to this server, and this one to such a server. An answer in text is an error.

    with PolicyClient("ws://host:8765") as policy:
        chunk = policy.infer({"images": {"front": picture}, "state": state, "prompt": "lift the cup"})
"""

import json
from collections.abc import Mapping
from typing import Any

import msgpack
import numpy as np
from websockets.sync.client import connect

MAX_BYTES = 256 * 1024 * 1024
"""Of one message."""
_KINDS = "biuf"
"""Kinds of dtype that may travel: booleans, whole numbers, floats; nothing that could mean an object."""


class PolicyError(Exception):
    """The server could not answer; the connection goes on."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


def packed(value: Any) -> bytes:
    """msgpack of plain values and arrays. Raises TypeError for anything else."""
    data: bytes = msgpack.packb(value, default=_plain)
    return data


def unpacked(data: bytes) -> Any:
    """The inverse of `packed`; arrays are read-only. Raises ValueError for anything else."""
    try:
        return msgpack.unpackb(data, object_hook=_array, strict_map_key=False)
    except (msgpack.exceptions.UnpackException, ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"a message that cannot be read: {error}; expected msgpack") from error


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind not in _KINDS:
            raise TypeError(f"arrays of {value.dtype} cannot be sent, expected numbers or booleans")
        array = np.ascontiguousarray(value)
        shape = list(np.shape(value))
        return {b"__ndarray__": True, b"data": array.tobytes(), b"dtype": array.dtype.str, b"shape": shape}
    raise TypeError(f"{type(value).__name__} cannot be sent, expected plain values and arrays")


def _array(found: dict[Any, Any]) -> Any:
    if b"__ndarray__" not in found and b"__npgeneric__" not in found:
        return found
    try:
        dtype, data, shape = np.dtype(found[b"dtype"]), found[b"data"], tuple(found.get(b"shape", ()))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"an array without data, dtype or shape: {error!r}") from error
    if dtype.kind not in _KINDS:
        raise ValueError(f"an array of {dtype}, expected numbers or booleans")
    if b"__npgeneric__" in found and not isinstance(data, bytes):
        return data
    whole = isinstance(data, bytes) and all(isinstance(n, int) and n >= 0 for n in shape)
    if not whole or len(data) != dtype.itemsize * int(np.prod(shape, dtype=object)):
        raise ValueError(f"an array of {dtype} {list(shape)} that does not have as many bytes")
    return np.frombuffer(data, dtype).reshape(shape)


class PolicyClient:
    """One connection. Not for several threads at once: open one each."""

    def __init__(self, url: str, *, timeout_s: float = 60.0, token: str = "") -> None:
        """Connect and read what the server says of itself into ``metadata``. Raises OSError when nobody is there.

        ``token`` is what a server asks for that was given one; `websockets.InvalidStatus` without the right one.
        """
        self._timeout_s = timeout_s
        headers = {"Authorization": f"Bearer {token}"} if token else None
        self._connection = connect(
            url, max_size=MAX_BYTES, compression=None, open_timeout=timeout_s, additional_headers=headers
        )
        self.metadata: Mapping[str, Any] = self._answer()

    def __enter__(self) -> "PolicyClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Say goodbye."""
        self._connection.close()

    def infer(self, observation: Mapping[str, Any]) -> dict[str, Any]:
        """The actions for an observation. Raises PolicyError where the server says why not."""
        self._connection.send(packed(dict(observation)))
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        """Raises TimeoutError when the server is silent, `websockets.ConnectionClosed` when it is gone."""
        message = self._connection.recv(timeout=self._timeout_s)
        if isinstance(message, str):
            raise _error_of(message)
        answer: dict[str, Any] = unpacked(message)
        return answer


def _error_of(message: str) -> PolicyError:
    try:
        error = json.loads(message)["error"]
        return PolicyError(str(error["code"]), str(error["message"]))
    except (ValueError, KeyError, TypeError):
        return PolicyError("error", message)
