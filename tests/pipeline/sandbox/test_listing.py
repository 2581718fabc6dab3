"""Listing and reading a real source by way of the sandbox: the same records, and no claim the recipe did not make."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline import ingest
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.sandbox.decoder import Decoder, check_listed
from pipeline.sandbox.messages import MisbehavedError
from pipeline.sources.formats import discover
from pipeline.stage import Bundle
from schemas.arrow import to_table
from schemas.recipe import IngestSpec
from schemas.recipe_formats.video_folder import VideoFolderSource
from schemas.recipe_sandbox import SandboxSpec
from schemas.source import EpisodeRef, SourceKind
from tests.pipeline.films import drifting, film


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    made = Decoder(SandboxSpec())
    yield made
    made.close()


@pytest.fixture
def spec(tmp_path: Path) -> VideoFolderSource:
    (tmp_path / "a.mp4").write_bytes(film(drifting(9)))
    (tmp_path / "b.mp4").write_bytes(film(drifting(12)))
    card = {"licence": "CC-BY-4.0"}
    return VideoFolderSource.model_validate(
        {"format": "video_folder", "name": "s", "path": str(tmp_path), "card": card}
    )


def test_a_source_is_listed_and_read_as_without_a_sandbox(decoder: Decoder, spec: VideoFolderSource) -> None:
    files, bare, boxed = SourceFiles(spec.path), MemoryDigests(), MemoryDigests()
    found = list(discover(spec, files, bare))
    assert list(decoder.listing(spec, files, boxed)) == found
    assert boxed.known == bare.known
    refs = [ref for ref in found if isinstance(ref, EpisodeRef)]
    assert refs
    for ref in refs:
        bundle = Bundle(ref.episode_id, "key", ref=ref)
        expected = list(ingest.run(bundle, IngestSpec()))
        made = list(decoder.records(ingest.STAGE, bundle, IngestSpec()))
        assert [type(record) for record in made] == [type(record) for record in expected]
        for one, other in zip(made, expected, strict=True):
            assert to_table(type(one), [one]).equals(to_table(type(other), [other]))


@pytest.mark.parametrize(
    "lie",
    [
        {"source": "another"},
        {"dataset": "another"},
        {"root": "/"},
        {"kind": SourceKind.RECOVERY},
        {"metadata": "no metadata"},
        {"card": {"licence": "CC0-1.0"}},
        {"follow_links": True},
    ],
    ids=lambda lie: next(iter(lie)),
)
def test_a_listing_cannot_change_whose_a_recording_is(spec: VideoFolderSource, lie: dict[str, Any]) -> None:
    """A listing is made by a process that may have been taken over."""
    files = SourceFiles(spec.path)
    ref = next(found for found in discover(spec, files, MemoryDigests()) if isinstance(found, EpisodeRef))
    check_listed(ref, spec, files)
    metadata = json.loads(ref.metadata)
    if set(lie) <= {"card", "follow_links"}:
        metadata["recipe"] |= lie
        lie = {"metadata": json.dumps(metadata)}
    with pytest.raises(MisbehavedError):
        check_listed(dataclasses.replace(ref, **lie), spec, files)
