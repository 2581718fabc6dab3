"""Ablations: what events, balance, boundaries, words and recoveries are worth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from jobs.commands.terminal import ERR, OUT, AsJson, shards_of, teaching_errors

commands = typer.Typer()


@commands.command()
def ablate(
    ablation: Annotated[Path, typer.Argument(metavar="ABLATION", help="The ablation's file (YAML).")],
    out: Annotated[Path, typer.Option(help="Folder for cells, rows, summary and report; goes on where it was.")],
    as_json: AsJson = False,
) -> None:
    """Train one model per arm and seed on equal tokens, let all loose on the same scenes, and compare."""
    from jobs.ablate import ablate as complete
    from jobs.ablate_judge import SimulatorJudge
    from jobs.ablate_summary import verdict
    from jobs.ablate_write import PAGE, SUMMARY, write_ablation
    from pipeline.loader.reader import ShardSet
    from schemas.recipe_ablate import AblateErrors, read_ablation

    with teaching_errors():
        try:
            spec = read_ablation(ablation)
        except AblateErrors as errors:
            for problem in errors.problems:
                ERR.print(problem, style="red", markup=False, highlight=False, soft_wrap=True)
            raise typer.Exit(2) from None
        folder, storage = shards_of(spec.shards)
        spec = spec.model_copy(update={"shards": folder})
        judge = SimulatorJudge(folder, spec.judged.simulator, storage)
        found = complete(spec, out, judge, lambda line: None if as_json else OUT.print(line, markup=False), storage)
        judge.close()
        summaries = write_ablation(spec, found, out, ShardSet.open(folder, storage).shard_set_id)
        if as_json:
            typer.echo(json.dumps(json.loads((out / SUMMARY).read_text(encoding="utf-8"))))
            return
        for each in summaries:
            line = f"{each.arm}: {each.progress.mean:.1f} ({each.progress.low:.1f} … {each.progress.high:.1f})"
            if each.difference is not None:
                less = each.difference
                line += f"; less base {less.mean:+.1f} ({less.low:+.1f} … {less.high:+.1f}): {verdict(less)}"
            OUT.print(line, markup=False, highlight=False, soft_wrap=True)
        OUT.print(f"report: {out / PAGE}", markup=False, highlight=False, soft_wrap=True)
