"""The recordings that `benchmarks.sync` shifts: made, simulated and real robots, ingested once and held in memory."""

import dataclasses
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import ingest
from pipeline.sources.formats import discover
from pipeline.synthetic.corpus import CorpusParameters, make_corpus
from schemas.array import Floats
from schemas.episode import ActionKind, ActionTrack, Arm, ArmTrack, Episode
from schemas.filmstrip import Filmstrip
from schemas.recipe import IngestSpec
from schemas.recipe_file import load_recipe
from schemas.recipe_sources import SourceSpec
from schemas.source import EpisodeRef
from schemas.time import NS_PER_S

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT.parent / "shared" / "real"
REAL_SOURCES = ("droid", "g1", "gr1", "bridge")
SIMULATED = "sim_pick_place_can"
_PER_FRAME = ("luma", "sharpness", "difference", "flow", "descriptor", "flags")


@dataclass(frozen=True, eq=False)
class Recording:
    """One ingested episode with actions."""

    episode: Episode
    actions: ActionTrack
    strips: tuple[Filmstrip, ...]

    @property
    def frame_s(self) -> float:
        """The master view's frame period."""
        return float(np.median(np.diff(self.episode.master.times_ns))) / NS_PER_S


Sources = dict[str, list[Recording]]


def made(episodes_per_source: int) -> Sources:
    """The robots of the demo corpus, made for this run; their true lag is 0."""
    with tempfile.TemporaryDirectory() as folder:
        make_corpus(Path(folder) / "corpus", CorpusParameters(episodes_per_source))
        recipe = (ROOT / "recipes" / "demo.yaml").read_text(encoding="utf-8")
        path = Path(folder) / "recipe.yaml"
        path.write_text(recipe.replace("../demo/", ""), encoding="utf-8")
        return {spec.name: found for spec in load_recipe(path).recipe.sources if (found := _with_actions(spec))}


def simulated() -> Sources:
    """Rendered robosuite episodes (rows are frames: true lag 0), and what becomes of them cut into windows of 6 s."""
    spec = _real_specs()[SIMULATED]
    whole = []
    for episode, strips in _ingested(spec):
        with np.load(REAL / "sim" / Path(episode.locator).with_suffix(".npz").name) as truth:
            arm = ArmTrack(Arm.RIGHT, truth["eef_pos"].astype(np.float32), None, None, None, 0)
            joints = truth["joint_pos"].astype(np.float32)
        rows = dataclasses.replace(_NO_ROWS, episode_id=episode.episode_id, times_ns=episode.master.times_ns)
        rows = dataclasses.replace(rows, valid=np.ones(len(joints), np.bool_), state=(arm,))
        names = tuple(f"joint_{i}" for i in range(joints.shape[1]))
        rows = dataclasses.replace(rows, joint_names=names, joint_state=joints.reshape(-1))
        whole.append(Recording(episode, rows, strips))
    return {"robosuite": whole, "robosuite 6 s": [part for one in whole for part in windows(one, 6.0, 1.5)]}


def real() -> Sources:
    """Real robots; what their own lag is, nobody knows. DROID's one long episode also stands as windows of 8 s."""
    specs = _real_specs()
    specs["bridge"] = specs["bridge"].model_copy(update={"splits": ["train"]})  # its val split is the same again
    sources = {name: _with_actions(specs[name]) for name in REAL_SOURCES}
    return sources | {"droid 8 s": [part for one in sources["droid"] for part in windows(one, 8.0, 8.0)]}


def windows(recording: Recording, length_s: float, step_s: float) -> list[Recording]:
    """Parts of an episode as if they were episodes, for a vote of many where there are few."""
    end_s = recording.episode.master.end_ns / NS_PER_S
    starts_s = np.arange(0.0, end_s - length_s + 0.01, step_s)
    return [_window(recording, k, float(start_s), length_s) for k, start_s in enumerate(starts_s)]


def _window(recording: Recording, number: int, start_s: float, length_s: float) -> Recording:
    episode, actions = recording.episode, recording.actions
    frame = int(np.searchsorted(episode.master.times_ns, round(start_s * NS_PER_S)))
    start_ns = int(episode.master.times_ns[frame])
    end_ns = start_ns + round(length_s * NS_PER_S)
    cameras, strips = [], []
    for camera, strip in zip(episode.cameras, recording.strips, strict=True):
        inside = slice(*np.searchsorted(camera.times_ns, [start_ns, end_ns]).tolist())
        times_ns = camera.times_ns[inside] - start_ns
        cameras.append(dataclasses.replace(camera, times_ns=times_ns, end_ns=end_ns - start_ns))
        strips.append(dataclasses.replace(strip, **{name: getattr(strip, name)[inside] for name in _PER_FRAME}))
    rows = (actions.times_ns >= start_ns) & (actions.times_ns < end_ns)
    part = f"{episode.episode_id}-{number:02d}"

    def of_rows(values: Floats | None) -> Floats | None:
        return None if values is None else values.reshape(len(rows), -1)[rows].reshape(-1, *values.shape[1:])

    track = dataclasses.replace(
        actions,
        episode_id=part,
        times_ns=actions.times_ns[rows] - start_ns,
        valid=actions.valid[rows],
        state=tuple(
            ArmTrack(arm.arm, of_rows(arm.position), of_rows(arm.rotation), of_rows(arm.opening), None, 0)
            for arm in actions.state
        ),
        target=(),
        joint_state=of_rows(actions.joint_state),
        joint_target=None,
    )
    return Recording(dataclasses.replace(episode, episode_id=part, cameras=tuple(cameras)), track, tuple(strips))


def _real_specs() -> dict[str, SourceSpec]:
    return {spec.name: spec for spec in load_recipe(ROOT / "recipes" / "real.yaml").recipe.sources}


def _with_actions(spec: SourceSpec) -> list[Recording]:
    return [Recording(episode, track, strips) for episode, strips, track in _records(spec) if track is not None]


def _ingested(spec: SourceSpec) -> Iterator[tuple[Episode, tuple[Filmstrip, ...]]]:
    for episode, strips, _ in _records(spec):
        yield episode, strips


def _records(spec: SourceSpec) -> Iterator[tuple[Episode, tuple[Filmstrip, ...], ActionTrack | None]]:
    files = SourceFiles(spec.path)
    for ref in discover(spec, files, MemoryDigests()):
        if isinstance(ref, EpisodeRef):
            records = list(ingest(ref, files, IngestSpec()))
            (episode,) = (record for record in records if isinstance(record, Episode))
            strips = {record.camera: record for record in records if isinstance(record, Filmstrip)}
            track = next((record for record in records if isinstance(record, ActionTrack)), None)
            yield episode, tuple(strips[camera.name] for camera in episode.cameras), track


_NO_ROWS = ActionTrack(
    episode_id="",
    kind=ActionKind.MEASURED,
    provenance="the simulator's own numbers",
    times_ns=np.zeros(0, np.int64),
    valid=np.zeros(0, np.bool_),
    state=(),
    target=(),
    joint_names=(),
    joint_state=None,
    joint_target=None,
)
