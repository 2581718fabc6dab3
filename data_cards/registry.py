"""The cards that ship with Joinery: public datasets, as their publishers describe them, and an empty one to fill in.

A card says what the publisher says, not what we wish; where nothing is stated it says so. Check a card against the
publisher's page before you rely on it, and override it with a card of the same name in your own registry.
"""

from importlib.resources import files

from schemas.registry_file import parse_registry
from schemas.source_card import SourceCard

_FILE = "public_datasets.yaml"
_TEMPLATE = "card.yaml"


def bundled_cards() -> dict[str, SourceCard]:
    """Cards by name. Raises RegistryError when the shipped file is broken."""
    text = files("data_cards").joinpath(_FILE).read_text(encoding="utf-8")
    return parse_registry(text, f"data_cards/{_FILE}")


def bundled_card() -> str:
    """The template of a shard set's own card: every key with what it means, nothing stated."""
    return files("data_cards").joinpath(_TEMPLATE).read_text(encoding="utf-8")
