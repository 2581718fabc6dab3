"""RLDS datasets as TFDS writes them (Open X-Embodiment and most that followed): one TFRecord record is one episode.

TensorFlow is not needed. A record is who it is by its bytes, whatever file it stands in: a dataset may be written
anew with other shards, and an episode that two splits share is one recording. The files say neither how fast the
robot ran nor what its seven numbers mean; the recipe does.

The work is split by noun: `tfrecord` reads records, `rlds_example` takes one apart, `rlds_features` says what is in it,
`rlds_shards` finds the files, `rlds_steps` makes rows of a record, and actions, spans and views have a file each.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.files import SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sources.facts import FormatFacts
from pipeline.sources.raw import RawEpisode
from pipeline.sources.reference import (
    about_episode,
    about_source,
    dataset_part,
    declared_defects,
    metadata_of,
    recipe_part,
    reference,
)
from pipeline.sources.rlds.rlds_actions import action_track, is_control
from pipeline.sources.rlds.rlds_features import Feature, FeatureKind, Features, load_features
from pipeline.sources.rlds.rlds_shards import (
    Damage,
    Record,
    Shard,
    Stated,
    dataset_folder,
    records_of,
    shards_of,
    stated_of,
)
from pipeline.sources.rlds.rlds_spans import instruction_of, mark_findings, spans_of
from pipeline.sources.rlds.rlds_steps import RECORD, load_steps, locator_of
from pipeline.sources.rlds.rlds_views import camera_names, is_view, pictures_of, views_of
from pipeline.video import Picture, Threads
from schemas.episode import VideoWindow
from schemas.finding import Finding, Verdict
from schemas.recipe_formats.rlds import RldsSource
from schemas.source import EpisodeRef, SourceFile, SourceKind

FACTS = FormatFacts(
    title="RLDS, Open X-Embodiment (TFDS TFRecord)",
    kinds=(SourceKind.OPEN_ROBOT, SourceKind.TELEOP, SourceKind.RECOVERY),
    layout="`features.json`, `dataset_info.json`, `<name>-<split>.tfrecord-00000-of-00001`; one record is one episode",
    clock="step i at i / `fps`; the files say no rate, the recipe must",
    pose="the features the recipe names, e.g. `observation/state`; `position_scale_m` metres per unit",
    rotation="as the recipe says; Open X-Embodiment has mostly `euler_xyz`",
    gripper="as the recipe says: most have 1 open, 0 closed; RT-1 commands `relative` closing (closed 1, open -1)",
    commands="as `commands` says; steps and velocities are added to the measured pose of their row",
    language="`language_instruction` and its like, the first wording that says something",
    spans="instructions per step; `action_mode` and `intv_label` (Sirius), flags of intervention, error and recovery; "
    "`episode_metadata/*` as said",
    refused="records with a wrong checksum; lists of lists, compressed tensors and depth are told and passed over",
    tested_on="real: bridge_rlds (25 episodes of BridgeData V2)",
)


@dataclass(frozen=True)
class Dataset:
    """An opened dataset: what discovery needs at hand for every record."""

    spec: RldsSource
    files: SourceFiles
    stated: Stated
    metadata: str
    """The same for all episodes: what tells them apart is in their records."""


def discover(spec: RldsSource, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """One reference per whole record, split by split, and findings about damage and claims that are not so.

    Raises SourceError when the folder is no dataset or the recipe names what it does not have.
    """
    folder = dataset_folder(files)
    stated, features = stated_of(files, folder), load_features(files, folder)
    shards = shards_of(files, folder, spec.splits)
    cameras = camera_names(spec, features.steps, files.url_of(folder))
    yield from declared_defects(spec)
    yield from _unread(spec, features)
    dataset = Dataset(spec, files, stated, metadata_of(spec, _part(features, cameras)))
    found: dict[str, int] = {}
    for shard in shards:
        found.setdefault(shard.split, 0)
        for record in records_of(files, shard, digests):
            found[shard.split] += 1
            if isinstance(record, Damage):
                message = f"{spec.name}: {record.message}"
                yield about_source(spec.name, "record_damaged", message, verdict=Verdict.DROP)
            else:
                yield _reference(dataset, shard, record)
    yield from _missing(spec, stated, shards, found)


def _part(features: Features, cameras: dict[str, str]) -> dict[str, object]:
    """What reading a record needs that is not in it."""
    return {
        "steps": {name: feature.said for name, feature in features.steps.items()},
        "episode": {name: feature.said for name, feature in features.episode.items()},
        "views": [[name, key] for key, name in cameras.items()],
    }


def _reference(dataset: Dataset, shard: Shard, record: Record) -> EpisodeRef:
    spec = dataset.spec
    return reference(
        spec,
        dataset.files.root,
        embodiment=dataset.stated.name,
        locator=locator_of(shard.name, record.offset),
        files=(SourceFile(RECORD, shard.stat.path, record.sha256, record.length),),
        metadata=dataset.metadata,
        inside="",
    )


def _unread(spec: RldsSource, features: Features) -> Iterator[Finding]:
    """Features of the steps that are read as nothing, said once."""
    unread = sorted(name for name, feature in features.steps.items() if not _is_read(name, feature))
    if unread:
        message = f"{spec.name}: the features {', '.join(unread)} are no view, control or words and are not read"
        yield about_source(spec.name, "feature_not_read", message, value=float(len(unread)))


def _is_read(name: str, feature: Feature) -> bool:
    marks = ("is_first", "is_last", "is_terminal")
    return feature.kind is FeatureKind.TEXT or name in marks or is_view(name, feature) or is_control(name, feature)


def _missing(spec: RldsSource, stated: Stated, shards: list[Shard], found: dict[str, int]) -> Iterator[Finding]:
    """Files that names or dataset_info.json promise, and totals that are not so."""
    for split, count in sorted(found.items()):
        of_split = [shard for shard in shards if shard.split == split]
        promised = max(shard.count for shard in of_split)
        if len(of_split) < promised:
            message = f"{spec.name}: split {split} has {len(of_split)} of {promised} files; complete the download"
            yield about_source(
                spec.name, "listed_file_missing", message, verdict=Verdict.DROP, value=float(promised - len(of_split))
            )
        claimed = stated.records.get(split)
        if claimed is not None and claimed != count:
            message = f"{spec.name}: dataset_info.json says {claimed} records for split {split}, the files have {count}"
            yield about_source(spec.name, "listed_total_disagrees", message, value=float(count))
    for split in sorted(stated.records.keys() - found.keys()):
        if spec.splits is None:
            message = f"{spec.name}: dataset_info.json lists the split {split}, of which no file is there"
            yield about_source(spec.name, "listed_file_missing", message, verdict=Verdict.DROP)


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One record's steps as an episode. Raises SourceError when they are not what features.json or the recipe says."""
    spec = recipe_part(ref, RldsSource)
    steps = load_steps(ref, files)
    cameras, findings = views_of(ref, spec, dataset_part(ref)["views"], steps)
    actions, seen = action_track(ref, spec, steps)
    findings += seen
    findings += mark_findings(ref, steps)
    instruction = instruction_of(steps)
    if not instruction:
        message = "no feature gives it an instruction; the recipe's `instruction` stands in, if there is one"
        findings.append(about_episode(ref, "task_text_empty", message))
    return RawEpisode(
        instruction=instruction,
        cameras=tuple(cameras),
        actions=actions,
        rows_are_frames=True,
        annotations=tuple(spans_of(steps)),
        findings=tuple(findings),
    )


def pictures(ref: EpisodeRef, files: SourceFiles, window: VideoWindow, threads: Threads) -> Iterator[Picture]:
    """The pictures of one view. Raises SourceError when one cannot be read."""
    del threads  # single pictures decode on one
    yield from pictures_of(load_steps(ref, files), window)
