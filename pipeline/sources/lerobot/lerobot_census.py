"""Counting what a LeRobot dataset lists against what is there, and saying once, per source, where the two differ.

Holds counts and ranges of episode numbers, never the episodes, so that a dataset of any size can be counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.sources.lerobot.lerobot_meta import Info
from pipeline.sources.reference import about_source
from schemas.finding import Finding, Verdict

_RANGES_SHOWN = 12


@dataclass
class Numbers:
    """A growing set of episode numbers, kept as ranges; compact when they come in order."""

    ranges: list[list[int]] = field(default_factory=list)
    count: int = 0

    def add(self, number: int) -> None:
        self.count += 1
        if self.ranges and number == self.ranges[-1][1] + 1:
            self.ranges[-1][1] = number
        else:
            self.ranges.append([number, number])

    @property
    def text(self) -> str:
        """For messages: ``0-28, 32, 60-81``."""
        shown = [str(a) if a == b else f"{a}-{b}" for a, b in self.ranges[:_RANGES_SHOWN]]
        return ", ".join(shown) + (", …" if len(self.ranges) > _RANGES_SHOWN else "")


@dataclass
class Census:
    """What was listed and what of it was found."""

    episodes: int = 0
    frames: int = 0
    frames_known: bool = True
    missing: Numbers = field(default_factory=Numbers)
    missing_example: str = ""
    unplaced: Numbers = field(default_factory=Numbers)
    videos_missing: dict[str, Numbers] = field(default_factory=dict)

    def list(self, length: int | None) -> None:
        """Count an episode the metadata lists."""
        self.episodes += 1
        self.frames += length or 0
        self.frames_known &= length is not None

    def miss(self, index: int, path: str) -> None:
        """Count a listed episode whose files are not there; ``path`` is one that was expected."""
        self.missing_example = self.missing_example or path
        self.missing.add(index)

    def miss_video(self, key: str, index: int) -> None:
        """Count an episode without a file for one of its cameras."""
        self.videos_missing.setdefault(key, Numbers()).add(index)

    def findings(self, source: str, info: Info, n_tasks: int) -> Iterator[Finding]:
        """One finding per kind of disagreement."""
        if self.missing.count:
            message = (
                f"{source}: {self.missing.count} of {self.episodes} listed episodes have no files "
                f"({self.missing.text}), e.g. {self.missing_example}; complete the download, or use what there is"
            )
            yield about_source(
                source, "listed_episode_missing", message, verdict=Verdict.DROP, value=float(self.missing.count)
            )
        if self.unplaced.count:
            message = (
                f"{source}: {self.unplaced.count} episodes share a video file but the metadata does not say where they "
                f"begin and end in it ({self.unplaced.text}); add from_timestamp and to_timestamp to meta/episodes"
            )
            yield about_source(
                source, "video_window_missing", message, verdict=Verdict.DROP, value=float(self.unplaced.count)
            )
        found = self.episodes - self.missing.count - self.unplaced.count
        for key, numbers in sorted(self.videos_missing.items()):
            message = (
                f"{source}: the listed camera {key} has no file for {numbers.count} of the {found} episodes there "
                f"are ({numbers.text}); they are read without it"
            )
            yield about_source(source, "camera_missing", message, value=float(numbers.count))
        yield from self._totals(source, info, n_tasks)

    def _totals(self, source: str, info: Info, n_tasks: int) -> Iterator[Finding]:
        """Totals of info.json that are not what the other metadata says."""
        n_views = sum(feature.get("dtype") == "video" for feature in info.features.values())
        counted = {
            "total_episodes": self.episodes,
            "total_tasks": n_tasks,
            "total_videos": self.episodes * n_views,
        }
        if self.frames_known:
            counted["total_frames"] = self.frames
        for key, found in sorted(counted.items()):
            stated = info.stated.get(key)
            if isinstance(stated, int) and stated != found:
                message = f"{info.where}: {key} says {stated}, the listed episodes make {found}; correct the total"
                yield about_source(source, "listed_total_disagrees", message, value=float(found))
        for split, span in sorted((info.stated.get("splits") or {}).items()):
            last = str(span).rpartition(":")[2]
            if last.isdigit() and int(last) > self.episodes:
                message = (
                    f"{info.where}: split {split} says {span}, found {self.episodes} episodes; splits are not read"
                )
                yield about_source(source, "listed_total_disagrees", message, value=float(self.episodes))
