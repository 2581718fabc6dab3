"""The made-up episode that the tests of recovery share."""

from pathlib import Path

import pytest

from tests.made_once import sound_corpus
from tests.pipeline.recovery.made import MadeEpisode, made_episode


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sound_corpus(tmp_path_factory)


@pytest.fixture(scope="session")
def episode(corpus: Path) -> MadeEpisode:
    return made_episode(corpus)
