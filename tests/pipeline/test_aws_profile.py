"""Credentials by the usual chain: environment, profile, role; and what a store is asked with in the end."""

import json
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.aws_profile import profile_credentials, profile_region
from pipeline.bucket import Bucket
from pipeline.errors import StoreError
from pipeline.store import Workspace

STORAGE = {"endpoint": "", "region": "us-east-1", "retry_s": "1"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path


class Signed(BaseHTTPRequestHandler):
    """Notes whose signature a request bears, and answers that there is nothing; hands out a container's credentials."""

    seen: set[str]

    def do_GET(self) -> None:
        if self.path == "/role":
            end = (datetime.now(UTC) + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
            said = {"AccessKeyId": "ROLE", "SecretAccessKey": "s", "Token": "t", "Expiration": end}
            return self._answer(200, json.dumps(said).encode())
        self.seen.add(self.headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0])
        return self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    do_HEAD = do_PUT = do_GET

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing is shown."""


@pytest.fixture
def server() -> Iterator[tuple[str, set[str]]]:
    handler = type("Handler", (Signed,), {"seen": set()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}", handler.seen  # type: ignore[attr-defined]
        listening.shutdown()
        thread.join()


def asked_as(server: tuple[str, set[str]]) -> dict[str, set[str]]:
    """Whose key signed what blobs and what tables asked for."""
    endpoint, seen = server
    storage = {**STORAGE, "endpoint": endpoint}
    found = {}
    assert Bucket("s3://bucket/ws", storage).head("x") is None
    found["blobs"] = set(seen)
    seen.clear()
    with pytest.raises((StoreError, ValueError, OSError)):
        Workspace("s3://bucket/ws", storage).columns("work_done")
    found["tables"] = set(seen)
    seen.clear()
    return found


def test_keys_in_the_environment_come_first(
    home: Path, server: tuple[str, set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "credentials").write_text("[default]\naws_access_key_id = FILE\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    assert asked_as(server) == {"blobs": {"ENV"}, "tables": {"ENV"}}


def test_a_profile_comes_next(home: Path, server: tuple[str, set[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "credentials").write_text(
        "[default]\naws_access_key_id = FILE\naws_secret_access_key = s\n"
        "[lab]\naws_access_key_id = LAB\naws_secret_access_key = s\naws_session_token = t\n"
    )
    assert asked_as(server) == {"blobs": {"FILE"}, "tables": {"FILE"}}
    monkeypatch.setenv("AWS_PROFILE", "lab")
    assert asked_as(server) == {"blobs": {"LAB"}, "tables": {"LAB"}}


def test_a_profile_may_ask_a_programme(
    home: Path, server: tuple[str, set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"Version": 1, "AccessKeyId": "ASKED", "SecretAccessKey": "s"}
    (home / "says.json").write_text(json.dumps(said))
    line = f"{sys.executable} -c \"print(open('{home}/says.json').read())\""
    (home / "config").write_text(f"[profile tool]\ncredential_process = {line}\nregion = eu-central-1\n")
    monkeypatch.setenv("AWS_PROFILE", "tool")
    assert asked_as(server) == {"blobs": {"ASKED"}, "tables": {"ASKED"}}
    assert profile_region() == "eu-central-1"


def test_the_role_of_a_container_comes_last(
    home: Path, server: tuple[str, set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server[0]}/role")
    token = home / "token"
    token.write_text("token")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(token))
    assert asked_as(server) == {"blobs": {"ROLE"}, "tables": {"ROLE"}}


def test_a_profile_that_is_not_there_is_said_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "gone")
    with pytest.raises(StoreError, match="AWS profile 'gone': named by AWS_PROFILE and not to be found"):
        profile_credentials()


def test_a_login_that_only_awss_tool_can_do_is_told_with_the_way_round(home: Path) -> None:
    (home / "config").write_text("[default]\nsso_session = work\n")
    with pytest.raises(StoreError, match="credential_process = aws configure export-credentials --profile default"):
        profile_credentials()


def test_half_a_pair_of_keys_is_said_so(home: Path) -> None:
    (home / "credentials").write_text("[default]\naws_access_key_id = A\n")
    ask = profile_credentials()
    assert ask is not None
    with pytest.raises(StoreError, match="AWS profile 'default': has no aws_secret_access_key; complete it"):
        ask()
