"""A small corpus made by hand, filmed for real: three episodes, one without actions, cut, planned and published.

Every frame's brightness says its number, so that a wrong picture can be told from the right one after encoding.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np

from clustering.balance import balance
from clustering.roster import roster_of
from clustering.schedule import schedule, steps_of
from clustering.strata import count_strata
from pipeline import video
from pipeline.blobs import Blobs
from pipeline.cut import CutSlice, cut
from pipeline.shards import publish, shard
from pipeline.shards.latest import point_at
from pipeline.stage import Bundle
from schemas.calibration import Calibration, OpeningScale, calibration_group
from schemas.cluster import NULL_CLUSTER, Assignment, ClusterModel, FitCause, Membership, Space, Split
from schemas.data_card import DataCard
from schemas.duplicate import DuplicateEpisodes
from schemas.episode import (
    ActionKind,
    ActionTrack,
    Alignment,
    Arm,
    ArmTrack,
    Camera,
    CameraRole,
    Episode,
    KeptRange,
    Protocol,
    SourceSpan,
    SyncVerdict,
    VideoWindow,
)
from schemas.event import (
    Boundary,
    BoundaryKind,
    Event,
    Level,
    Provenance,
    RecoveryKind,
    ReviewState,
    Verb,
    make_event_id,
)
from schemas.finding import Finding, Verdict
from schemas.plan import Draw, DrawSegment, SamplingPlan
from schemas.recipe import ClipSpec
from schemas.recipe_balance import BalanceSpec
from schemas.shard import Clip, ShardEntry, ShardFile, ShardStatistics
from schemas.source import SourceKind
from schemas.source_card import Redistribution, SourceCard
from schemas.time import FrameClock

MS = 1_000_000
STEP = 5
"""Brightness difference between neighbouring frames; survives encoding."""
N_FRAMES = 40
FILM_STARTS_NS = 1000 * MS
FRAME_NS = 50 * MS
DATASET = "bench"
EMBODIMENT = "arm7"


def brightness(number: int) -> int:
    return 16 + STEP * number % 200


def film(path: Path, times_ns: Sequence[int], size: tuple[int, int] = (64, 48)) -> None:
    """A variable-rate mp4 whose frame i is one grey of `brightness(i)`, shown from ``times_ns[i]`` on."""
    with av.open(str(path), "w", options={"video_track_timescale": "1000000"}) as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "10", "bf": "2", "preset": "ultrafast"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1_000_000)
        for number, t_ns in enumerate(times_ns):
            picture = np.full((size[1], size[0], 3), brightness(number), np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = t_ns // 1000, Fraction(1, 1_000_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def camera(name: str, role: CameraRole, times_ns: Sequence[int], end_ns: int, **known: Any) -> Camera:
    window = VideoWindow(f"video/{name}", 0, FILM_STARTS_NS + times_ns[0], -1)
    return Camera(name, role, window, 64, 48, np.array(times_ns, np.int64), end_ns, **known)


def episode(number: int, *, actions: bool = True) -> Episode:
    """Two views: the master at 20 Hz, and one that starts late, stops early and runs at its own rate."""
    end_ns = N_FRAMES * FRAME_NS
    top = range(0, end_ns, FRAME_NS)
    wrist = [300 * MS + 70 * MS * i for i in range(20)]
    intrinsics = np.array([[100.0, 0, 32], [0, 100, 24], [0, 0, 1]])
    return Episode(
        episode_id=f"ep-{number:032x}",
        source="bench" if actions else "web",
        kind=SourceKind.OPEN_ROBOT if actions else SourceKind.INTERNET,
        dataset=DATASET,
        locator=f"episode_index={number}",
        embodiment=EMBODIMENT if actions else "none",
        instruction="put the cup on the plate",
        protocol=Protocol.STRUCTURED,
        action_kind=ActionKind.MEASURED if actions else ActionKind.NONE,
        cameras=(
            camera(
                "observation.images.Top",
                CameraRole.THIRD_PERSON,
                top,
                end_ns,
                intrinsics=intrinsics,
            ),
            camera("wrist", CameraRole.WRIST_RIGHT, wrist, wrist[-1] + 70 * MS),
        ),
        annotations=(SourceSpan("task", 0, end_ns, "cup"),),
        licence="CC-BY-4.0" if actions else "CC-BY-NC-4.0",
        consent="stated",
    )


def track(of: Episode, *, target: bool = False) -> ActionTrack:
    """A right arm moving along x, turning about z, its gripper closing: 100 rows at 50 Hz."""
    n = 100
    times = np.arange(n, dtype=np.int64) * 20 * MS
    angle = np.linspace(0, 1, n, dtype=np.float32)
    position = np.stack([angle, np.zeros(n), np.full(n, 0.2)], axis=1).astype(np.float32)
    zero, one = np.zeros(n, np.float32), np.ones(n, np.float32)
    rotation = np.stack([np.cos(angle), -np.sin(angle), zero, np.sin(angle), np.cos(angle), zero], axis=1)
    arm = ArmTrack(Arm.RIGHT, position, rotation.astype(np.float32), 1 - angle, None, 0)
    wish = ArmTrack(Arm.RIGHT, position + np.float32(0.5), None, one, None, 0)
    return ActionTrack(
        episode_id=of.episode_id,
        kind=ActionKind.MEASURED,
        provenance="by hand",
        times_ns=times,
        valid=np.arange(n) != 97,
        state=(arm,),
        target=(wish,) if target else (),
        joint_names=("j0", "j1"),
        joint_state=np.arange(2 * n, dtype=np.float32),
        joint_target=None,
    )


def calibration(embodiment: str = EMBODIMENT) -> Calibration:
    nothing = np.zeros(0, np.float32)
    scale = OpeningScale(Arm.RIGHT, "opening", 0.0, 1.0, True, nothing, nothing)
    return Calibration(calibration_group(DATASET, embodiment), DATASET, embodiment, (scale,))


def alignment(of: Episode, offset_ns: int = 0) -> Alignment:
    kept = (KeptRange(0, of.master.end_ns),)
    verdict = SyncVerdict.UNVERIFIED if of.action_kind is not ActionKind.NONE else SyncVerdict.NOT_APPLICABLE
    return Alignment(of.episode_id, verdict, offset_ns, 0.2, 0.0, kept)


def tree(of: Episode, actions: ActionTrack | None, cuts: Sequence[int] = (0, 9, 20, 31, 40)) -> list[Event]:
    """One task, one subtask, and an action and a segment between each two ``cuts``."""
    clock, times = of.master.clock, None if actions is None else actions.times_ns
    task = event(of, Level.TASK, "", clock, times, (cuts[0], cuts[-1]))
    subtask = event(of, Level.SUBTASK, task.event_id, clock, times, (cuts[0], cuts[-1]))
    found = [task, subtask]
    for frames in pairwise(cuts):
        action = event(of, Level.ACTION, subtask.event_id, clock, times, frames)
        found += [action, event(of, Level.SEGMENT, action.event_id, clock, times, frames)]
    return found


def event(of: Episode, level: Level, parent: str, clock: FrameClock, times: Any, frames: tuple[int, int]) -> Event:
    span = clock.span(*frames, times)

    def edge(frame: int) -> Boundary:
        return Boundary(BoundaryKind.GRASP, frame, clock.edge_ns(frame), 0.8, 0.1, ("gripper",), Arm.RIGHT)

    return Event(
        event_id=make_event_id(of.episode_id, level, span, 0),
        episode_id=of.episode_id,
        level=level,
        parent_id=parent,
        span=span,
        start=edge(frames[0]),
        end=edge(frames[1]),
        verb=Verb.MOVE,
        caption=f"{level} über {frames[0]} to {frames[1]}",
        objects=("cup",),
        arm=Arm.RIGHT,
        recovery=RecoveryKind.NONE,
        static_fraction=0.1,
        motion=None,
        needs_vlm=False,
        boundaries_by=Provenance("kinematic"),
        caption_by=Provenance("template"),
        review=ReviewState.PROPOSED,
        revision=0,
    )


@dataclass(frozen=True, eq=False)
class Corpus:
    """All records of the stages before ``shard``."""

    episodes: tuple[Episode, ...]
    tracks: tuple[ActionTrack, ...]
    alignments: tuple[Alignment, ...]
    calibrations: tuple[Calibration, ...]
    events: tuple[Event, ...]
    assignments: tuple[Assignment, ...]
    clips: tuple[Clip, ...]
    plan: SamplingPlan
    draws: tuple[Draw, ...]


@cache
def corpus(folder: Path, n_draws: int = 12, samples_per_shard: int = 5) -> Corpus:
    """Episode 0 has targets, 1 states only, 2 neither (train), 3 is held out."""
    episodes = tuple(episode(number, actions=number != 2) for number in range(4))
    tracks = {of.episode_id: track(of, target=number == 0) for number, of in enumerate(episodes) if number != 2}
    events = tuple(node for of in episodes for node in tree(of, tracks.get(of.episode_id)))
    samples = [node for node in events if node.level is Level.ACTION]
    assignments = tuple(
        assignment(node, episodes[int(node.episode_id[3:], 16)], number) for number, node in enumerate(samples)
    )
    spec = BalanceSpec(epoch_draws=n_draws)
    members = list(map(membership, assignments))
    plan = balance(count_strata([members], spec), spec)
    return Corpus(
        episodes=episodes,
        tracks=tuple(tracks.values()),
        alignments=tuple(map(alignment, episodes)),
        calibrations=(calibration(), calibration("none")),
        events=events,
        assignments=assignments,
        clips=tuple(clip for of in episodes for clip in clips(of, events, folder)),
        plan=plan,
        draws=tuple(schedule(roster_of([members], spec.seed), plan, samples_per_shard)),
    )


def replanned(of: Corpus, spec: BalanceSpec, samples_per_shard: int = 5) -> Corpus:
    """The same corpus under another balance."""
    members = list(map(membership, of.assignments))
    plan = balance(count_strata([members], spec), spec)
    draws = tuple(schedule(roster_of([members], spec.seed), plan, samples_per_shard))
    return dataclasses.replace(of, plan=plan, draws=draws)


def assignment(node: Event, of: Episode, number: int) -> Assignment:
    return Assignment(
        event_id=node.event_id,
        episode_id=of.episode_id,
        source=of.source,
        dataset=of.dataset,
        level=str(node.level),
        vision_language=number % 2,
        action=NULL_CLUSTER if of.action_kind is ActionKind.NONE else number % 3,
        vision_language_distance=0.1,
        action_distance=0.2,
        tail=False,
        recovery=False,
        n_frames=node.span.n_frames,
        start_s=node.span.start_ns / 1e9,
        duration_s=node.span.duration_s,
    )


def membership(of: Assignment) -> Membership:
    """As the dedup stage would have it, with episode 3 held out."""
    names = {field.name for field in dataclasses.fields(of)} & {field.name for field in dataclasses.fields(Membership)}
    shared = {name: getattr(of, name) for name in names}
    split = Split.VALIDATION if of.episode_id.endswith("3") else Split.TRAIN
    return Membership(**shared, split=split, duplicate_group="", duplicate_of="")


def clips(of: Episode, events: Sequence[Event], folder: Path) -> Iterator[Clip]:
    own = [node for node in events if node.episode_id == of.episode_id]
    return cut(
        of,
        own,
        CutSlice(clip=ClipSpec(short_side=32), level=Level.ACTION, captions_move_events=False),
        lambda view: frames(view, folder),
    )


def frames(view: Camera, folder: Path) -> Iterator[tuple[int, av.VideoFrame]]:
    """The camera's own film, made on first use; its clock starts at 1 s, because files' clocks need not start at 0."""
    path = folder / f"{view.name}.mp4"
    if not path.exists():
        film(path, [FILM_STARTS_NS + int(t) for t in view.times_ns])
    with path.open("rb") as file:
        for picture in video.frames(file, view.video, path.name):
            yield picture.pts_ns, picture.frame


def write_shards(of: Corpus, blobs: Blobs, key: str = "key") -> list[Any]:
    """Run the shard stage for every shard of the corpus's draws; all records, shard by shard."""
    found = []
    for name in sorted({draw.shard for draw in of.draws}):
        draws = [draw for draw in of.draws if draw.shard == name]
        drawn = {draw.event_id for draw in draws}
        records: Mapping[type, Sequence[Any]] = {
            Draw: draws,
            Clip: [clip for clip in of.clips if clip.event_id in drawn],
            Event: of.events,
            Episode: of.episodes,
            ActionTrack: of.tracks,
            Alignment: of.alignments,
            Calibration: of.calibrations,
            Assignment: [item for item in of.assignments if item.event_id in drawn],
        }
        bundle = Bundle(item=name, work_key=f"{key}-{name}", blobs=blobs, records=records)
        found += shard.STAGE.run(bundle, shard.ShardSlice())
    return found


TWICE = DuplicateEpisodes(
    "ep-0", "bench", "0", "ep-1", "lab", "1", same_recording=True, film=0.99, path_m=None, n_shared=0, n_events=4
)
CARD = DataCard(title="Bench | cups", contact="someone", released=date(2026, 3, 31))
RECIPE = {"joinery": 1, "clip": {"short_side": 32, "gop": 8, "crf": 22}}
SPEC = publish.PublishSlice(
    card=CARD,
    sources=(
        publish.SourceOfSet(
            name="bench",
            kind=SourceKind.OPEN_ROBOT,
            card=SourceCard(licence="CC-BY-4.0", redistribution=Redistribution.ALLOWED, consent="stated"),
        ),
        publish.SourceOfSet(
            name="web",
            kind=SourceKind.INTERNET,
            card=SourceCard(licence="CC-BY-NC-4.0", redistribution=Redistribution.NON_COMMERCIAL, consent="stated"),
        ),
    ),
    recipe=RECIPE,
)


def card_streams(of: Corpus, written: Sequence[Any] = (), batch: int = 7) -> dict[type, Any]:
    """What the publish stage reads, in batches: the corpus, and what the shard stage wrote."""
    nothing = np.zeros(0, np.float32)
    model = ClusterModel(
        model_id="cm",
        version=1,
        parent="",
        cause=FitCause.FIRST,
        drift=0.0,
        fitted_under="",
        space=Space.ACTION,
        embedding_model="dct-v1",
        mean=nothing,
        scale=nothing,
        projection=nothing,
        n_projected=0,
        centroids=nothing,
        n_clusters=3,
        cluster_ids=np.arange(3),
        next_cluster=3,
        distance_p99=0.5,
        reference=nothing,
        neighbour_p99=0.5,
        seed_ari=0.9,
        smallest_cluster=20,
        n_fitted=16,
        n_events=16,
    )
    finding = Finding(of.episodes[0].episode_id, "bench", "align", "frozen", Verdict.TRIM, "frozen | for 1 s")
    records: Mapping[type, Sequence[Any]] = {
        **{kind: [item for item in written if type(item) is kind] for kind in (ShardFile, ShardEntry, ShardStatistics)},
        SamplingPlan: [of.plan],
        DrawSegment: [segment(of)],
        Episode: of.episodes,
        Alignment: of.alignments,
        Event: of.events,
        ClusterModel: [model],
        Finding: [finding],
        Membership: list(map(membership, of.assignments)),
        DuplicateEpisodes: [TWICE],
    }

    def stream(items: Sequence[Any]) -> Any:
        return lambda: iter([list(items[i : i + batch]) for i in range(0, len(items), batch)])

    return {kind: stream(items) for kind, items in records.items()}


def segment(of: Corpus) -> DrawSegment:
    """As the schedule stage would have it: all training draws are the plan's."""
    return DrawSegment(of.plan.plan_id, "settings", 0, tuple(cell.name for cell in of.plan.cells), steps_of(of.plan))


@cache
def published_set(place: Path) -> str:
    """The folder of a set of the corpus, cut and published below ``place``; whoever shares it may not change it."""
    for name in ("films", "workspace"):
        (place / name).mkdir(parents=True)
    films, blobs = corpus(place / "films"), Blobs(str(place / "workspace"))
    (made,) = publish_set(films, blobs, write_shards(films, blobs))
    return f"{blobs.url}/{made.path}"


def publish_set(
    of: Corpus,
    blobs: Blobs,
    written: Sequence[Any],
    key: str = "key",
    batch: int = 7,
    spec: publish.PublishSlice = SPEC,
) -> list[Any]:
    """Publish what `write_shards` wrote and point readers there, as a run does; the publish stage's records."""
    bundle = Bundle(item="corpus", work_key=f"{key}-publish", blobs=blobs, streams=card_streams(of, written, batch))
    records: list[Any] = list(publish.STAGE.run(bundle, spec))
    for shard_set in records:
        point_at(blobs, shard_set.shard_set_id)
    return records
