"""S1: nothing is answered to a foreign name, origin or role, no path leads out, and every refusal is written down."""

import socket
from collections.abc import Iterator

import httpx2
import pytest

from annotators.review.guard import MOST_BYTES, content_security_policy
from annotators.review.role import Role
from tests.annotators.review.live import TOKEN, Server, recording, served

PEOPLE = {"ann": Role.ANNOTATOR, "bob": Role.ANNOTATOR, "rob": Role.REVIEWER, "eve": Role.ADMIN}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("guarded")
    episodes = (
        recording(folder, "ep-1", personal=True, cuts={0: 0, 30: 2, 60: 0}),
        recording(folder, "ep-2", cuts={0: 0, 30: 2, 70: 0}),
    )
    with served(folder, *episodes, accounts=PEOPLE) as server:
        yield server


@pytest.fixture(scope="module")
def ann(server: Server) -> Iterator[httpx2.Client]:
    with server.client("ann") as client:
        yield client


@pytest.fixture(scope="module")
def admin(server: Server) -> Iterator[httpx2.Client]:
    with server.client("eve") as client:
        yield client


def audit(admin: httpx2.Client, kind: str) -> list[tuple[str, str, str]]:
    lines = admin.get("/api/audit").json()["lines"]
    return [(line["actor"], line["subject"], line["said"]) for line in lines if line["kind"] == kind]


def raw(server: Server, target: str, host: str = "") -> int:
    """The status of a request line that no client would send."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        line.sendall(f"GET {target} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{server.port}'}\r\n\r\n".encode())
        return int(line.recv(64).split()[1])


@pytest.mark.parametrize(
    "target",
    [
        "/app/../../store.py",
        "/app/..%2f..%2fstore.py",
        "/app/%2e%2e/%2e%2e/store.py",
        "/app//etc/passwd",
        "/app/%2fetc%2fpasswd",
        "/app/vendor/../../server.py",
        "/app/index.html%00.js",
        "//etc/passwd",
        "/../../../../etc/passwd",
    ],
)
def test_no_path_leads_out_of_the_app(server: Server, target: str) -> None:
    assert 400 <= raw(server, target) < 500


@pytest.mark.parametrize(
    "path", ["/media/..%2freview.sqlite", "/media/%2fetc%2fpasswd.mp4", f"/media/{'0' * 64}.mp4", "/media/../lock"]
)
def test_pictures_are_named_by_a_registered_hash_and_nothing_else(ann: httpx2.Client, path: str) -> None:
    assert 400 <= ann.get(path).status_code < 500


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "joinery", "[", ""])
def test_another_name_that_leads_here_is_refused(server: Server, admin: httpx2.Client, host: str) -> None:
    assert raw(server, "/api/session", host or " ") in (400, 421)
    if host == "evil.example":
        assert ("", "GET /api/session", "421 host") in audit(admin, "refused")


def test_nothing_is_done_for_a_foreign_page(server: Server, ann: httpx2.Client, admin: httpx2.Client) -> None:
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://127.0.0.1:{server.port + 1}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert ann.post("/api/queue/next", headers=headers).status_code == 403
        assert ann.get("/api/queue", headers=headers).status_code == 403
    assert ann.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200, "a link to the page is none"
    assert ("", "POST /api/queue/next", "403 origin") in audit(admin, "refused")


def test_a_write_needs_the_sessions_own_token(server: Server, ann: httpx2.Client, admin: httpx2.Client) -> None:
    assert ann.post("/api/queue/next").status_code == 200
    for token in ("", "guessed", admin.headers["X-Joinery-CSRF"]):
        assert ann.post("/api/queue/next", headers={"X-Joinery-CSRF": token}).status_code == 403
    assert ann.post("/api/episodes/ep-2/lease", headers={"X-Joinery-CSRF": ""}).status_code == 403
    assert ("", "POST /api/episodes/ep-2/lease", "403 csrf") in audit(admin, "refused")


def test_without_a_session_there_is_the_login_page_and_nothing_else(server: Server) -> None:
    with httpx2.Client(base_url=server.url) as nobody:
        assert nobody.get("/").status_code == 200
        for path in ("/api/session", "/api/queue", "/api/episodes/ep-1", f"/media/{'0' * 64}.mp4"):
            assert nobody.get(path).status_code == 401
        assert nobody.get("/", params={"token": TOKEN}).status_code == 403, "accounts need a login"
        nobody.cookies.set(f"joinery_review_{server.port}", "guessed")
        assert nobody.get("/api/queue").status_code == 401


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [
        ("ann", "GET", "/api/people"),
        ("ann", "GET", "/api/audit"),
        ("rob", "GET", "/api/people"),
        ("rob", "GET", "/api/adjudication/ep-2"),
        ("ann", "DELETE", "/api/episodes/ep-2/quarantine"),
        ("rob", "DELETE", "/api/episodes/ep-2/quarantine"),
    ],
)
def test_a_role_may_do_what_it_may(server: Server, admin: httpx2.Client, name: str, method: str, path: str) -> None:
    with server.client(name) as client:
        answer = client.request(method, path)
    assert answer.status_code == 403
    assert answer.json()["error"]["what"] == "role"
    assert (name, f"{method} {path}", "403 role") in audit(admin, "refused")


def test_what_is_too_large_is_not_read(ann: httpx2.Client) -> None:
    large = b"x" * (MOST_BYTES + 1)
    assert ann.post("/api/queue/next", content=large).status_code == 413
    assert ann.post("/api/login", content=iter([large, large])).status_code in (403, 413)


def test_looking_at_pictures_of_people_is_written_down(ann: httpx2.Client, admin: httpx2.Client) -> None:
    for episode in ("ep-1", "ep-2"):
        sha = ann.get(f"/api/episodes/{episode}").json()["media_sha256"]
        answer = ann.get(f"/media/{sha}.mp4", headers={"Range": "bytes=0-99"})
        assert answer.status_code == 206
        kept = answer.headers["cache-control"]
        assert ("no-store" in kept) is (episode == "ep-1")
    assert audit(admin, "looked_at") == [("ann", "ep-1", "main")]


def test_five_wrong_passwords_and_one_waits(server: Server, admin: httpx2.Client) -> None:
    with httpx2.Client(base_url=server.url, headers={"Origin": server.url}) as stranger:
        wrong = {"name": "bob", "password": "guessed guessed"}
        assert [stranger.post("/api/login", json=wrong).status_code for _ in range(5)] == [401] * 5
        waits = stranger.post("/api/login", json={"name": "bob", "password": "password of bob"})
    assert waits.status_code == 429
    assert 0 < int(waits.headers["retry-after"]) <= 300
    assert len(audit(admin, "login_failed")) == 5


def test_inline_scripts_run_only_as_they_were_written() -> None:
    page = '<script type="importmap">{}</script><script src="/app/x.js"></script>'
    policy = content_security_policy(page)
    assert policy.count("sha256-") == 1
    assert "unsafe" not in policy
    assert content_security_policy(page.replace("{}", "{ }")) != policy
