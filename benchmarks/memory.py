"""Peak memory of a run against the number of episodes: it must be flat.

Both corpora are made of the same few recordings, each copy with its actions moved by a micrometre so that it is a
recording of its own. Each run is its own process; the number compared is that process's peak resident memory.

    python -m benchmarks.memory [--small 50] [--large 500]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.umi_source import umi_recipe
from pipeline.synthetic.corpus import CorpusParameters, make_corpus

MICROMETRE = 1e-6


def multiply(source: Path, target: Path, n_episodes: int, first: int = 0) -> None:
    """A LeRobot v2.1 dataset of ``n_episodes`` copies of the recordings in ``source``, no two with the same actions.

    Copies are numbered from ``first``; a number is the same recording in every dataset made so.
    """
    shutil.copytree(source / "meta", target / "meta")
    tables = sorted(source.glob("data/*/*.parquet"))
    videos = [sorted(camera.glob("*.mp4")) for camera in sorted(source.glob("videos/*/*"))]
    episodes = [json.loads(line) for line in (source / "meta/episodes.jsonl").read_text().splitlines()]
    lines = []
    for index in range(first, first + n_episodes):
        original = index % len(tables)
        data = target / f"data/chunk-000/episode_{index:06d}.parquet"
        data.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(_copy(pq.read_table(tables[original]), index), data)
        for camera in videos:
            video = target / "videos/chunk-000" / camera[0].parent.name / f"episode_{index:06d}.mp4"
            video.parent.mkdir(parents=True, exist_ok=True)
            os.link(camera[original], video)
        lines.append(json.dumps({**episodes[original], "episode_index": index}))
    (target / "meta/episodes.jsonl").write_text("\n".join(lines) + "\n")
    (target / "meta/episodes_stats.jsonl").unlink(missing_ok=True)
    info = json.loads((target / "meta/info.json").read_text())
    info |= {"total_episodes": n_episodes, "total_videos": n_episodes * len(videos)}
    info["total_frames"] = sum(json.loads(line)["length"] for line in lines)
    (target / "meta/info.json").write_text(json.dumps(info))


def _copy(table: pa.Table, index: int) -> pa.Table:
    """The rows of one episode under another index, with the first coordinate moved by ``index`` micrometres."""
    state = np.stack(table.column("observation.state").to_numpy())
    state[:, 0] += index * MICROMETRE
    field = table.schema.field("observation.state")
    table = table.set_column(table.schema.get_field_index(field.name), field, pa.array(list(state), field.type))
    field = table.schema.field("episode_index")
    return table.set_column(
        table.schema.get_field_index(field.name), field, pa.array([index] * table.num_rows, field.type)
    )


def peak_mib(folder: Path) -> tuple[float, float]:
    """Peak resident memory and CPU seconds of one inline run in its own process."""
    recipe = folder / "recipe.yaml"
    recipe.write_text(umi_recipe(folder))
    program = (
        "import resource, sys; from jobs.cli import app\n"
        "try: app(['run', sys.argv[1]])\n"
        "except SystemExit as end: code = end.code\n"
        "use = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print(f'PEAK {use.ru_maxrss / 1024} {use.ru_utime + use.ru_stime}'); sys.exit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(recipe)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    mib, seconds = done.stdout.strip().splitlines()[-1].split()[1:]
    return float(mib), float(seconds)


def main() -> None:
    """Run both sizes and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=50)
    parser.add_argument("--large", type=int, default=500)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        make_corpus(Path(scratch) / "corpus", CorpusParameters(episodes_per_source=5, seed=0))
        peaks = {}
        for n_episodes in (given.small, given.large):
            folder = Path(scratch) / str(n_episodes)
            folder.mkdir()
            multiply(Path(scratch) / "corpus" / "umi", folder / "umi", n_episodes)
            peaks[n_episodes], seconds = peak_mib(folder)
            print(f"{n_episodes:>6} episodes: peak {peaks[n_episodes]:.0f} MiB, {seconds:.0f} CPU-s", flush=True)
    print(f"peak memory, {given.large} ÷ {given.small} episodes: {peaks[given.large] / peaks[given.small]:.2f}")


if __name__ == "__main__":
    main()
