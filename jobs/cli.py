"""The ``joinery`` command: the product, one verb at a time. `joinery --help` lists the verbs.

Commands take the recipe: it names the workspace and decides which results are current. ``--json`` prints one
machine-readable document instead of tables. The verbs themselves are in `jobs/commands/`.
"""

import typer

from jobs.commands import (
    ablating,
    cards,
    compressing,
    evaluating,
    forgetting,
    judging,
    judging_models,
    looking,
    operating,
    policies,
    pretrained,
    recovering,
    reporting,
    reviewing,
    running,
    shard_sets,
    spending,
)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Carve robot and human video at its joints: recordings in, captioned events out as balanced shards.",
)
for group in (
    running,
    looking,
    spending,
    judging,
    judging_models,
    evaluating,
    ablating,
    reporting,
    forgetting,
    operating,
):
    app.add_typer(group.commands)
app.add_typer(recovering.commands, name="recover")
app.add_typer(cards.commands, name="card")
app.add_typer(reviewing.commands, name="review")
app.add_typer(shard_sets.commands)
app.add_typer(policies.commands, name="policy")
app.add_typer(compressing.commands, name="compress")
app.add_typer(pretrained.commands)


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
