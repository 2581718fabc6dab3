"""``python -m benchmarks.language_heads SHARDS [--steps N]``: do the language heads know what is next, and how long?

Trains the language stage of `tiny-language` on the train split of a shard set, then asks about every event of the
validation split: what is done here, and for how long? Each event is asked about three times: at its first frame, from
an instant inside it on, and where it has been carried out, with the question what is next, or whether it is over.

Beside the heads stand what costs nothing: the caption that most often follows the last one in training, the verb that
most often follows the last verb, that all is over after a verb that mostly comes last; and the median duration of the
event's verb, inside it less what has passed, with the true verb given, which is more than the heads get.
``benchmarks/results/language_heads.txt`` holds the last output.
"""

import argparse
import random
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch

from pipeline.loader.chronicle import Chronicle
from pipeline.loader.decode import decode_clip
from pipeline.loader.reader import ShardSet
from pipeline.loader.sample import EventSample
from trainer.batch import Example, asked_at_the_end
from trainer.configs import TrainConfig, tiny_language
from trainer.embodiment import Embodiment
from trainer.example import Shown, example_of, since
from trainer.head_planner import Heads
from trainer.loop import Trainer
from trainer.model.wam import build
from trainer.parallel import Ranks
from trainer.steps import StepPack, TrainStep, with_neighbours

PER_STEP = 24
START, INSIDE, END = "at its start", "inside it", "at its end"
EARLIEST, LATEST = 0.1, 0.8
"""Shares of an event's frames between which it is asked inside it."""
SHORTEST_S = 0.05
"""What is left at least, for who subtracts."""
FRAMES = 5
BATCH = 64


@dataclass(frozen=True, eq=False)
class Asked:
    """A question with its answer."""

    example: Example
    verb: str
    verb_before: str
    where: str

    @property
    def caption(self) -> str:
        assert self.example.story is not None
        return self.example.story.now

    @property
    def before(self) -> str:
        assert self.example.story is not None
        return self.example.story.before[-1] if self.example.story.before else ""

    @property
    def seconds(self) -> float:
        assert self.example.story is not None
        return self.example.story.remaining_s

    @property
    def elapsed(self) -> float:
        assert self.example.story is not None
        return self.example.story.elapsed_s


def asked(shards: ShardSet, split: str, config: TrainConfig) -> list[Asked]:
    """Every event of a split once, asked about at its start, inside it and at its end."""
    chronicle, stats = Chronicle.read(shards), shards.all_stats()
    assert config.model.language is not None
    limits = config.model.language.limits
    manifest = shards.manifest(split, ["event_id", "verb"]).to_pydict()
    verbs = dict(zip(manifest["event_id"], manifest["verb"], strict=True))
    seen: set[str] = set()
    found = []
    for _, sample in shards.iterate(split):
        if sample.event_id in seen:
            continue
        seen.add(sample.event_id)
        before = chronicle.before(sample.event_id, 1)
        verb, verb_before = verbs[sample.event_id], before[0].verb if before else ""
        for where, shown in _observed(sample, config):
            example = example_of(shown, stats.get(sample.statistics_group), config)
            example = with_neighbours(example, chronicle, limits)
            if where != END:
                found.append(Asked(example, verb, verb_before, where))
            elif (later := asked_at_the_end(example)) is not None:
                after = chronicle.after(sample.event_id, 1)
                found.append(Asked(later, after[0].verb if after else "", verb, where))
    return found


def _observed(sample: EventSample, config: TrainConfig) -> Iterator[tuple[str, Shown]]:
    """The event from each place on. Heads look at one picture alone: no other is decoded."""
    times = sample.view_times_ns[sample.master_view]
    cameras = list(sample.views)[: config.data.max_views]
    inside = random.Random(sample.event_id).uniform(EARLIEST, LATEST)
    for where, share in ((START, 0.0), (INSIDE, inside), (END, 1.0)):
        now_ns = int(times[round((len(times) - 1) * share)])
        pixels = {}
        for camera in cameras:
            frame = max(int(np.searchsorted(sample.view_times_ns[camera], now_ns, side="right")) - 1, 0)
            pixels[camera] = decode_clip(sample.views[camera], frames=[frame] * FRAMES)
        if where == END:
            whole = np.linspace(times[0], times[-1], FRAMES).astype(np.int64)
            yield where, Shown(sample, len(times), pixels, whole)
        else:
            instants = np.linspace(now_ns, sample.span.end_ns, FRAMES).astype(np.int64)
            yield where, Shown(since(sample, now_ns), len(times), pixels, instants)


@dataclass(frozen=True)
class Shuffled:
    """Questions in an order that differs from epoch to epoch, ``PER_STEP`` a step."""

    examples: tuple[Example, ...]
    n_steps: int
    identity: str = "shuffled questions"

    def embodiments(self) -> tuple[Embodiment, ...]:
        """None: no checkpoint is kept."""
        return ()

    @contextmanager
    def read(self, start: int, rank: int, world: int) -> Iterator[Iterator[TrainStep]]:
        """All steps; one rank."""
        del rank, world
        yield (self._step(step) for step in range(start, self.n_steps))

    def _step(self, step: int) -> TrainStep:
        draws = range(step * PER_STEP, (step + 1) * PER_STEP)
        return TrainStep(step, (StepPack(tuple(draws), tuple(self._drawn(draw) for draw in draws)),))

    def _drawn(self, draw: int) -> Example:
        epoch, place = divmod(draw, len(self.examples))
        order = random.Random(epoch).sample(range(len(self.examples)), len(self.examples))
        return self.examples[order[place]]


def trained(questions: Sequence[Asked], steps: int) -> Heads:
    """The heads of `tiny-language` after the language stage."""
    config = replace(tiny_language(), stage="language")
    source = Shuffled(tuple(each.example for each in questions), steps)
    model = build(config.model, config.seed)
    trainer = Trainer(config, model, source, Ranks(0, 1, torch.device("cpu")))
    with source.read(0, 0, 1) as read:
        for step in read:
            line = trainer.advance(step)
            if line.step % 50 == 0:
                sys.stderr.write(f"{line}\n")
    assert model.language is not None
    return Heads(model.language.eval())


@dataclass(frozen=True)
class Baselines:
    """What training counts say."""

    caption_after: dict[str, str]
    verb_after: dict[str, str]
    seconds: dict[str, float]
    left: dict[str, float]

    @staticmethod
    def of(questions: Sequence[Asked]) -> "Baselines":
        """From the training questions."""
        captions: dict[str, Counter[str]] = defaultdict(Counter)
        verbs: dict[str, Counter[str]] = defaultdict(Counter)
        seconds: dict[str, dict[str, list[float]]] = {where: defaultdict(list) for where in (START, INSIDE, END)}
        for each in questions:
            for key in (each.before, ""):
                captions[key][each.caption] += 1
            for key in (each.verb_before, ""):
                verbs[key][each.verb] += 1
            for key in (each.verb, ""):
                seconds[each.where][key].append(each.seconds)
        whole, left = ({verb: statistics.median(v) for verb, v in seconds[where].items()} for where in (START, INSIDE))
        return Baselines(
            {key: found.most_common(1)[0][0] for key, found in captions.items()},
            {key: found.most_common(1)[0][0] for key, found in verbs.items()},
            whole,
            left,
        )

    def median(self, each: Asked) -> float:
        """Seconds of the verb's events less those that have passed; of all events where training has none of it."""
        return max(self.seconds.get(each.verb, self.seconds[""]) - each.elapsed, SHORTEST_S)

    def left_over(self, each: Asked) -> float:
        """What is left of the verb's events, asked somewhere inside them."""
        return self.left.get(each.verb, self.left[""])


def report(held_out: Sequence[Asked], train: Sequence[Asked], heads: Heads) -> Iterator[str]:
    """The lines of the table."""
    baselines = Baselines.of(train)
    verb_of = {each.caption: each.verb for each in train}
    yield f"{'asked':<14}{'events':>7}{'caption':>9}{'baseline':>10}{'verb':>7}{'baseline':>10}"
    times: list[tuple[str, list[Asked], list[float]]] = []
    for where in (START, INSIDE, END):
        own = [each for each in held_out if each.where == where]
        said = [answer for part in _parts(own) for answer in heads.say([each.example for each in part])]
        pairs = list(zip(own, said, strict=True))
        right = _share(answer.text == each.caption for each, answer in pairs)
        guess = _share(baselines.caption_after.get(each.before, "") == each.caption for each in own)
        verb = _share(_verb(answer.text, verb_of) == each.verb for each, answer in pairs)
        verb_guess = _share(baselines.verb_after.get(each.verb_before, "") == each.verb for each in own)
        yield f"{where:<14}{len(own):>7}{right:>9.3f}{guess:>10.3f}{verb:>7.3f}{verb_guess:>10.3f}"
        if where == END:
            yield from _over([(not each.caption, not answer.text) for each, answer in pairs])
            continue
        told = [
            second
            for part in _parts(own)
            for second in heads.seconds([each.example for each in part], [each.caption for each in part])
        ]
        times += [
            (f"{where}, own text", own, [answer.duration_s for answer in said]),
            (f"{where}, true text", own, told),
            (f"{where}, verb's median", own, [baselines.median(each) for each in own]),
        ]
        if where == INSIDE:
            times.append((f"{where}, median of what is left", own, [baselines.left_over(each) for each in own]))
    yield ""
    yield f"{'duration':<36}{'median |L̂−L|/L':>16}{'mean':>8}{'median L̂/L':>12}"
    for name, own, found in times:
        errors = [abs(hat - each.seconds) / each.seconds for each, hat in zip(own, found, strict=True)]
        bias = statistics.median(hat / each.seconds for each, hat in zip(own, found, strict=True))
        yield f"{name:<36}{statistics.median(errors):>16.3f}{statistics.fmean(errors):>8.3f}{bias:>12.3f}"


def _parts(own: Sequence[Asked]) -> Iterator[Sequence[Asked]]:
    return (own[first : first + BATCH] for first in range(0, len(own), BATCH))


def _over(pairs: Sequence[tuple[bool, bool]]) -> Iterator[str]:
    """Of episodes that were over and said to be: how many of those said were, and how many that were are said."""
    both = sum(true and said for true, said in pairs)
    said, true = sum(said for _, said in pairs), sum(true for true, _ in pairs)
    yield f"  over: {true} of {len(pairs)}; said of {said}, rightly of {both}"


def _verb(text: str, verb_of: dict[str, str]) -> str:
    """The verb of a caption: of the training caption itself, else of the one that shares its longest beginning."""
    if text in verb_of:
        return verb_of[text]
    return verb_of[max(verb_of, key=lambda known: (_agree(text, known), known))]


def _agree(a: str, b: str) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _share(found: Iterable[bool]) -> float:
    values = list(found)
    return sum(values) / len(values)


def main() -> None:
    """Read, train, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards", help="folder of a published shard set")
    parser.add_argument("--steps", type=int, default=1000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    shards, config = ShardSet.open(options.shards), replace(tiny_language(), stage="language")
    began = time.process_time()
    train, held_out = asked(shards, "train", config), asked(shards, "validation", config)
    read = time.process_time()
    heads = trained(train, options.steps)
    took = time.process_time() - read
    sys.stdout.write(
        f"{len(train)} questions in training, {options.steps} steps of {PER_STEP}, {took:.0f} CPU-s "
        f"(reading {read - began:.0f} CPU-s)\n\n"
    )
    for line in report(held_out, train, heads):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
