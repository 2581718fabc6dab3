"""How a mixer in another environment is asked and answers: a JSON file in, a NumPy file and a line of JSON out."""

import argparse
import importlib.metadata
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Request = dict[str, Any]
"""``shares``, ``n_draws``, ``scratch`` (a folder of its own) and what else the mixer takes."""


def answer(mix: Callable[[Request], list[int]], package: str, refusals: tuple[type[Exception], ...] = ()) -> None:
    """Run ``mix`` on the request named on the command line; writes the order of cells beside it.

    ``refusals`` are errors that are a result too: the package says that it will not do what is asked.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("request", type=Path)
    path = parser.parse_args().request
    request = json.loads(path.read_text())
    said: dict[str, Any] = {"package": f"{package} {importlib.metadata.version(package)}"}
    started = time.process_time()
    try:
        order = mix(request)
    except refusals as error:
        said["refused"] = str(error).splitlines()[0]
        order = []
    said.setdefault("cpu_s", request.get("cpu_s", time.process_time() - started))
    np.save(path.with_suffix(".npy"), np.asarray(order, np.int64))
    print(json.dumps(said))
