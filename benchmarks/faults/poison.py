"""A recording that kills whatever process decodes it, every time: a crash, an abort, an exit in a native library.

No known file crashes the decoders we use, so the crash is put in: on the nodes, opening a file of this name follows a
null pointer, aborts, or ends the process. The recording must end in quarantine with the reason, and everything else
must come out as if it had never been there.
"""

import random
import shutil
from pathlib import Path

from benchmarks.faults.ground import Ground, Happened, last_lines
from pipeline.synthetic.corpus import CorpusParameters, make_corpus

POISON = "zz_poison.mp4"
DEATHS = {
    "SIGSEGV": "__import__('ctypes').string_at(0)",
    "SIGABRT": "__import__('os').abort()",
    "status 7": "__import__('os')._exit(7)",
}
HOOK = """
import sys


def hook(event, arguments):
    if event == "open" and str(arguments[0]).endswith({poison!r}):
        exec(open({program!r}).read())


sys.addaudithook(hook)
"""


def trial(ground: Ground, rng: random.Random) -> Happened:
    """The run comes to its end by itself; repeated, it does not try the recording again."""
    poisoned = ground.kept("poison", lambda: _poisoned(ground))
    how, items = rng.choice(list(DEATHS)), rng.choice((1, 4))
    (ground.hooks / "program").write_text(DEATHS[how], encoding="utf-8")
    place = ground.place()
    text = place.recipe.read_text(encoding="utf-8")
    place.recipe.write_text(text.replace(str(ground.corpus), str(poisoned)), encoding="utf-8")
    run = ground.start(place, f"run.batch_items={items}")
    status, wrong = run.end(), []
    failures = [each for each in ground.reasons(place).failures if each.error == "WorkerDied"]
    if len(failures) != 1 or how not in failures[0].message or failures[0].stage != "ingest":
        wrong.append(f"why says {[each.message for each in failures]}")
    more = frozenset(f"{each.stage} {each.item} {each.error}" for each in failures)
    did = f"a recording that kills its worker ({how}), in batches of {items}"
    said = last_lines(run.said) if status else ""
    statuses = ground.finish(place, status)
    return Happened(place, "ingest", did, 1, statuses, (0,), said, tuple(wrong), more)


def _poisoned(ground: Ground) -> Path:
    """The corpus with one more recording, and what lies in wait for it on the nodes."""
    hook = HOOK.format(poison=POISON, program=str(ground.hooks / "program"))
    (ground.hooks / "sitecustomize.py").write_text(hook, encoding="utf-8")
    poisoned, other = ground.new_folder() / "corpus", ground.new_folder() / "other"
    shutil.copytree(ground.corpus, poisoned)
    make_corpus(other, CorpusParameters(episodes_per_source=1, seed=11))
    shutil.copy(next((other / "internet").glob("*.mp4")), poisoned / "internet" / POISON)
    return poisoned
