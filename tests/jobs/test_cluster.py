"""A Ray cluster of several nodes, joined by address: the same bytes, and the cluster is left running."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from jobs.run import run_recipe
from pipeline.errors import JoineryError
from schemas.recipe_file import LoadedRecipe
from tests.jobs.runs import Silent, shard_bytes


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    yield cluster
    cluster.shutdown()


@pytest.mark.slow
def test_two_nodes_write_the_bytes_one_process_writes(
    cluster: Cluster, load: Callable[..., LoadedRecipe], reference_bytes: dict[str, str]
) -> None:
    loaded = load("run.executor=ray", f"run.ray_address={cluster.address}")
    assert run_recipe(loaded, Silent()).succeeded
    assert shard_bytes(Path(loaded.recipe.workspace.url)) == reference_bytes
    ray.init(address=cluster.address, log_to_driver=False)
    assert len([node for node in ray.nodes() if node["Alive"]]) == 2
    ray.shutdown()


def test_a_cluster_that_is_not_there_is_said_so(load: Callable[..., LoadedRecipe]) -> None:
    with pytest.raises(JoineryError, match=r"nothing answers at 127\.0\.0\.1:1 "):
        run_recipe(load("run.executor=ray", "run.ray_address=127.0.0.1:1"), Silent())
