"""Credentials and region of an AWS profile (``~/.aws``): the one link of the usual chain that obstore lacks.

The others it knows itself: environment, web identity, container and instance roles. As with AWS's own tools, keys in
the environment come before a profile, and a profile before the roles of the machine. A profile may hold keys or name a
``credential_process``; anything longer (SSO, a role to assume) is asked of AWS's own tool by that very way.
"""

from __future__ import annotations

import configparser
import json
import os
import shlex
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import StoreError

if TYPE_CHECKING:
    from obstore.store import S3Credential

BEFORE = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE")
"""Where the environment says these, a profile is not looked at."""
BEYOND = ("sso_session", "sso_start_url", "role_arn", "login_session")
PROCESS_S = 60.0
_KEPT_FOR = timedelta(minutes=5)
"""How long credentials without an end of their own are used before they are read again."""


def profile_credentials() -> Callable[[], S3Credential] | None:
    """What asks the profile for credentials; None where the profile is not to be asked, or there is none.

    Raises StoreError for a profile that is named and is not there, or whose login only AWS's tool can do.
    """
    if any(os.environ.get(name) for name in BEFORE):
        return None
    name, settings = _profile()
    if settings.get("aws_access_key_id") or settings.get("credential_process"):
        return _credentials
    beyond = next((key for key in BEYOND if key in settings), None)
    if beyond is not None:
        raise StoreError(
            f"AWS profile {name!r}: logs in by {beyond}, which only AWS's own tool does; add the line "
            f"`credential_process = aws configure export-credentials --profile {name} --format process` to a profile "
            "of another name and set AWS_PROFILE to it"
        )
    return None


def profile_region() -> str | None:
    """The region of the profile, where the environment names none."""
    if os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        return None
    return _profile()[1].get("region")


def _credentials() -> S3Credential:
    name, settings = _profile()
    if command := settings.get("credential_process"):
        return _of_process(name, command)
    try:
        return {
            "access_key_id": settings["aws_access_key_id"],
            "secret_access_key": settings["aws_secret_access_key"],
            "token": settings.get("aws_session_token"),
            "expires_at": datetime.now(UTC) + _KEPT_FOR,
        }
    except KeyError as error:
        raise StoreError(f"AWS profile {name!r}: has no {error.args[0]}; complete it") from error


def _of_process(name: str, command: str) -> S3Credential:
    """AWS's protocol: a programme that prints credentials as JSON."""
    try:
        done = subprocess.run(shlex.split(command), capture_output=True, timeout=PROCESS_S, check=True)
        said: dict[str, Any] = json.loads(done.stdout)
        end = said.get("Expiration")
        return {
            "access_key_id": said["AccessKeyId"],
            "secret_access_key": said["SecretAccessKey"],
            "token": said.get("SessionToken"),
            "expires_at": datetime.fromisoformat(end) if end else datetime.now(UTC) + _KEPT_FOR,
        }
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        raise StoreError(
            f"AWS profile {name!r}: its credential_process gave no credentials ({type(error).__name__}); run it by hand"
        ) from error


def _profile() -> tuple[str, dict[str, str]]:
    """Name and settings of the profile in use; the credentials file goes before the configuration file."""
    asked = os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE")
    name = asked or "default"
    config = _read("AWS_CONFIG_FILE", "config")
    secrets = _read("AWS_SHARED_CREDENTIALS_FILE", "credentials")
    section = name if name == "default" else f"profile {name}"
    if asked and not (config.has_section(section) or secrets.has_section(name)):
        raise StoreError(f"AWS profile {name!r}: named by AWS_PROFILE and not to be found in ~/.aws; expected it there")
    found = dict(config[section]) if config.has_section(section) else {}
    return name, found | (dict(secrets[name]) if secrets.has_section(name) else {})


def _read(variable: str, name: str) -> configparser.RawConfigParser:
    path = Path(os.environ.get(variable) or Path.home() / ".aws" / name).expanduser()
    parser = configparser.RawConfigParser(default_section="\0")
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise StoreError(f"{path}: cannot be read as an AWS configuration ({error}); mend it") from error
    return parser
