"""A signed set can be told from any other: unsigned, signed by somebody else, or changed by one byte anywhere."""

import json
import os
import pickle
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from pipeline.blobs import Blobs
from pipeline.errors import JoineryError, StoreError
from pipeline.loader.reader import ShardSet as OpenSet
from pipeline.loader.reader import shard_set_folder
from pipeline.loader.signature import private_key, public_key
from pipeline.shards.sign import sign
from pipeline.shards.verify import verify
from schemas.shard import ShardSet


@pytest.fixture
def copy(folder: Path, published: ShardSet, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / published.path))


def keys(folder: Path, name: str, seed: int) -> tuple[Path, Path]:
    """A private and a public key as openssl writes them."""
    secret = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([seed] * 32))
    private, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    pem, raw = serialization.Encoding.PEM, serialization.NoEncryption()
    private.write_bytes(secret.private_bytes(pem, serialization.PrivateFormat.PKCS8, raw))
    private.chmod(0o600)
    public.write_bytes(secret.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    return private, public


@pytest.fixture
def ours(tmp_path: Path) -> tuple[Path, Path]:
    return keys(tmp_path, "ours", 1)


def read_all(copy: Path, public: Path) -> int:
    opened = OpenSet.open(str(copy), {"signed_by": str(public)})
    opened.all_stats()
    return sum(1 for split in opened.splits for _ in opened.iterate(split))


def test_a_signed_set_is_read_and_verified(copy: Path, ours: tuple[Path, Path]) -> None:
    private, public = ours
    made = sign(str(copy), {}, private)
    assert made.shard_set_id == copy.name
    first = (copy / "signature.json").read_bytes()
    assert read_all(copy, public) > 0
    assert verify(Blobs(str(copy.parents[1])), f"shards/{copy.name}", public).ok
    assert verify(Blobs(str(copy.parents[1])), f"shards/{copy.name}").ok, "a signature is no stranger to the set"
    sign(str(copy), {}, private)
    assert (copy / "signature.json").read_bytes() == first, "signing again gives the same bytes"
    assert private.read_text().splitlines()[1] not in first.decode()


def test_a_set_that_nobody_signed_is_refused(copy: Path, ours: tuple[Path, Path]) -> None:
    with pytest.raises(StoreError, match="not signed"):
        read_all(copy, ours[1])
    report = verify(Blobs(str(copy.parents[1])), f"shards/{copy.name}", ours[1])
    assert any("not signed" in problem for problem in report.problems)


def test_another_key_is_refused(copy: Path, ours: tuple[Path, Path], tmp_path: Path) -> None:
    other, _ = keys(tmp_path, "other", 2)
    sign(str(copy), {}, other)
    with pytest.raises(StoreError, match=r"signed with key .* expected"):
        read_all(copy, ours[1])
    told = json.loads((copy / "signature.json").read_text())
    sign(str(copy), {}, ours[0])
    told["key"] = json.loads((copy / "signature.json").read_text())["key"]
    (copy / "signature.json").write_text(json.dumps(told))
    with pytest.raises(StoreError, match="not of these bytes"):
        read_all(copy, ours[1])


def test_one_changed_byte_anywhere_is_refused(copy: Path, ours: tuple[Path, Path]) -> None:
    private, public = ours
    sign(str(copy), {}, private)
    read = {"set.json", "signature.json", "manifest.parquet", "stats.json"}
    for path in sorted(copy.iterdir()):
        if path.name not in read and path.suffix != ".tar":
            continue
        good = path.read_bytes()
        spoilt = bytearray(good)
        spoilt[len(spoilt) // 3] ^= 1
        path.write_bytes(bytes(spoilt))
        with pytest.raises((StoreError, ValueError)):
            read_all(copy, public)
        path.write_bytes(good)
    assert read_all(copy, public) > 0


def test_a_forger_who_makes_everything_agree_is_refused(copy: Path, ours: tuple[Path, Path]) -> None:
    """Digests alone prove nothing: who may write the files may write the digests."""
    sign(str(copy), {}, ours[0])
    stats = json.loads((copy / "stats.json").read_text())
    (copy / "stats.json").write_text(json.dumps({**stats, "forged": True}))
    with pytest.raises(StoreError, match=r"stats.json: was changed after signing"):
        read_all(copy, ours[1])
    (copy / "stray.json").write_text("{}")
    opened = OpenSet.open(str(copy), {"signed_by": str(ours[1])})
    with pytest.raises(StoreError, match="not among the signed files"):
        opened.open_file("stray.json")


def test_there_is_no_way_around(copy: Path, ours: tuple[Path, Path]) -> None:
    """Whatever the folder offers to read a file by says no to one that was changed."""
    sign(str(copy), {}, ours[0])
    blobs = shard_set_folder(str(copy), {"signed_by": str(ours[1])})
    stats = blobs.read("stats.json")
    (copy / "stats.json").write_bytes(stats + b" ")
    elsewhere = pickle.loads(pickle.dumps(blobs))
    for way in (blobs.read, blobs.open, blobs.ranges, elsewhere.read):
        with pytest.raises(StoreError):
            way("stats.json")


def test_a_private_key_that_others_may_read_is_not_used(copy: Path, ours: tuple[Path, Path]) -> None:
    ours[0].chmod(0o644)
    with pytest.raises(JoineryError, match="others may read this private key"):
        sign(str(copy), {}, ours[0])


def test_what_is_no_key_is_told(tmp_path: Path, ours: tuple[Path, Path]) -> None:
    strange = tmp_path / "strange.pem"
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    curve = ec.generate_private_key(ec.SECP256R1())
    strange.write_bytes(curve.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    strange.chmod(0o600)
    with pytest.raises(JoineryError, match="another kind, expected Ed25519"):
        private_key(strange)
    with pytest.raises(JoineryError, match="no public key"):
        public_key(ours[0])
    with pytest.raises(JoineryError, match="cannot be read"):
        public_key(tmp_path / "nowhere.pem")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_keys_are_those_openssl_makes(tmp_path: Path) -> None:
    """The commands that the error and the page tell."""
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(private)], check=True)
    subprocess.run(["openssl", "pkey", "-in", str(private), "-pubout", "-out", str(public)], check=True)
    os.chmod(private, 0o600)
    assert private_key(private).public_key().public_bytes_raw() == public_key(public).public_bytes_raw()
