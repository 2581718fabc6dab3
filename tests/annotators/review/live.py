"""A real server over a real review folder, for tests with real clients.

    with served(tmp_path, recording(tmp_path, "ep-1")) as server:
        server.url            # http://127.0.0.1:PORT
        server.open_url       # the address with the token, for a browser
        with server.client() as client: client.post("/api/queue/next")
        server.kill(); server.start()   # the same port, token and folder

Pictures carry their number as a barcode (`barcode`). Also a programme: the server itself is
``python -m tests.annotators.review.live FOLDER PORT ...``, so that it can be killed.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import numpy as np

from annotators.review.agenda import AgendaSpec
from annotators.review.document import Document
from annotators.review.folder import ReviewFolder
from annotators.review.preparing import EpisodeSource
from annotators.review.review import Access, Mode, Review
from annotators.review.role import Role
from annotators.review.server import create_app
from annotators.review.serving import bound, serve
from annotators.review.sheet import Alternative, Evidence, Imported, Sheet, SheetView, Signal
from jobs.vllm.server import free_port
from pipeline.files import SourceFiles
from pipeline.sources.reference import metadata_of
from pipeline.synthetic.mp4 import Mp4Writer
from pipeline.synthetic.scene import Picture
from pipeline.synthetic.view import PictureSize
from schemas.episode import ActionKind, Camera, CameraRole, Episode, Protocol, VideoWindow
from schemas.recipe_formats.video_folder import VideoFolderSource
from schemas.source import SourceFile, SourceKind, make_ref
from schemas.time import NS_PER_S
from tests.annotators.review.made import CUTS, made

FPS = 25
SIZE = PictureSize(160, 120)
BITS = 12
TOKEN = "a-token-for-tests"
ALONE = AgendaSpec(audit_share=0)
"""Everything in the risk stratum, one rater each."""


def barcode(number: int, size: PictureSize = SIZE) -> Picture:
    """A picture that says which one it is: 12 bits and a parity bit, white for 1, most significant first, on grey."""
    picture = np.full((size.height, size.width, 3), 96, np.uint8)
    bits = [number >> (BITS - 1 - at) & 1 for at in range(BITS)]
    bits.append(sum(bits) % 2)
    width = size.width // (BITS + 2)
    for at, bit in enumerate(bits):
        picture[10 : size.height // 3, (at * width + width // 2) : ((at + 1) * width + width // 2)] = 255 * bit
    y = 2 * size.height // 3 + round(8 * np.sin(number / 9))
    picture[y - 6 : y + 6, (3 * number) % (size.width - 12) :][:, :12] = (200, 80, 40)  # something that moves
    return picture


@dataclass(frozen=True)
class Recording:
    """An episode to review and where its pictures are."""

    imported: Imported
    source: EpisodeSource


def recording(
    folder: Path,
    episode_id: str = "ep-1",
    *,
    cuts: dict[int, int] | None = None,
    views: Sequence[str] = ("main",),
    picture: Callable[[int], Picture] | None = barcode,
    personal: bool = False,
    risk: float = 0.5,
    **encoding: int,
) -> Recording:
    """A made episode with as many pictures as its last cut; every view shows the same numbers. ids are ``b<frame>``.

    Without a ``picture`` there is no video, for tests that look at none.
    """
    document = made(cuts or CUTS, episode_id)
    times_ns = np.round(np.arange(document.n_frames) * (NS_PER_S / FPS)).astype(np.int64)
    end_ns = round(document.n_frames * NS_PER_S / FPS)
    cameras, files = [], []
    for name in views:
        path = f"{episode_id}/{name}.mp4"
        if picture is not None:
            writer = Mp4Writer(folder / "recordings" / path, SIZE, FPS, **encoding)
            writer.add(picture(number) for number in range(document.n_frames))
            writer.close()
        files.append(SourceFile(f"video/{name}", path, episode_id.ljust(64, "0")[:64], 1))
        window = VideoWindow(f"video/{name}", 0, 0, end_ns)
        cameras.append(Camera(name, CameraRole.EGO, window, SIZE.width, SIZE.height, times_ns, end_ns))
    given = {"format": "video_folder", "name": "made", "path": "made", "kind": "internet"}
    spec = VideoFolderSource.model_validate({**given, "card": {"licence": "CC0-1.0"}})
    root = str(folder / "recordings")
    ref = make_ref(
        source="made", kind=SourceKind.INTERNET, dataset="made", embodiment="none", locator=episode_id, root=root,
        files=tuple(files), metadata=metadata_of(spec, {}),
    )  # fmt: skip
    imported = Imported(document, _sheet(document, views, personal), risk, "run-1")
    episode = Episode(
        episode_id, "made", SourceKind.INTERNET, "made", episode_id, "none", "put the cup on the shelf",
        Protocol.STRUCTURED, ActionKind.NONE, tuple(cameras), (), "CC0-1.0", "not needed",
    )  # fmt: skip
    return Recording(imported, EpisodeSource(ref, SourceFiles(root), episode))


def _sheet(document: Document, views: Sequence[str], personal: bool) -> Sheet:
    times = tuple(round(at * NS_PER_S / FPS) for at in range(0, document.n_frames, 5))
    opening = tuple(round(0.5 + 0.5 * float(np.cos(at / 40)), 3) for at in range(0, document.n_frames, 5))
    first_label = next(iter(document.labels))
    return Sheet(
        source="made",
        kind="internet",
        dataset="made",
        locator=document.episode_id,
        instruction="put the cup on the shelf",
        embodiment="none",
        licence="CC0-1.0",
        personal=personal,
        duration_s=document.n_frames / FPS,
        views=tuple(SheetView(name, "ego", SIZE.width, SIZE.height, document.n_frames) for name in views),
        master=views[0],
        signals=(
            Signal("opening", "0 closed … 1 open", "right", times, opening),
            Signal(
                "speed", "m/s", "right", times, tuple(None if at % 11 == 3 else at / 100 for at in range(len(times)))
            ),
        ),
        evidence={
            name: Evidence(edge.kind, edge.confidence, ("gripper",), (), edge.confidence < 0.5, "The gripper closes.")
            for name, edge in document.boundaries.items()
        },
        alternatives={first_label: (Alternative("move the cup", "move", ("cup",), "right", "template"),)},
    )


@dataclass
class Server:
    """One server, which can be stopped, killed and started again on the same folder, port and token."""

    folder: Path
    port: int
    arguments: Sequence[str] = ()
    process: subprocess.Popen[str] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def open_url(self) -> str:
        return f"{self.url}/?token={TOKEN}"

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.annotators.review.live", str(self.folder), str(self.port)]
        self.process = subprocess.Popen([*command, *self.arguments], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said.strip() == "up", f"the server did not start: {said!r}"

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ends it and returns its exit status."""
        assert self.process is not None
        self.process.send_signal(how)
        status = self.process.wait(60)  # a busy machine takes its time
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    @contextmanager
    def client(self, name: str = "", *, timeout: float = 20) -> Iterator[httpx2.Client]:
        """A client like the page: with a session, and with the token for writes. ``name``: whose account."""
        with httpx2.Client(base_url=self.url, timeout=timeout) as client:
            if name:
                given = {"name": name, "password": password_of(name)}
                assert client.post("/api/login", json=given, headers={"Origin": self.url}).status_code == 200
            else:
                assert client.get("/", params={"token": TOKEN}).status_code == 303
            client.headers["X-Joinery-CSRF"] = client.get("/api/session").json()["csrf"]
            yield client


def password_of(name: str) -> str:
    """Every account's own."""
    return f"password of {name}"


def fill(
    folder: Path,
    recordings: Sequence[Recording],
    spec: AgendaSpec = ALONE,
    accounts: Mapping[str, Role] | None = None,
) -> None:
    """Put recordings under review, with their proxies, and make accounts."""
    by_id = {each.imported.document.episode_id: each for each in recordings}
    access = Access(Mode.SINGLE, "filler", TOKEN)
    review = Review(ReviewFolder(folder), access, source_of=lambda episode: by_id[episode].source)
    review.take_in([each.imported for each in recordings], spec)
    for episode, each in by_id.items():
        if Path(each.source.ref.root).is_dir():
            review.preparer.prepare(episode)
            assert review.media.state(episode)[0] == "ready", review.media.state(episode)
    for name, role in (accounts or {}).items():
        review.accounts.add(name, role, password_of(name), 0)
    review.close()


@contextmanager
def served(
    tmp_path: Path,
    *recordings: Recording,
    spec: AgendaSpec = ALONE,
    actor: str = "ann",
    accounts: Mapping[str, Role] | None = None,
) -> Iterator[Server]:
    """A running server over these recordings (default: one of 300 pictures); gone afterwards.

    With ``accounts`` (name → role) people log in (`Server.client`), else it is ``actor`` who opens the address.
    """
    folder = tmp_path / "review"
    fill(folder, recordings or [recording(tmp_path)], spec, accounts)
    server = Server(folder, free_port("127.0.0.1"), ["--accounts"] if accounts else ["--actor", actor])
    server.start()
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--actor", default="ann")
    parser.add_argument("--accounts", action="store_true")
    given = parser.parse_args()
    access = Access(Mode.ACCOUNTS if given.accounts else Mode.SINGLE, given.actor, TOKEN)
    folder = ReviewFolder(given.folder)
    with folder.held():
        review = Review(folder, access)
        serve(create_app(review), bound("127.0.0.1", given.port), lambda: print("up", flush=True))
        review.close()


if __name__ == "__main__":
    main()
