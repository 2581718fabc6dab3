"""Whatever servers do, every request gets its own answer or an error that says whose fault it is; never success."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from annotators.vlm.client import ServerAsker
from annotators.vlm.endpoint import Server
from annotators.vlm.request import Answer, Call, Refusal, Request, Stop
from annotators.vlm.secret import Secret
from pipeline.errors import ServiceError
from schemas.recipe_vlm import Endpoint, VlmServersSpec, VlmSpec
from tests.annotators.vlm.faulty_server import MODEL, Running, faulty_server

VLM = VlmSpec(model=MODEL, revision="1")
QUICK: dict[str, Any] = {
    "attempts": 3,
    "first_pause_s": 0.02,
    "longest_pause_s": 0.1,
    "patience_s": 30.0,
    "timeouts": {"connect_s": 10.0, "first_byte_s": 30.0, "whole_s": 60.0},
}
"""On a busy machine a tenth of a second becomes a second: no test but those about time-outs may run into one."""
IMPATIENT: dict[str, Any] = {"timeouts": {"connect_s": 1.0, "first_byte_s": 0.4, "whole_s": 0.8}}
PICTURES = (b"not looked at", b"by this server")


def request(number: int, faults: str = "", then: str = "") -> Request:
    text = f"faults={faults} then={then} id={number}"
    return Request(Call.TREE, f"ev-{number}", VLM.identity, "You see.", PICTURES, text, "{}", 100)


def asker(*servers: Running, key: Secret | None = None, **changes: Any) -> ServerAsker:
    spec = VlmServersSpec.model_validate({"endpoints": [{"url": server.url} for server in servers]} | QUICK | changes)
    return ServerAsker(VLM, [Server(server.url, key) for server in servers], spec)


def numbers(requests: Sequence[Request], answers: Sequence[Answer]) -> dict[str, str]:
    """Subject of each request → the id its answer quotes; raises where a request has no answer."""
    by_key = {answer.key: answer for answer in answers}
    assert len(by_key) == len(answers), "an answer came twice"
    return {each.subject: json.loads(by_key[each.key].text)["id"] for each in requests}


def own(requests: Sequence[Request]) -> dict[str, str]:
    return {each.subject: each.subject.removeprefix("ev-") for each in requests}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with faulty_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def server(shared: Running) -> Iterator[Running]:
    """A server that has not been asked anything yet, and is well when it has been killed."""
    shared.forget()
    yield shared
    shared.revive()


def test_answers_out_of_order_are_joined_to_their_questions(server: Running) -> None:
    requests = [request(i, faults=f"slow:{0.01 * ((i * 7) % 10)}") for i in range(60)]
    answers = answered(asker(server), requests + requests[:10])
    assert [answer.key for answer in answers] != [each.key for each in requests], "they came in order: nothing is shown"
    assert numbers(requests, answers) == own(requests)
    assert sorted(server.asked()) == sorted(each.text for each in requests), "each is asked once"


FAULTS = [
    "500",
    "502",
    "503",
    "408",
    "409",
    "429",
    "hang",
    "drip",
    "drop",
    "close",
    "html",
    "empty",
    "list",
    "nochoices",
]
FAULTS += ["twochoices", "othermodel", "otherid", "null", "blank", "nousage", "abort", "gzip"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_survived_and_counted(server: Running, fault: str) -> None:
    requests = [request(0, faults=fault), request(1)]
    silent = IMPATIENT if fault in ("hang", "drip") else {}
    answers = answered(asker(server, **silent), requests)
    assert numbers(requests, answers) == own(requests)
    assert {answer.key: answer.attempts for answer in answers}[requests[0].key] == 2


@pytest.mark.parametrize("fault", ["500", "drop", "html", "nochoices", "othermodel", "otherid", "null", "nousage"])
def test_what_never_mends_is_the_requests_fault_where_others_are_answered(server: Running, fault: str) -> None:
    bad, *others = [request(0, then=fault), *(request(i) for i in range(1, 5))]
    answers, refusals, error = collected(asker(server), [bad, *others])
    assert error is None
    assert numbers(others, answers) == own(others)
    assert [refusal.key for refusal in refusals] == [bad.key]
    assert refusals[0].gave_up
    assert "failed 3 times" in refusals[0].reason
    assert "other requests are answered" in refusals[0].reason
    assert len(server.asked()) == 3 + 4


def collected(who: ServerAsker, requests: Sequence[Request]) -> tuple[list[Answer], list[Refusal], ServiceError | None]:
    """All answers and refusals, and the error after them."""
    found: list[Answer | Refusal] = []
    raised = None
    try:
        for answer in who.ask(requests):
            found.append(answer)  # noqa: PERF402 - an error must not lose them
    except ServiceError as error:
        raised = error
    answers = [each for each in found if isinstance(each, Answer)]
    return answers, [each for each in found if isinstance(each, Refusal)], raised


def answered(who: ServerAsker, requests: Sequence[Request]) -> list[Answer]:
    """The answers where there is nothing else."""
    answers, refusals, error = collected(who, requests)
    assert (refusals, error) == ([], None)
    return answers


@pytest.mark.parametrize("status", ["400", "413", "422", "refuse"])
def test_a_refused_request_is_its_own_fault_and_is_not_tried_again(server: Running, status: str) -> None:
    bad, *others = [request(0, then=status), *(request(i, faults="slow:0.1") for i in range(1, 5))]
    answers, refusals, error = collected(asker(server), [bad, *others])
    assert ([(refusal.key, refusal.gave_up) for refusal in refusals], error) == ([(bad.key, False)], None)
    assert numbers(others, answers) == own(others)
    assert sorted(server.asked()) == sorted(each.text for each in [bad, *others])


def test_a_truncated_answer_is_an_answer_that_says_so(server: Running) -> None:
    (answer,) = answered(asker(server), [request(0, then="length")])
    assert (answer.stop, answer.text) == (Stop.TRUNCATED, '{"id')


@pytest.mark.parametrize("door", [401, 403])
@pytest.mark.parametrize("key", [None, Secret("sk-wrong")])
def test_a_closed_door_ends_the_run_at_once_and_no_key_is_shown(tmp_path: Path, door: int, key: Secret | None) -> None:
    with faulty_server(tmp_path, "--key", "sk-right", "--door", str(door)) as server:
        answers, refusals, error = collected(asker(server, key=key), [request(i) for i in range(20)])
        assert (answers, refusals, type(error)) == ([], [], ServiceError)
        assert server.url in str(error)
        assert str(door) in str(error)
        assert "under key" in str(error)
        assert "sk-" not in str(error)
        assert server.calls() == ["not let in"]


def test_the_right_key_opens_and_is_blanked_where_a_server_quotes_it(tmp_path: Path) -> None:
    key = Secret("sk-right")
    with faulty_server(tmp_path, "--key", "sk-right") as server:
        answers, refusals, error = collected(asker(server, key=key), [request(0), request(1, then="quote")])
    assert len(answers) == 1
    assert error is None
    assert "bad: Bearer ***" in refusals[0].reason
    assert "sk-right" not in f"{refusals!r} {key!r} {key} {Server(server.url, key)!r}"


@pytest.mark.parametrize("quoted", ["quote:0", "quote:181", "page:0", "page:180", "decline:0", "decline:186"])
def test_no_beginning_of_a_key_is_shown_wherever_a_server_quotes_it(tmp_path: Path, quoted: str) -> None:
    key = Secret("sk-right-and-rather-long")
    with faulty_server(tmp_path, "--key", key.reveal()) as server:
        _, refusals, error = collected(asker(server, key=key), [request(0, then=quoted)])
    assert error is None
    assert "Bearer" in refusals[0].reason, "it was not quoted: nothing is shown"
    assert "sk-r" not in refusals[0].reason


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--ignore-schema",), "ignores response_format: it wrote 'Hello, dear reader.'"),
        (("--served-model-name", "other"), r"serves \['other'\], expected 'tiny-vl'"),
        (("--blind",), "serve a model that sees"),
    ],
)
def test_a_server_that_is_not_what_it_should_be_is_told_so(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    with faulty_server(tmp_path, *options) as server:
        with pytest.raises(ServiceError, match=said):
            asker(server).check()
        answers, refusals, error = collected(asker(server), [request(0)])
        assert (answers, refusals, type(error)) == ([], [], ServiceError)
        assert server.asked() == []


def test_a_web_page_is_no_server(tmp_path: Path, server: Running) -> None:
    spec = VlmServersSpec(endpoints=[Endpoint(url=server.url)])
    wrong = ServerAsker(VLM, [Server(server.url.removesuffix("/v1") + "/health#")], spec)
    with pytest.raises(ServiceError, match="up to and including /v1"):
        wrong.check()


def test_ids_are_compared_only_where_a_server_echoes_them(tmp_path: Path) -> None:
    with faulty_server(tmp_path, "--no-echo") as server:
        (answer,) = answered(asker(server), [request(0)])
    assert json.loads(answer.text) == {"id": "0"}


def test_a_server_that_dies_and_comes_back_loses_nothing(server: Running) -> None:
    """It dies twice with requests in flight; somebody starts it again, as a supervisor would."""
    requests = [request(i, faults="die" if i in (10, 30) else "slow:0.02") for i in range(60)]
    lives = 1
    over = threading.Event()

    def supervise() -> None:
        nonlocal lives
        while not over.wait(0.05):
            if server.process is not None and server.process.poll() is not None:
                lives += 1
                server.start()

    supervisor = threading.Thread(target=supervise)
    supervisor.start()
    try:
        answers = answered(asker(server, patience_s=30.0, attempts=6), requests)
    finally:
        over.set()
        supervisor.join()
    assert lives == 3
    assert numbers(requests, answers) == own(requests)


def test_a_server_that_comes_back_as_another_is_found_out(server: Running) -> None:
    who = asker(server)
    assert len(answered(who, [request(0)])) == 1
    server.kill()
    server.start("--served-model-name", "other")
    answers, _, error = collected(who, [request(1)])
    assert answers == []
    assert "serves ['other']" in str(error)


@pytest.mark.parametrize("trouble", ["absent", "hangs"])
def test_a_second_endpoint_carries_on_alone(tmp_path: Path, server: Running, trouble: str) -> None:
    with faulty_server(tmp_path / "second", start=trouble == "hangs") as second:
        if trouble == "hangs":
            warm = answered(asker(second), [request(99)])
            assert len(warm) == 1
            second.process.send_signal(19)  # type: ignore[union-attr]  # SIGSTOP: it accepts and never answers
        requests = [request(i, faults="slow:0.01") for i in range(30)]
        started = time.monotonic()
        answers = answered(asker(second, server, concurrency=4, **IMPATIENT), requests)
    assert numbers(requests, answers) == own(requests)
    assert time.monotonic() - started < 30


def test_requests_are_spread_and_one_that_failed_goes_elsewhere(tmp_path: Path, server: Running) -> None:
    with faulty_server(tmp_path / "second") as second:
        who = asker(server, second, concurrency=100, attempts=2)
        who.check()
        answered(who, [request(i, faults="slow:0.2") for i in range(40)])
        assert [15 < len(each.asked()) < 25 for each in (server, second)] == [True, True]
        _, refusals, _ = collected(who, [request(99, then="500")])
        assert len(refusals) == 1
        assert [sum("id=99" in text for text in each.asked()) for each in (server, second)] == [1, 1]


def test_patience_ends_with_an_error_that_names_every_endpoint(tmp_path: Path) -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(faulty_server(tmp_path / str(i), start=False)) for i in range(2)]
        started = time.monotonic()
        answers, _, error = collected(asker(*servers, patience_s=0.5), [request(i) for i in range(20)])
    assert answers == []
    assert isinstance(error, ServiceError)
    assert all(server.url in str(error) for server in servers)
    assert 0.5 <= time.monotonic() - started < 20


def test_servers_that_answer_nobody_are_to_blame_themselves(server: Running) -> None:
    """A server that fails a request and then its own check ends the run; no request is called bad for it."""
    who = asker(server, patience_s=1.0)
    assert len(answered(who, [request(0)])) == 1
    answers, refusals, error = collected(who, [request(1, faults="500,500", then="die")])
    assert (answers, refusals, type(error)) == ([], [], ServiceError)
    assert "no server passes its check" in str(error)


def test_retry_after_is_honoured(server: Running) -> None:
    started = time.monotonic()
    (answer,) = answered(asker(server), [request(0, faults="429:1")])
    assert answer.attempts == 2
    assert time.monotonic() - started >= 1.0


def test_being_turned_away_for_good_ends_the_run(server: Running) -> None:
    answers, refusals, error = collected(asker(server), [request(0, then="429")])
    assert (answers, refusals, type(error)) == ([], [], ServiceError)
    assert "lower concurrency" in str(error)
    assert len(server.asked()) == 3


def test_whoever_stops_reading_stops_the_asking(server: Running) -> None:
    answers = asker(server, concurrency=2).ask([request(0), *(request(i, faults="slow:0.3") for i in range(1, 40))])
    next(answers)
    answers.close()  # type: ignore[attr-defined]  # it is a generator
    time.sleep(0.3)  # what was on its way arrives
    asked = len(server.asked())
    time.sleep(0.7)
    assert len(server.asked()) == asked, "it went on asking"


def test_threads_share_what_may_be_in_flight(server: Running) -> None:
    who = asker(server, concurrency=3)
    requests = [[request(100 * k + i, faults="slow:0.02") for i in range(8)] for k in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda mine: answered(who, mine), requests))
    assert [numbers(mine, answers) for mine, answers in zip(requests, found, strict=True)] == [own(r) for r in requests]
    assert server.most_at_once() <= 3


def test_one_that_is_closed_asks_no_more(server: Running) -> None:
    with asker(server) as who:
        assert len(answered(who, [request(0)])) == 1
    with pytest.raises(RuntimeError):
        answered(who, [request(1)])
    assert len(server.asked()) == 1


def test_a_request_to_another_model_is_a_mistake(server: Running) -> None:
    who = ServerAsker(
        VlmSpec(model=MODEL, revision="2"), [Server(server.url)], VlmServersSpec(endpoints=[Endpoint(url=server.url)])
    )
    with pytest.raises(ValueError, match="tiny-vl@1"):
        answered(who, [request(0)])


def test_nothing_asked_is_nothing_sent(server: Running) -> None:
    assert list(asker(server).ask([])) == []
    assert server.calls() == []
