"""What k-means gains when faiss is told what machine it is on: `python -m benchmarks.faiss_kernels`.

Two processes, one after the other, in turns: one imports faiss as it comes, one from `clustering.faiss_here`. Each fits
as `cluster` does, spherical, on one thread, points and numbers of clusters as in the demo's corpus × 20.
"""

import json
import statistics
import subprocess
import sys

TURNS = 5
POINTS, DIMENSIONS, CLUSTERS, REPEATS = 6000, 64, (256, 512, 2048), 5
IMPORTS = {"as it comes": "import faiss", "told": "from clustering.faiss_here import faiss"}
PROGRAM = """
import json, sys, time
import numpy as np
{imported}
from threadpoolctl import threadpool_info, threadpool_limits

points, dimensions, clusters, repeats = json.loads(sys.argv[1])
faiss.omp_set_num_threads(1)
x = np.random.default_rng(0).normal(size=(points, dimensions)).astype(np.float32)
x /= np.linalg.norm(x, axis=1, keepdims=True)
seconds = []
with threadpool_limits(1):
    for k in clusters:
        began = time.process_time()
        for seed in range(repeats):
            model = faiss.Kmeans(dimensions, k, niter=10, spherical=True, seed=seed, min_points_per_centroid=1)
            model.train(x, init_centroids=x[:k])
        seconds.append((time.process_time() - began) / repeats)
print(json.dumps([seconds, [i.get("architecture") for i in threadpool_info() if "faiss" in i["filepath"]]]))
"""


def once(imported: str) -> tuple[list[float], list[str | None]]:
    """CPU seconds per fit, by number of clusters, and what faiss took the machine for."""
    given = json.dumps([POINTS, DIMENSIONS, CLUSTERS, REPEATS])
    command = [sys.executable, "-c", PROGRAM.format(imported=imported), given]
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, kernels = json.loads(said.stdout)
    return seconds, kernels


def main() -> None:
    """Medians of the turns, and their ratios."""
    found: dict[str, list[tuple[list[float], list[str | None]]]] = {name: [] for name in IMPORTS}
    for _ in range(TURNS):
        for name, imported in IMPORTS.items():
            found[name].append(once(imported))
    medians = {}
    for name, turns in found.items():
        medians[name] = [statistics.median(column) for column in zip(*(seconds for seconds, _ in turns), strict=True)]
        kernels = next(filter(None, turns[0][1]), "unknown")
        print(f"{name:<12}{kernels:<12}" + "".join(f"{1000 * median:9.1f} ms" for median in medians[name]))
    ratios = [slow / fast for slow, fast in zip(*medians.values(), strict=True)]
    print(f"{'K':<24}" + "".join(f"{k:>12}" for k in CLUSTERS))
    print(f"{'times faster':<24}" + "".join(f"{ratio:>12.2f}" for ratio in ratios))


if __name__ == "__main__":
    main()
