"""RLDS datasets as TFDS writes them: the same features.json, messages by the protobuf library, the same framing.

Feature types follow the values: float arrays and whole numbers are tensors, truth values flags, texts Text features,
and lists of bytes pictures. Checksums are made by the textbook's table, not by the library that the reader uses.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.sources.rlds import rlds
from schemas.finding import Finding
from schemas.recipe_formats.rlds import RldsSource
from schemas.source import EpisodeRef

BRIDGE = "open_robot/bridge_rlds"
_TFDS = "tensorflow_datasets.core.features."
_FIELD = descriptor_pb2.FieldDescriptorProto


def _messages() -> Any:
    """``tf.train.Example`` as tensorflow/core/example/{example,feature}.proto define it."""
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="tensorflow", syntax="proto3")

    def message(name: str, *fields: tuple[str, int, int, int, str]) -> Any:
        found = file.message_type.add(name=name)
        for field, number, kind, label, of in fields:
            found.field.add(name=field, number=number, type=kind, label=label, type_name=of or None)
        return found

    many, one = _FIELD.LABEL_REPEATED, _FIELD.LABEL_OPTIONAL
    message("BytesList", ("value", 1, _FIELD.TYPE_BYTES, many, ""))
    message("FloatList", ("value", 1, _FIELD.TYPE_FLOAT, many, ""))
    message("Int64List", ("value", 1, _FIELD.TYPE_INT64, many, ""))
    lists = [("bytes_list", "BytesList"), ("float_list", "FloatList"), ("int64_list", "Int64List")]
    feature = message(
        "Feature",
        *((name, place, _FIELD.TYPE_MESSAGE, one, f".tensorflow.{of}") for place, (name, of) in enumerate(lists, 1)),
    )
    feature.oneof_decl.add(name="kind")
    for field in feature.field:
        field.oneof_index = 0
    features = message("Features", ("feature", 1, _FIELD.TYPE_MESSAGE, many, ".tensorflow.Features.FeatureEntry"))
    entry = features.nested_type.add(name="FeatureEntry")
    entry.field.add(name="key", number=1, type=_FIELD.TYPE_STRING, label=one)
    entry.field.add(name="value", number=2, type=_FIELD.TYPE_MESSAGE, label=one, type_name=".tensorflow.Feature")
    entry.options.map_entry = True
    message("Example", ("features", 1, _FIELD.TYPE_MESSAGE, one, ".tensorflow.Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))


Example = _messages()


def example(lists: Mapping[str, Sequence[Any]]) -> bytes:
    """A serialized ``tf.train.Example``; the kind of a list follows its first value."""
    made = Example()
    for name, values in lists.items():
        feature = made.features.feature[name]
        first = values[0] if len(values) else 0
        if isinstance(first, bytes | str):
            feature.bytes_list.value.extend(v.encode() if isinstance(v, str) else v for v in values)
        elif isinstance(first, float | np.floating):
            feature.float_list.value.extend(map(float, values))
        else:
            feature.int64_list.value.extend(map(int, values))
    return bytes(made.SerializeToString(deterministic=True))


def _table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)  # noqa: PLW2901 - the textbook's loop
        table.append(byte)
    return table


_CRC = _table()


def crc(data: bytes) -> bytes:
    """Masked CRC32C, little endian."""
    value = 0xFFFFFFFF
    for byte in data:
        value = _CRC[(value ^ byte) & 0xFF] ^ (value >> 8)
    value ^= 0xFFFFFFFF
    return ((((value >> 15) | (value << 17)) + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")


def framed(record: bytes) -> bytes:
    """One record of a TFRecord file."""
    length = len(record).to_bytes(8, "little")
    return length + crc(length) + record + crc(record)


def records_in(path: Path) -> Iterator[bytes]:
    """The records of a whole file, without any check."""
    data, at = path.read_bytes(), 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 8], "little")
        yield data[at + 12 : at + 12 + length]
        at += length + 16


def _flat(values: Any) -> list[Any]:
    """A feature's values of all steps in a row, as a record keeps them."""
    if isinstance(values, np.ndarray):
        return list(values.reshape(-1)) if values.dtype.kind == "f" else [int(v) for v in values.reshape(-1)]
    return list(values)


def _feature(values: Any) -> dict[str, Any]:
    if isinstance(values, np.ndarray):
        kind = {"f": "float32", "b": "bool"}.get(values.dtype.kind, "int32")
        sides = {"dimensions": [str(side) for side in values.shape[1:]]} if values.ndim > 1 else {}
        name = "tensor_feature.Tensor" if sides else "scalar.Scalar"
        return {"pythonClassName": _TFDS + name, "tensor": {"shape": sides, "dtype": kind, "encoding": "none"}}
    if isinstance(values[0], bytes):
        shape = {"dimensions": ["64", "64", "3"]}
        image = {"shape": shape, "dtype": "uint8", "encodingFormat": "jpeg"}
        return {"pythonClassName": _TFDS + "image_feature.Image", "image": image}
    return {"pythonClassName": _TFDS + "text_feature.Text", "text": {}}


def _dict(features: Mapping[str, Any]) -> dict[str, Any]:
    """A FeaturesDict, nested by the names' slashes."""
    nested: dict[str, Any] = {}
    for name, feature in features.items():
        first, _, rest = name.partition("/")
        nested.setdefault(first, {})[rest] = feature
    inside = {key: value[""] if "" in value else _dict(value) for key, value in nested.items()}
    return {"pythonClassName": _TFDS + "features_dict.FeaturesDict", "featuresDict": {"features": inside}}


def features_json(steps: Mapping[str, Any], episode: Mapping[str, Any]) -> dict[str, Any]:
    """``features.json`` of records with these features."""
    inner = _dict({name: _feature(values) for name, values in steps.items()})
    sequence = {"pythonClassName": _TFDS + "dataset_feature.Dataset", "sequence": {"feature": inner, "length": "-1"}}
    top = {"steps": sequence}
    if episode:
        top["episode_metadata"] = _dict(
            {name: _feature([v] if isinstance(v, str) else np.array([v])) for name, v in episode.items()}
        )
    return {"pythonClassName": _TFDS + "features_dict.FeaturesDict", "featuresDict": {"features": top}}


def record(steps: Mapping[str, Any], episode: Mapping[str, Any] | None = None) -> bytes:
    """One episode."""
    lists = {f"steps/{name}": _flat(values) for name, values in steps.items()}
    return example(lists | {f"episode_metadata/{name}": [value] for name, value in (episode or {}).items()})


def write_files(
    root: Path,
    shards: Mapping[str, Sequence[Sequence[bytes]]],
    features: Mapping[str, Any],
    name: str = "made",
) -> Path:
    """A dataset folder ``root/1.0.0`` of records by split and file."""
    folder = root / "1.0.0"
    folder.mkdir(parents=True, exist_ok=True)
    splits = []
    for split, files in shards.items():
        for number, records in enumerate(files):
            path = folder / f"{name}-{split}.tfrecord-{number:05d}-of-{len(files):05d}"
            path.write_bytes(b"".join(map(framed, records)))
        splits.append({"name": split, "shardLengths": [str(len(records)) for records in files]})
    (folder / "features.json").write_text(json.dumps(features))
    info = {"name": name, "version": "1.0.0", "fileFormat": "tfrecord", "splits": splits}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    return folder


def write(root: Path, steps: Mapping[str, Any], episode: Mapping[str, Any] | None = None) -> None:
    """A dataset of one episode."""
    write_files(root, {"train": [[record(steps, episode)]]}, features_json(steps, episode or {}))


def bridge_records(real: Path, split: str = "train") -> list[bytes]:
    """The records of the real dataset."""
    return list(records_in(real / BRIDGE / f"1.0.0/bridge_dataset-{split}.tfrecord-00000-of-00001"))


def bridge_features(real: Path) -> dict[str, Any]:
    """``features.json`` of the real dataset."""
    features: dict[str, Any] = json.loads((real / BRIDGE / "1.0.0/features.json").read_text())
    return features


def spec_for(root: Path, **more: Any) -> RldsSource:
    """A recipe section for a dataset."""
    stated = {"format": "rlds", "name": "made", "path": str(root), "card": {"licence": "CC0-1.0"}, "fps": 5, **more}
    return RldsSource.model_validate(stated)


def discovered(spec: RldsSource, digests: MemoryDigests | None = None) -> tuple[list[EpisodeRef], list[Finding]]:
    """References and findings of a listing."""
    found = list(rlds.discover(spec, SourceFiles(spec.path), digests or MemoryDigests()))
    return [x for x in found if isinstance(x, EpisodeRef)], [x for x in found if isinstance(x, Finding)]
