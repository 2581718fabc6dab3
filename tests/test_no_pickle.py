"""Nothing that is stored or received is ever unpickled, and nothing else that runs what it reads is called."""

import ast
from collections.abc import Iterator

import pytest

from tests.test_repository import PACKAGES, modules

ALLOWED = {
    "jobs/alone.py": "one batch and its attempt, between a worker and a process it has started for it",
    "jobs/ray_executor.py": "batches and attempts between a run and its own Ray workers",
    "jobs/ray_pools.py": "the same",
    "pipeline/loader/pool.py": "names the error of its own workers' messages",
    "pipeline/loader/worker.py": "windows between a loader and the worker processes it started",
    "clustering/open_clip_encoder.py": "names the error of torch.load(weights_only=True)",
}
"""Pickles from a process of ours to a process of ours, over a pipe or cluster that nobody else can write to."""
MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "jsonpickle"}
CALLS = {"eval", "exec", "compile", "__import__"}
SAFE_LOADERS = {"SafeLoader", "CSafeLoader"}


def unsafe(source: str) -> Iterator[str]:
    """What a module does that could run what it reads."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (f"imports {each.name}" for each in names if each.name.split(".")[0] in MODULES)
            case ast.ImportFrom(module=str(module), names=_) if module.split(".")[0] in MODULES:
                yield f"imports {module}"
            case ast.Call(func=ast.Name(id=name)) if name in CALLS:
                yield f"calls {name}"
            case ast.Call(func=ast.Attribute(attr=attribute, value=ast.Name(id=module)), keywords=keywords):
                given = {each.arg: each.value for each in keywords}
                if (module, attribute) == ("torch", "load") and not _is(given.get("weights_only"), True):
                    yield "torch.load without weights_only=True"
                if module in ("np", "numpy") and attribute == "load" and not _is(given.get("allow_pickle"), False):
                    yield "np.load without allow_pickle=False"
                if module == "yaml" and attribute in ("load", "load_all") and "Loader" not in given:
                    yield f"yaml.{attribute} without a Loader"
                if module == "yaml" and attribute in ("unsafe_load", "full_load", "unsafe_load_all"):
                    yield f"yaml.{attribute}"
                if any(keyword == "allow_pickle" and not _is(value, False) for keyword, value in given.items()):
                    yield "allow_pickle"
                if _is(given.get("shell"), True) or (module, attribute) in (("os", "system"), ("os", "popen")):
                    yield "a shell"


def _is(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def test_no_module_unpickles_or_runs_what_it_reads() -> None:
    found = {
        name: sorted(set(unsafe(text)))
        for name, text in modules().items()
        if name.split("/")[0] in PACKAGES and name not in ALLOWED and list(unsafe(text))
    }
    assert found == {}


def test_exceptions_are_still_needed() -> None:
    assert [name for name in ALLOWED if not list(unsafe(modules()[name]))] == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle", "from joblib import load", "def f():\n    import cloudpickle as c", "torch.load(path)",
        "torch.load(path, weights_only=False)", "np.load(path)", "np.load(path, allow_pickle=True)",
        "yaml.load(text)", "yaml.unsafe_load(text)", "eval(text)", "subprocess.run(line, shell=True)",
        "os.system(line)", "np.savez(file, allow_pickle=True)",
    ],
)  # fmt: skip
def test_each_way_is_found(line: str) -> None:
    assert list(unsafe(line))


@pytest.mark.parametrize(
    "line",
    ["torch.load(path, weights_only=True)", "np.load(path, allow_pickle=False)", "yaml.safe_load(text)",
     "yaml.load(text, Loader=yaml.CSafeLoader)", "model.eval()"],
)  # fmt: skip
def test_safe_ways_are_allowed(line: str) -> None:
    assert not list(unsafe(line))
