"""Sources on an object store: discovered, read and ingested where they lie, to the same records as from a disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.blobs import Blobs
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import STAGE
from pipeline.sources.formats import discover
from pipeline.stage import Bundle
from schemas import arrow
from schemas.finding import Finding
from schemas.recipe import IngestSpec
from schemas.recipe_sources import SourceSpec
from schemas.source import EpisodeRef
from tests.pipeline.films import drifting, film
from tests.pipeline.s3_server import s3_bucket
from tests.pipeline.sources import datasets
from tests.pipeline.sources.test_video_folder import spec_for as clips_for

BUCKET = "s3://recordings"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sources")
    datasets.write_v2(root / "v2", [8, 9], info={"total_episodes": 5})
    datasets.write_v3(root / "v3", [8, 9])
    (root / "clips/deep").mkdir(parents=True)
    (root / "clips/deep/one.mp4").write_bytes(film(drifting(6)))
    (root / "clips/two.mkv").write_bytes(film(drifting(7), pts=[3, 4, 5, 9, 10, 11, 12], container="mkv"))
    return root


@pytest.fixture(scope="module")
def storage(folder: Path) -> Iterator[dict[str, str]]:
    with s3_bucket("recordings") as options:
        blobs = Blobs(BUCKET, options)
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            blobs.put_bytes(path.relative_to(folder).as_posix(), path.read_bytes())
        yield options


def discovered(spec: SourceSpec, storage: dict[str, str]) -> tuple[list[EpisodeRef], list[Finding]]:
    found = list(discover(spec, SourceFiles(spec.path, storage), MemoryDigests()))
    return [x for x in found if isinstance(x, EpisodeRef)], [x for x in found if isinstance(x, Finding)]


def tables_of(ref: EpisodeRef, storage: dict[str, str]) -> list[object]:
    """What the stage writes for one episode, record by record."""
    bundle = Bundle(item=ref.episode_id, ref=ref, storage=storage)
    return [arrow.to_table(type(record), [record]) for record in STAGE.run(bundle, IngestSpec())]


@pytest.mark.parametrize("name", ["clips", "v2", "v3"])
def test_an_object_store_gives_the_same_records_as_a_disk(folder: Path, storage: dict[str, str], name: str) -> None:
    spec: SourceSpec = (clips_for if name == "clips" else datasets.spec_for)(folder / name)
    refs, findings = discovered(spec, {})
    remote_refs, remote_findings = discovered(spec.model_copy(update={"path": f"{BUCKET}/{name}"}), storage)
    assert len(refs) == 2
    assert [ref.root for ref in remote_refs] == [f"{BUCKET}/{name}"] * 2
    assert [(ref.episode_id, ref.fingerprint) for ref in remote_refs] == [
        (ref.episode_id, ref.fingerprint) for ref in refs
    ]
    assert [finding.check for finding in remote_findings] == [finding.check for finding in findings]
    for ref, remote_ref in zip(refs, remote_refs, strict=True):
        assert remote_ref.files == ref.files
        assert tables_of(remote_ref, storage) == tables_of(ref, {})
