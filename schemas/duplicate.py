"""What `joinery duplicates` lists: an episode, and the one that is kept in its place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DuplicateEpisodes:
    """Two episodes that hold the same recording, or events that are near duplicates."""

    episode_id: str
    source: str
    locator: str
    kept_id: str
    kept_source: str
    kept_locator: str
    same_recording: bool
    """The films as a whole are one recording, whatever their events."""
    film: float | None
    """Correlation of the films; None when only events are alike."""
    path_m: float | None
    """Distance of the tools' paths, metres; None where a path is unknown or only events are alike."""
    n_shared: int
    """Events of the episode that have a better one in the kept episode."""
    n_events: int

    @property
    def crosses_sources(self) -> bool:
        """Whether it came under another source's name."""
        return self.source != self.kept_source
