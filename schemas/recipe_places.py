"""Where a recipe says things are: paths made absolute, and checked before any process starts.

Local places are looked at; of an object store only the URL and its options are checked, because the store itself is
reached first by the run. Nothing here writes, and nothing is opened but folders. `os.path` rather than `Path` asks the
questions, because it answers False where `Path` raises: unreadable folders, names too long to exist.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schemas.recipe_problems import closest
from schemas.recipe_text import KeyPath, Problem, dotted, value_at

OBJECT_STORES = ("s3",)
STORAGE_KEYS = ("endpoint", "region", "retry_s")
SECRET_KEYS = ("access_key_id", "secret_access_key", "session_token")
"""Refused: recipes are published with the shards. Credentials come by the usual chain (`pipeline.bucket`)."""
WORKSPACE: KeyPath = ("workspace", "url")
STORAGE: KeyPath = ("workspace", "storage")
REGISTRY: KeyPath = ("registry",)
CARD: KeyPath = ("shard", "card")
"""A path only where it is no section."""
ROBOTS = ("kinematics", "retarget")
"""Keys of a source that list robot arms."""
CHECKPOINT: KeyPath = ("embed", "vision_language", "checkpoint")
VLM: KeyPath = ("run", "vlm")


def is_local(url: str) -> bool:
    """Whether a URL is a path on this machine."""
    return "://" not in url or url.startswith("file://")


def absolute(url: str, folder: Path) -> str:
    """A local path made absolute against the recipe's folder, without following links; other URLs as they are."""
    if not is_local(url):
        return url.rstrip("/")
    return os.path.normpath(folder / os.path.expanduser(url.removeprefix("file://")))


def with_absolute_places(data: Any, folder: Path) -> Any:
    """The recipe's data with every path in it made absolute; what is not text is left for validation to refuse."""
    for path in place_paths(data):
        value = value_at(data, path)
        if isinstance(value, str) and value:
            data = replaced(data, path, absolute(value, folder))
    return data


def place_paths(data: Any) -> list[KeyPath]:
    """Key paths of all the places a recipe names."""
    robots = [(*arm, "urdf") for arm in robot_paths(data)]
    return [WORKSPACE, REGISTRY, CARD, CHECKPOINT, *source_paths(data), *robots, *server_paths(data)]


def source_paths(data: Any) -> list[KeyPath]:
    """Key paths of the sources' folders."""
    sources = value_at(data, ("sources",))
    return [("sources", i, "path") for i in range(len(sources))] if isinstance(sources, list) else []


def robot_paths(data: Any) -> Iterator[KeyPath]:
    """Key paths of the robot arms the sources describe; the file of each is at ``urdf`` below."""
    for source in source_paths(data):
        for key in ROBOTS:
            arms = value_at(data, (*source[:-1], key))
            yield from ((*source[:-1], key, i) for i in range(len(arms) if isinstance(arms, list) else 0))


def server_paths(data: Any) -> Iterator[KeyPath]:
    """Key paths of what model servers need. Not looked at: it lies on the machines that ask, or that have the GPUs."""
    yield from ((*VLM, "start", name) for name in ("python", "weights"))
    endpoints = value_at(data, (*VLM, "endpoints"))
    yield from (
        (*VLM, "endpoints", i, "key", "file") for i in range(len(endpoints) if isinstance(endpoints, list) else 0)
    )


def replaced(data: Any, path: KeyPath, value: Any) -> Any:
    """The data with another value at a path that is there."""
    if not path:
        return value
    key, below = path[0], path[1:]
    if isinstance(key, int):
        return [replaced(item, below, value) if i == key else item for i, item in enumerate(data)]
    return {**data, key: replaced(data[key], below, value)}


def place_problems(data: Any) -> Iterator[Problem]:
    """Everything wrong with the places of a recipe whose paths are absolute."""
    workspace = _text(data, WORKSPACE)
    if workspace is not None:
        yield from _local_workspace(workspace) if is_local(workspace) else _scheme(WORKSPACE, workspace)
    checkpoint = _text(data, CHECKPOINT)
    if checkpoint is not None and not os.path.isfile(checkpoint):
        what = "a folder" if os.path.isdir(checkpoint) else "no file"
        yield Problem(CHECKPOINT, f"{what} at {checkpoint}, expected a checkpoint file{_neighbour(checkpoint)}")
    sources = {path: url for path in source_paths(data) if (url := _text(data, path)) is not None}
    yield from _secrets(value_at(data, STORAGE))
    if not all(is_local(url) for url in (*sources.values(), workspace or "")):
        yield from _storage(value_at(data, STORAGE))
    for path, url in sources.items():
        yield from _source(path, url) if is_local(url) else _scheme(path, url)
        yield from _overlaps(path, url, sources, workspace)


def _text(data: Any, path: KeyPath) -> str | None:
    value = value_at(data, path)
    return value if isinstance(value, str) and value else None


# -- workspace -------------------------------------------------------------------------------------------------------


def _local_workspace(url: str) -> Iterator[Problem]:
    try:
        os.lstat(url)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass
    except (OSError, ValueError) as error:
        yield Problem(WORKSPACE, f"found {url!r}, expected a path this machine can have: {error}")
        return
    place = Path(url)
    while not os.path.exists(place) and place != place.parent:
        place = place.parent
    if not os.path.isdir(place):
        yield Problem(WORKSPACE, f"{place} is a file, expected a folder; name another place")
    elif not os.access(place, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        what = "it" if place == Path(url) else f"{url}, which would be made in it,"
        yield Problem(WORKSPACE, f"no permission to write in {place}; allow it or keep {what} elsewhere")


def _storage(value: Any) -> Iterator[Problem]:
    """Options are needed when the workspace or a source lies in an object store; both use the same."""
    storage = value if isinstance(value, dict) else {}
    for key in sorted(set(storage) - {*STORAGE_KEYS, *SECRET_KEYS}):
        meant = closest(key, STORAGE_KEYS)
        advice = f"did you mean '{meant}'?" if meant else f"expected some of {', '.join(STORAGE_KEYS)}"
        yield Problem((*STORAGE, key), f"unknown key; {advice}")
    if not storage.keys() & {"endpoint", "region"}:
        yield Problem(STORAGE, "names neither 'region' nor 'endpoint', expected one; add the region of the bucket")
    endpoint = storage.get("endpoint")
    if isinstance(endpoint, str) and not endpoint.startswith(("http://", "https://")):
        yield Problem((*STORAGE, "endpoint"), f"found {endpoint!r}, expected http://… or https://…")
    if (retry_s := storage.get("retry_s")) is not None and not _is_seconds(retry_s):
        yield Problem((*STORAGE, "retry_s"), f"found {retry_s!r}, expected seconds above 0, such as 120")


def _secrets(value: Any) -> Iterator[Problem]:
    for key in SECRET_KEYS:
        if isinstance(value, dict) and key in value:
            yield Problem(
                (*STORAGE, key),
                "a secret does not belong in a recipe; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                "AWS_PROFILE, in the environment (docs/object_stores.md), and make new keys if others have seen these",
            )


def _is_seconds(value: Any) -> bool:
    try:
        return 0 < float(value) < float("inf")
    except (TypeError, ValueError):
        return False


def _scheme(path: KeyPath, url: str) -> Iterator[Problem]:
    scheme, _, rest = url.partition("://")
    if scheme not in OBJECT_STORES:
        expected = " or ".join(f"{known}://bucket/…" for known in OBJECT_STORES)
        yield Problem(path, f"found {url!r}, expected a local path or {expected}")
    elif not rest.partition("/")[0]:
        yield Problem(path, f"found {url!r}, expected a bucket after {scheme}://")


# -- sources ---------------------------------------------------------------------------------------------------------


def _source(path: KeyPath, url: str) -> Iterator[Problem]:
    if os.path.isfile(url):
        yield Problem(path, f"{url} is a file, expected the folder of the recordings")
    elif not os.path.isdir(url):
        yield Problem(path, f"no folder at {url}{_neighbour(url)}")
    else:
        try:
            empty = not os.listdir(url)
        except PermissionError:
            yield Problem(path, f"no permission to read {url}; allow it for this user")
            return
        if empty:
            yield Problem(path, f"{url} is empty, expected recordings; is it mounted, is the download complete?")


def _overlaps(path: KeyPath, url: str, sources: dict[KeyPath, str], workspace: str | None) -> Iterator[Problem]:
    """Places inside one another: a run would read what it writes, or take a recording twice."""
    here = _comparable(url)
    if workspace is not None:
        there = _comparable(workspace)
        if _inside(here, there):
            yield Problem(path, f"lies inside workspace.url ({workspace}); keep recordings and workspace apart")
        elif _inside(there, here):
            yield Problem(WORKSPACE, f"lies inside {dotted(path)} ({url}); keep recordings and workspace apart")
    for other, other_url in sources.items():
        there = _comparable(other_url)
        if other == path:
            continue
        if here == there and other < path:
            yield Problem(path, f"the same folder as {dotted(other)}; every recording would come twice, drop one")
        elif here != there and _inside(here, there):
            yield Problem(path, f"lies inside {dotted(other)} ({other_url}); its recordings would come twice")


def _comparable(url: str) -> str:
    """A local path without links in it, so that two names of one folder are the same."""
    try:
        return os.path.realpath(url) if is_local(url) else url
    except ValueError:  # characters no path can have; reported where the place is looked at
        return url


def _inside(url: str, other: str) -> bool:
    return url == other or url.startswith(f"{other.rstrip('/')}/")


def _neighbour(path: str) -> str:
    """A hint at what was probably meant: the entry of the nearest existing folder that is spelled most alike."""
    place = Path(path)
    while not os.path.isdir(place.parent):
        place = place.parent
    try:
        names = sorted(os.listdir(place.parent))
    except PermissionError:
        return f"; {place.parent} may not be read by this user"
    meant = closest(place.name, names)
    return f"; did you mean '{meant}' in {place.parent}?" if meant else f"; there is none in {place.parent}"
