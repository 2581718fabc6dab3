"""Memory and CPU time as the kernel counts them, of real processes."""

import subprocess
import sys
import time

from benchmarks.peers.process_tree import cpu_s, descendants, peak_rss_mib, pss_mib

MIB = 1 << 20
CHILD = "import sys; held = bytearray(b'x') * {size}; print('there', flush=True); sys.stdin.read()"


def child(size: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", CHILD.format(size=size)]
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "there\n"
    return started


def test_a_peak_stays_when_the_memory_is_given_back() -> None:
    program = (
        "from benchmarks.peers.process_tree import peak_rss_mib\n"
        "before = peak_rss_mib(); held = bytearray(b'x') * (64 << 20); del held\n"
        "print(peak_rss_mib() - before)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 60 < float(done.stdout) < 80
    assert peak_rss_mib() > 5


def test_workers_are_counted_while_they_live() -> None:
    before = pss_mib()
    worker = child(64 * MIB)
    assert worker.pid in descendants(worker.pid)
    grown = pss_mib() - before
    worker.communicate("")
    assert grown > 60
    assert pss_mib() - before < 60


def test_cpu_time_is_not_waiting() -> None:
    started = cpu_s()
    time.sleep(0.3)
    slept = cpu_s() - started
    while cpu_s() - started < slept + 0.3:
        pass
    assert slept < 0.2
