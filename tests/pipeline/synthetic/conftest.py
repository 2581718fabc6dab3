"""One small corpus with every defect, made once."""

from pathlib import Path

import pytest

from pipeline.synthetic.corpus import CorpusParameters, make_corpus
from tests.made_once import made_once

SMALL = CorpusParameters(episodes_per_source=1, seed=5, with_defects=True)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a corpus of one sound episode per source, and one broken one per robot source."""
    below = Path("demo") / "corpus"
    return made_once(tmp_path_factory, "synthetic", lambda folder: make_corpus(folder / below, SMALL)) / below
