"""What several test processes read and one of them makes: a corpus, a run.

`make test` runs in as many processes as there are cores and one more; each would make the same for itself.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline.synthetic.corpus import CorpusParameters, make_corpus


def made_once(places: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder ``name`` of this session of tests, filled by whoever asks first; nobody may change it afterwards."""
    shared = places.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, whole = shared / name, shared / f"{name}.whole"
    with FileLock(shared / f"{name}.lock"):
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of one that failed half way
            make(folder)
            whole.touch()
    return folder


def sound_corpus(places: pytest.TempPathFactory) -> Path:
    """One recording per source and no defects; nobody may change it."""
    return made_once(places, "sound", lambda folder: make_corpus(folder, CorpusParameters(episodes_per_source=1)))
