"""The made-up episode that the tests of recovery share."""

from pathlib import Path

import pytest

from tests.made_once import made_once
from tests.pipeline.recovery.made import MadeEpisode, made_corpus, made_episode


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "recovery", lambda folder: made_corpus(folder / "corpus")) / "corpus"


@pytest.fixture(scope="session")
def episode(corpus: Path) -> MadeEpisode:
    return made_episode(corpus)
