"""The app shows a deed before the server has it, so both must make the same of it: random operations through both."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from annotators.review.document import Document, problems
from annotators.review.log import dump_change, dump_document, load_document
from annotators.review.operation import Operation, OperationError, applied, change_of, concerns
from schemas.event import Level, ReviewState, Verb
from tests.annotators.review.app.review_page import ReviewPage
from tests.annotators.review.live import served
from tests.annotators.review.made import made
from tests.browser import chromium

OPERATION: TypeAdapter[Operation] = TypeAdapter(Operation)
N_SEQUENCES, N_OPERATIONS = 60, 25
CUTS = {0: 0, 40: 3, 46: 3, 52: 2, 100: 2, 160: 3, 200: 1, 260: 2, 300: 0}
CAPTIONS = ("lift the cup", "", "  spaces\u00a0", "\x1fodd\x85", "größer ", "\ufeffmark")

THROUGH = """async ([start, sequences]) => {
  const { changeOf, applied, concerns, OperationError } = await import("/app/operation.js");
  const { problems } = await import("/app/document.js");
  return sequences.map((operations) => {
    let document = start;
    const said = operations.map((operation) => {
      try {
        const change = changeOf(document, operation);
        const told = [change, concerns(document, change)];
        document = applied(document, change);
        return told;
      } catch (error) {
        if (!(error instanceof OperationError)) throw error;
        return null;
      }
    });
    return [said, document, problems(document)];
  });
}"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewPage]:
    folder: Path = tmp_path_factory.mktemp("rules")
    with served(folder) as server, chromium() as browser:
        tab = ReviewPage(browser.new_context(), server)
        tab.sign_in()
        yield tab
        tab.done()


def random_operation(draw: random.Random, document: Document) -> dict[str, Any]:
    """Mostly what people do, and now and then nonsense."""
    names = [*document.boundaries, "gone-boundary"]
    name, frame = draw.choice(names), draw.randint(-3, document.n_frames + 3)
    near = document.boundaries[name].frame + draw.randint(-12, 12) if name in document.boundaries else frame
    level = draw.choice(list(Level))
    state = draw.choice(list(ReviewState))
    kinds: list[dict[str, Any]] = [
        {"kind": "move", "boundary_id": name, "frame": near},
        {"kind": "move", "boundary_id": name, "frame": frame},
        {"kind": "split", "boundary_id": f"new-{draw.randint(0, 30):05}", "frame": frame, "rank": draw.randint(0, 3)},
        {"kind": "merge", "boundary_id": name, "keep": draw.choice(["left", "right"])},
        {"kind": "rank", "boundary_id": name, "rank": draw.randint(0, 3)},
        {"kind": "label", "level": level, "boundary_id": name, "caption": draw.choice(CAPTIONS),
         "verb": draw.choice(list(Verb)), "objects": draw.choice([[], ["cup"], ["cup", "lid"]]),
         "arm": draw.choice([None, "left"])},
        {"kind": "decide", "entity": f"boundary:{name}", "state": state, "reason": ""},
        {"kind": "decide", "entity": f"label:{level}:{name}", "state": state, "reason": "why"},
    ]  # fmt: skip
    return draw.choice(kinds)


def through_python(start: Document, draw: random.Random) -> tuple[list[dict[str, Any]], list[Any], Document]:
    document, operations, said = start, [], []
    for _ in range(N_OPERATIONS):
        operation = random_operation(draw, document)
        operations.append(operation)
        try:
            change = change_of(document, OPERATION.validate_python(operation))
        except OperationError:
            said.append(None)
            continue
        said.append([dump_change(change), sorted(concerns(document, change))])
        document = applied(document, change)
    return operations, said, document


def test_the_app_makes_of_every_operation_what_the_server_makes(page: ReviewPage) -> None:
    start = made(CUTS)
    runs = [through_python(start, random.Random(seed)) for seed in range(0, 2 * N_SEQUENCES, 2)]
    answers = page.js(THROUGH, [dump_document(start), [operations for operations, _, _ in runs]])
    for (operations, said, document), (said_there, shown, broken) in zip(runs, answers, strict=True):
        for operation, here, there in zip(operations, said, said_there, strict=True):
            assert there == here, operation
        assert load_document(shown).sha256 == document.sha256
        assert broken == problems(document) == []
    assert sum(one is None for _, said, _ in runs for one in said) > N_SEQUENCES, "nonsense must have been tried"
    assert sum(one is not None for _, said, _ in runs for one in said) > 5 * N_SEQUENCES


def test_the_app_knows_the_verbs_of_the_schema(page: ReviewPage) -> None:
    verbs = page.js('import("/app/verbs.js").then((module) => module.VERBS)')
    assert verbs == [str(verb) for verb in Verb]
