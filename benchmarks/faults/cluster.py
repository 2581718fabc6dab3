"""A Ray cluster on one machine: a head and other nodes, each with a raylet of its own, to be killed piece by piece.

Where this process may (root on Linux) every node but the head's lives in a network namespace with an address and a
cable of its own, so a raylet sees its neighbours through a network as on several machines, and the cable can be cut.
Elsewhere all nodes share the loopback. Everything started here is ended by its process id.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from jobs.vllm.server import free_port

OBJECT_STORE_BYTES = 80 << 20
"""Little more than the least that Ray takes."""
START_S = 300.0
STARTS = 3
"""Of one node: on a machine that is busy with other trials Ray may give up before its own processes are there."""
ENVIRONMENT = {"RAY_AUTH_MODE": "disabled"}
"""Of nodes and of runs that join them; else it depends on whether this machine's user once made a token."""
NOT_AT_WORK = ("ray::IDLE", "Agent", "Coordinator", "Requester", "ray::_")
"""Processes of Ray's own, and workers that wait."""
UP = b"Ray runtime started"
QUICK = {
    "health_check_initial_delay_ms": 1000, "health_check_period_ms": 1000, "health_check_timeout_ms": 3000,
    "health_check_failure_threshold": 8,
}  # fmt: skip
"""A dead node is noticed after eight seconds at most, a silent one after half a minute, not after a whole one; what
follows is the same."""


@dataclass
class Node:
    """One node: `ray start --block` and everything below it."""

    name: str
    process: subprocess.Popen[bytes]
    address: str
    log: Path
    namespace: str | None = None
    known: list[psutil.Process] = field(default_factory=list)

    def processes(self) -> list[psutil.Process]:
        """Whatever of the node is alive; remembered, since children of the dead are nobody's."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self.known += psutil.Process(self.process.pid).children(recursive=True)
        self.known = [process for process in dict.fromkeys(self.known) if process.is_running()]
        return self.known

    def named(self, word: str) -> list[psutil.Process]:
        """Processes whose command line's first word contains this: ``raylet``, ``gcs_server``, ``ray::``."""
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                line = process.cmdline()
                if line and word in line[0] and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    @property
    def alive(self) -> bool:
        return self.process.poll() is None and bool(self.named("raylet"))


class Cluster:
    """A head and more nodes of one CPU each; `heal` starts them."""

    def __init__(
        self,
        n_nodes: int = 2,
        *,
        head_cpus: int = 0,
        folder: Path | None = None,
        namespaces: bool = True,
        environment: Mapping[str, str] | None = None,
        wrap: Sequence[str] = (),
    ) -> None:
        """``wrap``: words before the command of nodes beside the head, such as those that shift their clock.

        ``namespaces``: False to have all nodes on the loopback. ``folder``: for Ray's files; default: one with a short
        name, since names of sockets may not be long.
        """
        self._folder = folder or Path(tempfile.mkdtemp(prefix="jf-", dir="/tmp"))
        self._n_nodes, self._head_cpus = n_nodes, head_cpus
        self._environment, self._wrap = dict(environment or {}), wrap
        self._net = _Net.made() if namespaces and may_have_namespaces() else None
        self._started = 0
        self.head: Node | None = None
        self.nodes: list[Node] = []

    @property
    def host(self) -> str:
        """An address of this machine that every node reaches."""
        return self.address.rpartition(":")[0]

    @property
    def address(self) -> str:
        """What `run.ray_address` wants."""
        assert self.head is not None
        return self.head.address

    def heal(self) -> None:
        """Start what is missing: nodes, or everything when the head is dead."""
        if self.head is None or not self.head.alive or not self.head.named("gcs_server"):
            self._end_all()
            self.head = _started(self._start_head)
        for node in [node for node in self.nodes if not node.alive]:
            self.nodes.remove(node)
            self._end(node)
        while len(self.nodes) < self._n_nodes:
            # One after the other: two at a time take each other's place in Ray's files.
            self.nodes.append(_started(self._start_node))

    def workers(self, title: str = "ray::", *, on_head: bool = True) -> list[tuple[Node, psutil.Process]]:
        """Worker processes that are doing something, with their node."""
        assert self.head is not None
        found = []
        for node in ([self.head] if on_head else []) + self.nodes:
            for process in node.named(title):
                with contextlib.suppress(psutil.Error):
                    if not any(word in process.cmdline()[0] for word in NOT_AT_WORK):
                        found.append((node, process))
        return found

    def cut_cable(self, node: Node) -> None:
        """From now on nothing reaches the node."""
        assert node.namespace is not None
        _ip("link", "set", f"{node.namespace}h", "down")

    def drop(self, node: Node) -> None:
        """End a node; `heal` starts another."""
        self.nodes.remove(node)
        self._end(node)

    def close(self) -> None:
        """End every process, remove network and folder."""
        self._end_all()
        if self._net:
            self._net.remove()
        shutil.rmtree(self._folder, ignore_errors=True)

    # -- one node ------------------------------------------------------------------------------------------------------

    def _start_head(self) -> Node:
        host = self._net.head if self._net else "127.0.0.1"
        port = free_port(host)
        self._folder.mkdir(parents=True, exist_ok=True)
        words = ["--head", f"--port={port}", f"--num-cpus={self._head_cpus}", f"--system-config={json.dumps(QUICK)}"]
        words += [f"--node-ip-address={host}", "--include-dashboard=false", f"--temp-dir={self._folder}"]
        return self._start("head", words, f"{host}:{port}", None)

    def _start_node(self) -> Node:
        number = self._started
        name = f"node{number}"
        namespace, host = self._net.namespace(number) if self._net else (None, "127.0.0.1")
        words = [f"--address={self.address}", f"--node-ip-address={host}", "--num-cpus=1"]
        return self._start(name, words, host, namespace)

    def _start(self, name: str, words: Sequence[str], address: str, namespace: str | None) -> Node:
        self._started += 1
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats", *words]
        command += [f"--object-store-memory={OBJECT_STORE_BYTES}", "--min-worker-port=0", "--max-worker-port=0"]
        inside = ["ip", "netns", "exec", namespace] if namespace else []
        wrap = () if name == "head" else self._wrap
        log = self._folder / f"{name}.log"
        environment = os.environ | ENVIRONMENT | {"RAY_raylet_start_wait_time_s": "120"} | self._environment
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [*wrap, *inside, *command],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        node = Node(name, process, address, log, namespace)
        try:
            _until(lambda: UP in log.read_bytes(), f"{name} at {address}", node)
        except RuntimeError:
            self._end(node)
            raise
        node.processes()
        return node

    def _end_all(self) -> None:
        for node in [*self.nodes, *([self.head] if self.head else [])]:
            self._end(node)
        self.nodes, self.head = [], None

    def _end(self, node: Node) -> None:
        for process in node.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        node.process.kill()
        node.process.wait()
        psutil.wait_procs(node.known, timeout=10)
        if node.namespace and self._net:
            self._net.drop(node.namespace)


@dataclass
class _Net:
    """A bridge of this machine and a cable from it into each namespace."""

    bridge: str
    prefix: str
    namespaces: set[str] = field(default_factory=set)

    @classmethod
    def made(cls) -> _Net:
        number = os.getpid() % 16000
        net = cls(f"jf{number}", f"10.{192 + number // 250}.{number % 250}")
        _ip("link", "add", net.bridge, "type", "bridge")
        _ip("addr", "add", f"{net.head}/24", "dev", net.bridge)
        _ip("link", "set", net.bridge, "up")
        return net

    @property
    def head(self) -> str:
        return f"{self.prefix}.1"

    def namespace(self, number: int) -> tuple[str, str]:
        """A new namespace and its address."""
        name, host = f"{self.bridge}n{number}", f"{self.prefix}.{2 + number % 250}"
        _ip("netns", "add", name)
        self.namespaces.add(name)
        _ip("link", "add", f"{name}h", "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", f"{name}h", "master", self.bridge, "up")
        _ip("-n", name, "addr", "add", f"{host}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", name, "link", "set", device, "up")
        _ip("-n", name, "route", "add", "default", "via", self.head)  # Ray asks the routes for its own address
        return name, host

    def drop(self, name: str) -> None:
        """Its cable goes with it."""
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("netns", "del", name)
        self.namespaces.discard(name)

    def remove(self) -> None:
        for name in list(self.namespaces):
            self.drop(name)
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("link", "del", self.bridge)


def kill(process: psutil.Process) -> bool:
    """SIGKILL; False when it had ended by itself."""
    try:
        process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return False
    return True


def may_have_namespaces() -> bool:
    """Whether this process may make networks, mount file systems and limit memory: root on Linux."""
    return sys.platform == "linux" and os.geteuid() == 0 and shutil.which("ip") is not None


def _started(start: Callable[[], Node]) -> Node:
    """Raises RuntimeError of the last start when none succeeded."""
    for _ in range(STARTS - 1):
        with contextlib.suppress(RuntimeError):
            return start()
    return start()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _until(there: object, what: str, node: Node) -> None:
    deadline = time.monotonic() + START_S
    assert callable(there)
    while not there():
        if time.monotonic() > deadline or node.process.poll() is not None:
            said = node.log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{what}: not there after {START_S:g} s, or {node.name} ended, saying\n{said}")
        time.sleep(0.1)
