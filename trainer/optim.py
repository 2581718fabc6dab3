"""Which parameter is moved by what: routing by name, first match wins, no parameter left over.

A parameter nobody claimed would silently never train, so that is an error. Muon orthogonalises the update of a
matrix and takes matrices only; norms, biases, embeddings, modulation tables and heads go to AdamW, and so does
``W_view``, whose first gradients are nearly rank-deficient: orthogonalising them would amplify noise.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer

from trainer.dion_library import dion2, dion_muon

BLOCK_MATRICES = r"\.(block|blocks\.\d+)\.(\w*attn\.[qkvo]|ffn\.\d)\.weight$|\.view\.attn\.[qkv]\.weight$"
NO_DECAY = (
    r"(\.bias|modulation|angles|norm\w*\.weight|tau\.weight|table\.weight"
    r"|language\.(encoder\.(word|kind|view)|decoder\.byte)\.weight|language\.query"
    r"|staircase\.(slot|step|place)|window\.\w+\.weight)$"
)


Algorithm: TypeAlias = Literal["adamw", "muon", "dion-muon", "dion2"]
"""The last two are of a library that is imported when asked for (`trainer.dion_library`)."""


@dataclass(frozen=True)
class ParameterRule:
    """Parameters whose name matches ``pattern`` (`re.search`) and how they are moved."""

    name: str
    pattern: str
    algorithm: Algorithm
    lr: float
    weight_decay: float


def adamw_rules(lr: float, weight_decay: float) -> tuple[ParameterRule, ...]:
    """AdamW for everything; vectors and tables without decay."""
    return (
        ParameterRule("vectors", NO_DECAY, "adamw", lr, 0.0),
        ParameterRule("matrices", "", "adamw", lr, weight_decay),
    )


def muon_rules(lr: float, weight_decay: float, algorithm: Algorithm = "muon") -> tuple[ParameterRule, ...]:
    """Muon (or a library's) for the matrices of the blocks, AdamW for the rest."""
    return (ParameterRule(algorithm, BLOCK_MATRICES, algorithm, lr, weight_decay), *adamw_rules(lr, weight_decay))


def language_rules(lr: float, weight_decay: float) -> tuple[ParameterRule, ...]:
    """AdamW at a rate of their own for language heads and Staircase; to stand before the rules of the towers."""
    own = r"^(?=language\.|staircase\.)"
    return (
        ParameterRule("language vectors", f"{own}.*{NO_DECAY}", "adamw", lr, 0.0),
        ParameterRule("language matrices", own, "adamw", lr, weight_decay),
    )


def route(names: Iterable[str], rules: Sequence[ParameterRule]) -> dict[str, ParameterRule]:
    """Each name's rule. Raises ValueError listing the names no rule claims."""
    chosen = {name: next((rule for rule in rules if re.search(rule.pattern, name)), None) for name in names}
    left = [name for name, rule in chosen.items() if rule is None]
    if left:
        raise ValueError(f"{len(left)} parameters are claimed by no rule, first {left[:3]}: add a rule or freeze them")
    return {name: rule for name, rule in chosen.items() if rule is not None}


def optimisers(model: nn.Module, rules: Sequence[ParameterRule], betas: tuple[float, float]) -> list[Optimizer]:
    """AdamW and, where a rule asks for it, Muon over the parameters that require gradients, one group per rule."""
    named = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    routed = route(named, rules)
    groups: dict[Algorithm, list[dict[str, Any]]] = {"adamw": [], "muon": [], "dion-muon": [], "dion2": []}
    for rule in rules:
        members: list[Tensor] = [named[name] for name, chosen in routed.items() if chosen is rule]
        if members:
            # `base_lr` stays; the schedule rewrites `lr` at every step.
            group = {"params": members, "lr": rule.lr, "base_lr": rule.lr, "weight_decay": rule.weight_decay}
            groups[rule.algorithm].append(group)
    made: list[Optimizer] = []
    if groups["adamw"]:
        made.append(AdamW(groups["adamw"], betas=betas))
    if groups["muon"]:
        made.append(Muon(groups["muon"], adjust_lr_fn="match_rms_adamw"))
    if groups["dion-muon"]:
        made.append(dion_muon(groups["dion-muon"]))
    if groups["dion2"]:
        made.append(dion2(groups["dion2"]))
    return made


def set_rate(made: Sequence[Optimizer], factor: float) -> None:
    """Every group at ``factor`` times its own learning rate."""
    for optimiser in made:
        for group in optimiser.param_groups:
            group["lr"] = group["base_lr"] * factor


def rate_factor(step: int, steps: int, warmup: int, cooldown: int) -> float:
    """Learning rate of step ``step`` (from 0) of ``steps``: linear warm-up, constant, linear cool-down to zero."""
    rising = (step + 1) / warmup if step < warmup else 1.0
    falling = (steps - step) / (cooldown + 1) if steps - step <= cooldown else 1.0
    return min(rising, falling)


def clip_gradients(parameters: Iterable[Tensor], limit: float) -> float:
    """Scale gradients to a norm of at most ``limit``; the norm before."""
    return float(torch.nn.utils.clip_grad_norm_(parameters, limit))
