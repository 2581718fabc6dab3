"""Making the pictures people look at, in the background: in the order of the agenda, but what somebody opens first."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from annotators.review.folder import ReviewFolder
from annotators.review.media_registry import MediaRegistry, MediaState
from annotators.review.proxy import make_proxy
from annotators.review.store import ReviewStore
from pipeline.cut import view_frames
from pipeline.errors import JoineryError
from pipeline.files import SourceFiles
from schemas.episode import Episode
from schemas.source import EpisodeRef

_PATIENCE_S = 2.0


@dataclass(frozen=True)
class EpisodeSource:
    """Where an episode's pictures are."""

    ref: EpisodeRef
    files: SourceFiles
    episode: Episode


SourceOf = Callable[[str], EpisodeSource]
"""Episode id → its source; raises JoineryError when it is gone."""


class Preparer:
    """One thread that encodes. Whoever waits asks `MediaRegistry.state`."""

    def __init__(
        self, store: ReviewStore, media: MediaRegistry, folder: ReviewFolder, source_of: SourceOf | None
    ) -> None:
        self._store, self._media, self._folder, self._source_of = store, media, folder, source_of
        self._queue: deque[str] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self, episodes: Iterable[str]) -> None:
        """Begin with these, in order; what is ready already is passed over."""
        self._queue.extend(episodes)
        self._thread = threading.Thread(target=self._run, name="preparing pictures", daemon=True)
        self._thread.start()

    def first(self, episode_id: str) -> None:
        """Somebody waits for this one; a failure is tried again."""
        with self._changed:
            if self._queue and self._queue[0] == episode_id:
                return
            self._queue.appendleft(episode_id)
            self._changed.notify()

    def stop(self) -> None:
        """End; a long recording that is being encoded is given up, and begun again next time."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(_PATIENCE_S)

    def prepare(self, episode_id: str) -> None:
        """Make an episode's pictures now, unless they are there."""
        if self._source_of is None or self._ready(episode_id):
            return
        self._media.set_state(episode_id, MediaState.PREPARING)
        try:
            source = self._source_of(episode_id)
            for camera in source.episode.cameras:
                frames = view_frames(source.ref, source.files, camera)
                proxy = make_proxy(source.episode, camera, frames, self._folder.media)
                if self._stopping:
                    return
                self._media.register(episode_id, camera.name, proxy)
                if camera is source.episode.master:
                    self._show(episode_id, proxy.sha256)
        except (JoineryError, OSError, ValueError) as error:  # one bad recording must not keep the others waiting
            self._media.set_state(episode_id, MediaState.FAILED, f"{type(error).__name__}: {error}")
        else:
            self._media.set_state(episode_id, MediaState.READY)

    def _show(self, episode_id: str, sha256: str) -> None:
        for review_id in (episode_id, *self._store.copies(episode_id)):
            self._store.set_media(review_id, sha256)

    def _ready(self, episode_id: str) -> bool:
        if self._media.state(episode_id)[0] is not MediaState.READY:
            return False
        return all(
            self._folder.media_file(found.proxy.sha256).is_file()
            for found in self._media.of_episode(episode_id).values()
        )

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._stopping:
                    self._changed.wait()
                if self._stopping:
                    return
                episode_id = self._queue.popleft()
            self.prepare(episode_id)
