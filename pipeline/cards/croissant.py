"""``croissant.json``: the set for tools that read Croissant 1.1 with the RAI 1.0 vocabulary.

Every table and tar with its SHA-256 and a relative address, every column as a field, so that loading checks both. The
specification prints ``http://schema.org/`` in places; readers want ``https://schema.org/``, which is what stands here.
"""

from typing import Any

import pyarrow as pa

from pipeline.cards.body import lead
from pipeline.cards.columns import meaning
from pipeline.cards.folder import SetFiles
from pipeline.cards.tables import RECORDS
from pipeline.cards.words import NS_PER_HOUR, rate, stated
from schemas.arrow import schema_of
from schemas.data_card import DataCard, Person

CONFORMS_TO = ("http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0")
SPDX = "https://spdx.org/licenses/"
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "prov": "http://www.w3.org/ns/prov#",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""What version 1.1 has, in its own words, and PROV."""
KEYS = {
    "sources": "source",
    "episodes": "episode_id",
    "events": "event_id",
    "manifest": "key",
    "left_out": "event_id",
}
"""Tables whose rows have a name, and the column that is it."""


def croissant(of: SetFiles, card: DataCard, facts: dict[str, Any]) -> dict[str, Any]:
    """The JSON-LD document."""
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": list(CONFORMS_TO),
        "name": " ".join(card.title.split()),
        "description": " ".join((card.summary or lead(facts)).split()),
        "license": _licences(card, facts),
        "version": card.version,
        "citeAs": card.citation.strip() or _citation(card, facts),
        **({"datePublished": str(card.released)} if card.released else {}),
        **({"url": card.url} if card.url else {}),
        **({"sameAs": f"https://doi.org/{card.doi}"} if card.doi else {}),
        **({"creator": [_person(of) for of in card.creators]} if card.creators else {}),
        **({"inLanguage": list(card.languages)} if card.languages else {}),
        "keywords": ["robotics", "video", "temporal segmentation", "webdataset"],
        "isLiveDataset": False,
        **_responsible(card, facts),
        **_derivation(facts),
        "distribution": [*_files(of), *_members(of)],
        "recordSet": [_table(name) for name in RECORDS],
    }


def _licences(card: DataCard, facts: dict[str, Any]) -> list[str]:
    names = [card.licence] if card.licence else [row["licence"] for row in facts["licences"]["by_licence"]]
    return (
        [card.licence_url]
        if card.licence and card.licence_url
        else sorted({_licence_url(name) for name in names if name})
    )


def _licence_url(name: str) -> str:
    """The SPDX page of a plain SPDX name; any other name as it is."""
    return name if " " in name or name.startswith("LicenseRef-") else f"{SPDX}{name}.html"


def _citation(card: DataCard, facts: dict[str, Any]) -> str:
    """Where the authors state none: what anybody would need to find exactly this."""
    authors = " and ".join(of.name for of in card.creators)
    author = f"author = {{{authors}}}, " if authors else ""
    title, content = " ".join(card.title.split()), facts["content_sha256"]
    note = f"note = {{content SHA-256 {content}}}"
    return f"@misc{{joinery_{content[:12]}, {author}title = {{{title}}}, version = {{{card.version}}}, {note}}}"


def _person(of: Person) -> dict[str, Any]:
    kind = "sc:Organization" if of.kind == "organisation" else "sc:Person"
    return {"@type": kind, "name": of.name, **({"url": of.url} if of.url else {})}


def _responsible(card: DataCard, facts: dict[str, Any]) -> dict[str, Any]:
    """The RAI vocabulary; what nobody stated is left out, and what was counted is there always."""
    collection, annotation, people, biases = card.collection, card.annotation, card.people, card.biases
    days = [str(day) for day in (collection.first_day, collection.last_day) if day]
    kinds = sorted({row["kind"] for row in facts["sources"]})
    handled = [
        f"{handling.subject}: {handling.method}; missed {rate(found['missed'])}"
        for handling, found in zip(people.personal_data, facts["personal_data"], strict=True)
    ]
    levels = facts["levels"]
    seen = ", ".join(f"{name} {level['n'] - level['n_proposed']} of {level['n']}" for name, level in levels.items())
    left = facts["left_out"]["groups"]
    audit = ", ".join(f"{name} {rate(parts['events'])}" for name, parts in facts["audit"].items()) or "not measured"
    said: dict[str, Any] = {
        "rai:dataCollection": _said(collection.sampling, collection.scenes, *collection.sites),
        "rai:dataCollectionType": kinds,
        "rai:dataCollectionTimeFrame": days,
        "rai:dataCollectionMissingData": _said(
            collection.missing,
            *(f"{row['n_events']} events of {row['source']} left out: {row['reason']}" for row in left),
        ),
        "rai:dataUseCases": list(card.uses.intended),
        "rai:dataLimitations": [*card.uses.out_of_scope, *annotation.failure_modes],
        "rai:dataSocialImpact": card.uses.social_impact,
        "rai:dataBiases": [*biases.known, *filter(None, (biases.geography, biases.handedness, biases.cameras))],
        "rai:dataAnnotationProtocol": _said(
            annotation.boundary_rule, annotation.guidelines, annotation.guidelines_version
        ),
        "rai:dataAnnotationPlatform": annotation.platform,
        "rai:dataAnnotationAnalysis": f"Events reviewed by people: {seen}. Audit error rate: {audit}.",
        "rai:annotationsPerItem": str(annotation.raters_per_item) if annotation.raters_per_item else "",
        "rai:annotatorDemographics": annotation.raters,
        "rai:machineAnnotationTools": sorted(
            {*facts["annotation"]["boundaries_by"], *facts["annotation"]["captions_by"]} - {"human", "source", "nobody"}
        ),
        "rai:personalSensitiveInformation": [
            *handled,
            *(
                f"{term['question']}: {term['answer']}"
                for term in facts["licences"]["strictest"]
                if term["question"] == "personal data"
            ),
        ],
        "rai:dataReleaseMaintenancePlan": _said(
            card.maintenance.owner, card.maintenance.cadence, card.maintenance.deprecation
        ),
    }
    return {key: value for key, value in said.items() if value}


def _said(*texts: str) -> str:
    return " ".join(" ".join(text.split()).rstrip(".") + "." for text in texts if text)


def _derivation(facts: dict[str, Any]) -> dict[str, Any]:
    """Which recordings it was made of."""
    return {
        "prov:wasDerivedFrom": [
            {
                "@type": "sc:Dataset",
                "name": row["dataset"],
                "license": _licence_url(row["licence"]),
                "description": f"source {row['source']} ({row['kind']}): {row['n_episodes']} episodes, "
                f"{row['duration_ns'] / NS_PER_HOUR:.3g} hours, consent {stated(row['consent'])}",
            }
            for row in facts["sources"]
        ]
    }


def _files(of: SetFiles) -> list[dict[str, Any]]:
    tables = [
        _file(
            file.name, "application/x-parquet" if file.name in RECORDS else _kind(file.name), file.sha256, file.n_bytes
        )
        for file in of.files
    ]
    tars = [_file(f"{shard.shard}.tar", "application/x-tar", shard.sha256, shard.n_bytes) for shard in of.shards]
    return tables + tars


def _kind(name: str) -> str:
    return "application/json" if name.endswith(".json") else "application/yaml"


def _file(name: str, kind: str, sha256: str, n_bytes: int) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{n_bytes} B",
        "encodingFormat": kind,
        "sha256": sha256,
    }


def _members(of: SetFiles) -> list[dict[str, Any]]:
    """What is in the tars, without record sets: mlcroissant 1.1.1 unpacks a tar into a cache named after its relative
    address, so it would read one set's ``train-000000.tar`` for another's. `manifest` says where every member lies."""
    tars = [{"@id": f"{shard.shard}.tar"} for shard in of.shards]
    return [
        {
            "@type": "cr:FileSet",
            "@id": name,
            "name": name,
            "containedIn": tars,
            "encodingFormat": kind,
            "includes": includes,
        }
        for name, kind, includes in (
            ("event-records", "application/json", "*.event.json"),
            ("event-clips", "video/mp4", "*.mp4"),
        )
    ]


def _table(file: str) -> dict[str, Any]:
    name, schema = file.removesuffix(".parquet"), schema_of(RECORDS[file])
    key = KEYS.get(name)
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": meaning(RECORDS[file]),
        **({"key": {"@id": f"{name}/{key}"}} if key else {}),
        "field": [_column(name, file, field) for field in schema if _data_type(field.type)],
    }


def _column(table: str, file: str, field: pa.Field) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{table}/{field.name}",
        "name": field.name,
        "description": meaning(RECORDS[file], field.name),
        "dataType": _data_type(field.type),
        "source": {"fileObject": {"@id": file}, "extract": {"column": field.name}},
        **({"repeated": True} if pa.types.is_list(field.type) else {}),
    }


def _data_type(of: pa.DataType) -> str:
    """Empty for what has parts of its own, such as the members of a sample: Croissant's readers cannot take them."""
    if pa.types.is_list(of):
        return _data_type(of.value_type)
    names = ((pa.types.is_integer, "sc:Integer"), (pa.types.is_floating, "sc:Float"),
             (pa.types.is_boolean, "sc:Boolean"), (pa.types.is_string, "sc:Text"))  # fmt: skip
    return next((name for is_one, name in names if is_one(of)), "")
