"""One small corpus with every defect, made once."""

from pathlib import Path

import pytest

from pipeline.synthetic.corpus import CorpusParameters, make_corpus

SMALL = CorpusParameters(episodes_per_source=1, seed=5, with_defects=True)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a corpus of one sound episode per source, and one broken one per robot source."""
    out = tmp_path_factory.mktemp("synthetic") / "demo" / "corpus"
    make_corpus(out, SMALL)
    return out
