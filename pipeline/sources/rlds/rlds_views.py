"""The views of an RLDS episode: picture features, one JPEG or PNG per step inside the record.

TFDS cannot leave a feature out, so datasets fill the views an episode does not have with black pictures, and say so
in ``episode_metadata/has_<view>``, or fail to. A black filling is no view and is left out; the pictures decide, not the
flag.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from pipeline.errors import SourceError
from pipeline.sources.raw import RawCamera
from pipeline.sources.reference import about_episode
from pipeline.sources.rlds.rlds_features import Feature, FeatureKind
from pipeline.sources.rlds.rlds_steps import RECORD, Steps
from pipeline.sources.still import picture_of_file
from pipeline.sources.views import still_view
from pipeline.video import TO_THE_END, Picture
from schemas.episode import VideoWindow
from schemas.finding import Finding
from schemas.recipe_formats.rlds import RldsSource
from schemas.source import EpisodeRef

_BLACK = 16
"""Brightest value, of 255, that a black picture may have after JPEG."""
_CHANNELS = (1, 3)


def is_view(name: str, feature: Feature) -> bool:
    """Whether a picture feature is a camera's: depth maps come as pictures too."""
    coloured = not feature.shape or feature.shape[-1] in _CHANNELS
    return feature.kind is FeatureKind.PICTURE and coloured and feature.dtype == "uint8" and "depth" not in name


def camera_names(spec: RldsSource, features: Mapping[str, Feature], where: str) -> dict[str, str]:
    """Short camera name by feature, master view first: the last part of the path, or all of it if that is taken.

    Raises SourceError when the recipe names a view that is none.
    """
    views = [name for name, feature in features.items() if is_view(name, feature)]
    for name in spec.cameras or ():
        if name not in views:
            raise SourceError(f"{where}: no picture feature {name!r}, found {views}; correct `cameras`")
    keys = spec.cameras or views
    shorts = [key.rpartition("/")[2] for key in keys]
    return {key: short if shorts.count(short) == 1 else key for key, short in zip(keys, shorts, strict=True)}


def views_of(
    ref: EpisodeRef, spec: RldsSource, cameras: Sequence[tuple[str, str]], steps: Steps
) -> tuple[list[RawCamera], list[Finding]]:
    """The views that show something, and findings about fillings and flags. ``cameras`` are (name, feature)."""
    found: list[RawCamera] = []
    black, wrong = [], []
    said = dict(steps.episode_texts())
    for name, feature in cameras:
        blank = is_blank(steps, feature)
        if said.get(f"has_{name}") == ("true" if blank else "false"):
            wrong.append(name)
        if blank:
            black.append(name)
        if not blank or spec.cameras is not None:
            found.append(still_view(ref, RECORD, name, feature, fps=steps.fps, n_frames=steps.n_steps))
    findings = []
    if black:
        done = "left out" if spec.cameras is None else "kept, because the recipe names it"
        message = f"{', '.join(black)} holds the same black picture in every step, which fills a place; it is {done}"
        findings.append(about_episode(ref, "view_black", message, value=len(black), threshold=0))
    if wrong:
        message = (
            f"episode_metadata says the opposite of what is there for {', '.join(f'has_{name}' for name in wrong)}; "
            "the pictures count"
        )
        findings.append(about_episode(ref, "view_flag_disagrees", message, value=len(wrong), threshold=0))
    return found, findings


def is_blank(steps: Steps, feature: str) -> bool:
    """Whether a view is a filling: the same file in every step, and black. One picture is decoded at most."""
    files = steps.files_of(feature)
    if any(file != files[0] for file in files):
        return False
    picture = picture_of_file(bytes(files[0]), 0, 1, f"{steps.where}, {feature}, step 0")
    return int(np.max(picture.frame.to_ndarray(format="rgb24"))) < _BLACK


def pictures_of(steps: Steps, window: VideoWindow) -> Iterator[Picture]:
    """The pictures of one view whose steps start inside the window. Raises SourceError for a damaged one."""
    edges = steps.edges_ns
    for step, file in enumerate(steps.files_of(window.inside)):
        start_ns, end_ns = int(edges[step]), int(edges[step + 1])
        if window.end_ns != TO_THE_END and start_ns >= window.end_ns:
            return
        if start_ns >= window.start_ns:
            yield picture_of_file(bytes(file), start_ns, end_ns, f"{steps.where}, {window.inside}, step {step}")
