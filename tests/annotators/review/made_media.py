"""Barcode films as the product shows them: found, ingested, proxied."""

from __future__ import annotations

from pathlib import Path

from annotators.review.proxy import Proxy, make_proxy
from pipeline.cut import view_frames
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import ingest
from pipeline.sources.formats import discover
from schemas.episode import Episode
from schemas.recipe import IngestSpec
from schemas.recipe_sources import SourceSpec
from schemas.source import EpisodeRef
from tests.annotators.review.app.barcode_films import Film
from tests.pipeline.sources.test_video_folder import spec_for

Ingested = tuple[EpisodeRef, SourceFiles, Episode]


def ingested(spec: SourceSpec) -> Ingested:
    """The only episode of a source."""
    files = SourceFiles(spec.path)
    (ref,) = [found for found in discover(spec, files, MemoryDigests()) if isinstance(found, EpisodeRef)]
    (episode,) = [record for record in ingest(ref, files, IngestSpec()) if isinstance(record, Episode)]
    return ref, files, episode


def made_episode(folder: Path, film: Film) -> Ingested:
    """A film in a folder of its own."""
    folder.mkdir(parents=True)
    (folder / f"clip.{film.suffix}").write_bytes(film.data())
    return ingested(spec_for(folder))


def proxy_of(made: Ingested, media: Path) -> Proxy:
    """The master view's."""
    ref, files, episode = made
    return make_proxy(episode, episode.master, view_frames(ref, files, episode.master), media)


def proxied(folder: Path, film: Film, media: Path) -> tuple[Proxy, Episode]:
    """A film all the way."""
    made = made_episode(folder / film.name, film)
    return proxy_of(made, media), made[2]
