"""Measure what a byte of source takes in every stage, for workspaces that have no figures of their own (`jobs.rates`).

    python -m benchmarks.shipped_rates              prints the figures
    python -m benchmarks.shipped_rates --write      keeps them in jobs/shipped_rates.json

The demo's recipe over its made-up corpus, 5 recordings per source, in one process; best of nothing, one run, because
the figures are good for orders of magnitude only. Captions by models are not in it: their tokens follow from the length
of the video (`jobs.estimate`).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from jobs.expenses import expenses
from jobs.forecast import source_sizes
from jobs.rates import NAMES, SHIPPED
from jobs.run import run_recipe
from pipeline.store import Workspace
from pipeline.synthetic.corpus import CorpusParameters, make_corpus
from schemas.cost import COORDINATOR
from schemas.recipe_file import load_recipe
from tests.jobs.conftest import write_recipe
from tests.jobs.runs import Silent

EPISODES_PER_SOURCE = 5
DIGITS = 3


def measured() -> dict[str, object]:
    """Amounts for every GB of source, by stage."""
    with tempfile.TemporaryDirectory() as folder:
        corpus, recipe = Path(folder) / "corpus", Path(folder) / "demo.yaml"
        make_corpus(corpus, CorpusParameters(episodes_per_source=EPISODES_PER_SOURCE, seed=4))
        write_recipe(recipe, corpus, Path(folder) / "workspace")
        loaded = load_recipe(recipe, ["run.executor=inline"])
        run_recipe(loaded, Silent())
        workspace = Workspace.existing(loaded.recipe.workspace.url)
        gb = sum(size.n_bytes for size in source_sizes(workspace).values()) / 1e9
        spent = {expense.stage: expense.took for expense in expenses(workspace, None).stages}
    spent.pop(COORDINATOR)
    per_gb = {
        stage: {name: float(f"{getattr(took, name) / gb:.{DIGITS}g}") for name in NAMES if getattr(took, name)}
        for stage, took in spent.items()
    }
    return {"corpus": f"demo, {EPISODES_PER_SOURCE} recordings per source, {gb * 1e3:.1f} MB", "per_gb": per_gb}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="keep the figures")
    text = json.dumps(measured(), indent=2) + "\n"
    print(text, end="")
    if parser.parse_args().write:
        SHIPPED.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
