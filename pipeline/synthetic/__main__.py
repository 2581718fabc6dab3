"""Make the demo corpus: ``python -m pipeline.synthetic OUT [--episodes-per-source N] [--seed S] [--with-defects]``."""

import argparse
import json
import sys
from pathlib import Path

from pipeline.errors import JoineryError
from pipeline.synthetic.corpus import TRUTH, CorpusParameters, make_corpus


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, make the corpus, say what is there. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.synthetic", description=__doc__)
    parser.add_argument("out", type=Path, help="folder to make; re-used when it was made with the same parameters")
    parser.add_argument("--episodes-per-source", type=int, default=CorpusParameters.episodes_per_source, metavar="N")
    parser.add_argument("--seed", type=int, default=CorpusParameters.seed, metavar="S")
    parser.add_argument("--with-defects", action="store_true", help="add one broken episode per robot source")
    given = parser.parse_args(arguments)
    if given.episodes_per_source < 1:
        parser.error(f"--episodes-per-source: found {given.episodes_per_source}, expected at least 1")
    parameters = CorpusParameters(given.episodes_per_source, given.seed, given.with_defects)
    try:
        made = make_corpus(given.out, parameters)
    except JoineryError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(_summary(given.out, made))
    return 0


def _summary(out: Path, made: bool) -> str:
    truth = json.loads((out / TRUTH).read_text(encoding="utf-8"))
    episodes, defects = truth["episodes"], truth["defects"]
    seconds = sum(episode["n_frames"] / episode["rate_hz"] for episode in episodes)
    boundaries = sum(len(episode["boundaries"]) for episode in episodes)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return (
        f"{'made' if made else 're-used'} {out}: {len(truth['sources'])} sources, {len(episodes)} episodes "
        f"({len(defects)} deliberately broken), {seconds:.0f} s, {boundaries} true boundaries, {size / 1e6:.1f} MB\n"
    )


if __name__ == "__main__":
    sys.exit(main())
