"""Distillation: a student of one to four steps, taught by where its samples differ from the teacher's, and by records.

Three copies of one network. The teacher is frozen. The fake score learns, by the ordinary loss, to denoise what the
student makes; ``ratio`` times per step of the student, so that it keeps up. The student moves along what the two
differ by (`trainer.compress.matching`), and, unless ``action_weight`` is 0, down the plain action loss at the levels it
will be asked at: without it, WALL-WM reports, the actions of the student are half as far off again (wall_wm.md §3.9).

A distillation is a training run (`trainer.loop`): same steps, ledger and log, and resumed it goes on bit for bit, since
all noise is a function of (seed, draw, purpose). The student's checkpoint is like any other; what only the run needs
of the fake score lies in ``fake/`` beside it.
"""

import hashlib
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import Optimizer

from trainer import checkpoint
from trainer.batch import ActionTokens, Batch, VideoTokens
from trainer.checkpoint import RunState, Trained
from trainer.compress.few_steps import Point, Still, guess, walk
from trainer.compress.matching import matching_gradient, matching_sum
from trainer.configs import TrainConfig
from trainer.device import to_device
from trainer.flow import Noise, Noised, Schedule, Sigmas, add_noise, draw_noise, generator_of, levels, rows_of
from trainer.loop import Ready, StepLog, Trainer
from trainer.losses import Counts, action_sum, counts, video_sum
from trainer.model.wam import WallWM
from trainer.optim import clip_gradients, optimisers, rate_factor, set_rate
from trainer.parallel import Ranks, spread, sum_gradients
from trainer.stages import freeze
from trainer.steps import StepPack, Steps, TrainStep

FAKE = "fake"
_LEVEL_SEED = 2_000_003
"""Keeps the choice of the student's step apart from all other draws."""


@dataclass(frozen=True)
class DistillConfig:
    """How a student is taught."""

    steps: int = 2
    """Euler steps it is asked in: 1 to 4."""
    ratio: int = 5
    """Steps of the fake score for each of the student."""
    match_weight: float = 1.0
    action_weight: float = 1.0
    """Of the plain action loss; 0: none."""
    rate: float = 0.1
    """The student's learning rates, of those the teacher was trained with."""
    fake_rate: float = 0.3
    betas: tuple[float, float] = (0.0, 0.999)
    """Without momentum: what moved the fake score a step ago is no longer true."""
    average: float = 0.99
    lowest: float = 0.02
    highest: float = 0.98
    """Noise levels at which distributions are compared; at 0 every sample is its own best guess, at 1 none is."""

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= 4:
            raise ValueError(f"a student of {self.steps} steps: expected 1 to 4")
        if self.ratio < 1:
            raise ValueError(f"{self.ratio} steps of the fake score per step of the student: expected at least 1")
        if not (self.match_weight or self.action_weight):
            raise ValueError("neither matching nor the action loss has a weight: nothing would be learnt")

    def student(self, teacher: TrainConfig) -> TrainConfig:
        """The configuration of the student's checkpoint. Raises ValueError for a teacher without actions."""
        if teacher.stage == "video":
            raise ValueError("the teacher has not learnt actions (stage 'video'): distil a joint or an action run")
        stage = teacher.stage if teacher.schedule.action is None else "action"
        rules = tuple(replace(rule, lr=rule.lr * self.rate) for rule in teacher.rules)
        return replace(
            teacher, stage=stage, rules=rules, betas=self.betas, average=self.average, sample_steps=self.steps
        )


@dataclass(frozen=True, kw_only=True)
class DistillLog(StepLog):
    """One line of the log. ``video`` and ``matching`` are half the mean square of the matching gradient of either side:
    how far teacher and fake score are apart, which need not fall; ``action`` is the plain action loss."""

    matching: float
    """Of the actions."""
    level: float
    """σ from which the student guessed."""
    fake: float
    """Mean loss of the fake score over this step's ``ratio`` steps."""


@dataclass(frozen=True, eq=False)
class _Lesson:
    """A pack, ready, with what of it the student makes rather than the record tells."""

    pack: StepPack
    ready: Ready
    made: Batch
    """The same pack, in which every action of a known dimension counts, also where the record is not trusted."""


class Distiller(Trainer):
    """A student in training, with its teacher and its fake score."""

    def __init__(self, config: TrainConfig, plan: DistillConfig, teacher: WallWM, steps: Steps, ranks: Ranks) -> None:
        """``config`` is the teacher's. Raises ValueError when it cannot teach."""
        if config.schedule.action is not None and config.spread == "shard" and ranks.world > 1:
            raise ValueError("actions alone are distilled on whole models: set spread='replicate', found 'shard'")
        self.plan, self.teacher_digest = plan, weights_digest(teacher)
        super().__init__(plan.student(config), deepcopy(teacher), steps, ranks)
        self.fake, self.teacher = deepcopy(teacher), teacher.requires_grad_(False).eval()
        freeze(self.fake, self.stage)
        for other in (self.fake, self.teacher):
            layers = chain(other.video.layers, other.action.blocks)
            spread(other, layers, ranks, config.spread, config.torch_dtype)
        rules = [replace(rule, lr=rule.lr * plan.fake_rate) for rule in config.rules]
        self.fake_optimisers: list[Optimizer] = optimisers(self.fake, rules, plan.betas)
        self.levels: list[float] = levels(plan.steps, self.config.sample_shift)[:-1].tolist()

    def advance(self, step: TrainStep) -> DistillLog:
        """``ratio`` steps of the fake score, one of the student."""
        lessons = [self._lesson(one) for one in step.packs]
        whole, made, (n_packs, n_events, n_tokens, flops) = self._whole(lessons)
        reached = self._reached()
        rate = rate_factor(
            self.step, self.steps.n_steps, self.config.warmup, round(self.config.cooldown * self.steps.n_steps)
        )
        fake = torch.zeros((), dtype=torch.float64)
        for turn in range(self.plan.ratio if self.plan.match_weight else 0):
            _clear(self.fake_optimisers)
            for lesson, weight in self._weighted(lessons):
                fake += self._teach_fake(lesson, made, weight, turn, reached)
            self._move(self.fake, self.fake_optimisers, rate)
        _clear(self.optimisers)
        losses = torch.zeros(3, dtype=torch.float64)
        for lesson, weight in self._weighted(lessons):
            losses += self._teach_student(lesson, whole, made, weight, reached)
        norm = self._move(self.model, self.optimisers, rate)
        if self.average is not None:
            self.average.update()
        self.step += 1
        video, matching, action, fake_loss = self.ranks.summed([*losses.tolist(), fake.item() / self.plan.ratio])
        return DistillLog(
            step=self.step,
            loss=self.plan.match_weight * (video + matching) + self.plan.action_weight * action,
            video=video,
            action=action,
            gradient_norm=norm,
            rate=rate,
            packs=n_packs,
            events=n_events,
            tokens=n_tokens,
            flops=flops,
            next_event=0.0,
            remaining=0.0,
            aligned=0.0,
            chain=0.0,
            matching=matching,
            level=reached[-1],
            fake=fake_loss,
        )

    def _lesson(self, one: StepPack) -> _Lesson:
        ready = self._ready(one)
        action = ready.batch.action
        mask_SA = action.known_SA & ~action.observed_S[:, None]
        return _Lesson(one, ready, replace(ready.batch, action=replace(action, mask_SA=mask_SA)))

    def _whole(self, lessons: Sequence[_Lesson]) -> tuple[Counts, Counts, list[int]]:
        """What recorded and made losses are divided by; packs, events, tokens, operations of plain training."""
        reduce, sums = self.config.loss.reduce, [0.0] * 8
        for lesson in lessons:
            made = counts(lesson.made, reduce)
            ready = lesson.ready
            sizes = (1, ready.n_events, ready.n_tokens, ready.flops)
            own = (ready.counts.video, ready.counts.action, made.video, made.action, *sizes)
            sums = [a + b for a, b in zip(sums, own, strict=True)]
        sums = self.ranks.summed(sums)
        return Counts(*sums[:2]), Counts(*sums[2:4]), [round(value) for value in sums[4:]]

    def _weighted(self, lessons: Sequence[_Lesson]) -> Iterator[tuple[_Lesson, float]]:
        of = {id(lesson.ready): lesson for lesson in lessons}
        for ready, weight in self._passes([lesson.ready for lesson in lessons]):
            yield of[id(ready)], weight

    def _reached(self) -> list[float]:
        """The levels the student passes in this step: to one of its own, the same on all ranks."""
        coin = torch.rand((), generator=generator_of(self.config.seed + _LEVEL_SEED, self.step)).item()
        return self.levels[: 1 + int(coin * len(self.levels))]

    def _teach_fake(self, lesson: _Lesson, made: Counts, weight: float, turn: int, reached: Sequence[float]) -> Tensor:
        """Add the gradient of the ordinary loss on what the student makes; the loss."""
        with torch.no_grad(), self.precision():
            still = self._still(lesson)
            sample = self._sample(lesson, still, 2 * turn, reached)
        batch, noise, noised = self._noised(lesson, sample, still, 2 * turn + 1)
        with self.precision():
            if still is None:
                predicted = self.fake(batch, noised)
                video_TP, action_SA = predicted.video_TP, predicted.action_SA
            else:
                video_TP = None
                action_SA, _ = self.fake.action(
                    batch, still.states, noised.action_SA, noised.action_sigma_R, self.fake.window
                )
        loss = action_sum(action_SA, batch, noised, noise, self.config.loss) / max(made.action, 1.0)
        if video_TP is not None and self.stage.video_loss:
            loss = loss + video_sum(video_TP, batch, noise, self.config.loss) / max(made.video, 1.0)
        (loss * weight).backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward without annotations
        return loss.detach().double().cpu() * weight

    def _teach_student(
        self, lesson: _Lesson, whole: Counts, made: Counts, weight: float, reached: Sequence[float]
    ) -> Tensor:
        """Add the student's gradient; what it was moved by, [3]: matching of video and actions, and the action loss."""
        plan, zero = self.plan, torch.zeros((), device=self.ranks.device)
        with torch.no_grad(), self.precision():
            still = self._still(lesson)
        video, matching = self._matching(lesson, made, still, reached) if plan.match_weight else (zero, zero)
        action = self._action_loss(lesson, whole, still, reached[-1]) if plan.action_weight else zero
        loss = plan.match_weight * (video + matching) + plan.action_weight * action
        (loss * weight).backward()  # type: ignore[no-untyped-call]  # see above
        return torch.stack([video.detach(), matching.detach(), action.detach()]).double().cpu() * weight

    def _matching(
        self, lesson: _Lesson, made: Counts, still: Still | None, reached: Sequence[float]
    ) -> tuple[Tensor, Tensor]:
        """What moves a fresh sample of the student, video and actions."""
        with self.precision():
            sample = self._sample(lesson, still, 2 * self.plan.ratio, reached)
        batch, _, noised = self._noised(lesson, sample, still, 2 * self.plan.ratio + 1)
        prediction, reduce = self.config.loss.action_prediction, self.config.loss.reduce
        with torch.no_grad(), self.precision():
            real = guess(self.teacher, batch, noised, still, prediction)
            fake = guess(self.fake, batch, noised, still, prediction)

        def pulled(x_TP: Tensor, real_TP: Tensor, fake_TP: Tensor, of: VideoTokens | ActionTokens) -> Tensor:
            mask_TP, event_T = (of.mask_TP, of.event_T) if isinstance(of, VideoTokens) else (of.mask_SA, of.event_S)
            pull_TP = matching_gradient(x_TP, real_TP, fake_TP, mask_TP, event_T, batch.n_events)
            return matching_sum(x_TP, pull_TP, mask_TP, event_T, batch.n_events, reduce)

        action = pulled(sample.action_SA, real.action_SA, fake.action_SA, batch.action) / max(made.action, 1.0)
        if not self.stage.video_loss:
            return torch.zeros_like(action), action
        video = pulled(sample.video_TP, real.video_TP, fake.video_TP, batch.video) / max(made.video, 1.0)
        return video, action

    def _action_loss(self, lesson: _Lesson, whole: Counts, still: Still | None, level: float) -> Tensor:
        """The plain action loss on recorded actions, at the student's level."""
        batch, noise = lesson.ready.batch, lesson.ready.noise
        at = torch.full_like(noise.action_sigma_D, level)
        noise = replace(noise, action_sigma_D=at)
        if still is None:
            noise = replace(noise, video_sigma_E=torch.full_like(noise.video_sigma_E, level))
        noised = add_noise(batch, noise)
        with self.precision():
            if still is None:
                action_SA = self.model(batch, noised).action_SA
            else:
                action_SA, _ = self.model.action(
                    batch, still.states, noised.action_SA, noised.action_sigma_R, self.model.window
                )
        return action_sum(action_SA, batch, noised, noise, self.config.loss) / max(whole.action, 1.0)

    def _still(self, lesson: _Lesson) -> Still | None:
        """The video the actions are made before, where it stands still: the recorded one, noised as in training."""
        if self.config.schedule.action is None:
            return None
        batch, noise = lesson.ready.batch, lesson.ready.noise
        noised = add_noise(batch, noise)
        watched = self.teacher.watch(batch, noised.video_TP, noised.video_sigma_R)
        return Still(noised.video_TP, noise.video_sigma_E, watched.states)

    def _sample(self, lesson: _Lesson, still: Still | None, purpose: int, reached: Sequence[float]) -> Point:
        """What the student makes from fresh noise."""
        noise = self._noise(lesson.pack, purpose)
        start = Point(noise.video_TP, noise.action_SA)
        return walk(self.model, lesson.made, start, reached, still, self.config.loss.action_prediction)

    def _noised(self, lesson: _Lesson, sample: Point, still: Still | None, purpose: int) -> tuple[Batch, Noise, Noised]:
        """The sample in the record's place, its noise, and both together."""
        made, noise = lesson.made, self._noise(lesson.pack, purpose)
        batch = replace(
            made,
            video=replace(made.video, clean_TP=sample.video_TP.detach()),
            action=replace(made.action, clean_SA=sample.action_SA.detach()),
        )
        noised = add_noise(batch, noise)
        if still is not None:
            noised = replace(noised, video_TP=still.video_TP, video_sigma_R=rows_of(still.video_sigma_E))
        return batch, noise, noised

    def _noise(self, one: StepPack, purpose: int) -> Noise:
        """ε for a pack and one purpose, and the level at which distributions are compared."""
        schedule = self.config.schedule
        uniform = Sigmas("uniform", self.config.sample_shift)
        compared = Schedule(uniform, None if schedule.action is None else uniform, schedule.action_draws)
        seed = self.config.seed + 7_919 * (1 + purpose)
        noise = draw_noise(one.examples, one.draws, seed, compared)
        low, high = self.plan.lowest, self.plan.highest
        return to_device(
            replace(
                noise,
                video_sigma_E=noise.video_sigma_E.clamp(low, high),
                action_sigma_D=noise.action_sigma_D.clamp(low, high),
            ),
            self.ranks.device,
        )

    def _move(self, model: WallWM, made: Sequence[Optimizer], rate: float) -> float:
        """One optimiser step; the gradient's norm before clipping."""
        sum_gradients(model, self.ranks)
        norm = clip_gradients(model.parameters(), self.config.clip)
        set_rate(made, rate)
        for optimiser in made:
            optimiser.step()
        return norm

    def run_state(self) -> RunState:
        """As a training run's; another teacher or plan is another run."""
        own = super().run_state()
        what = f"{own.config}:{self.plan!r}:{self.teacher_digest}"
        return replace(own, config=hashlib.sha256(what.encode()).hexdigest())

    def save(self, out: Path) -> Path:
        """Write both checkpoints, the fake score first: the student's is the one that counts."""
        checkpoint.save(out / FAKE, self.run_state(), self._of_fake, self.ranks, "{}\n")
        return super().save(out)

    def restore(self, folder: Path) -> None:
        """Continue from a student's checkpoint. Raises ValueError when it belongs to another run."""
        super().restore(folder)
        checkpoint.load(checkpoint.folder_of(folder.parent / FAKE, self.step), self._of_fake, self.ranks)

    @property
    def _of_fake(self) -> Trained:
        return Trained(self.fake, self.fake_optimisers, None)


def _clear(made: Sequence[Optimizer]) -> None:
    for optimiser in made:
        optimiser.zero_grad(set_to_none=True)


def weights_digest(model: WallWM) -> str:
    """What a teacher is known by: its weights, wherever they were read from."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
