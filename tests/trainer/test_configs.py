"""Configurations: the numbers of `tiny`, and what tells two of them apart."""

from dataclasses import replace

from schemas.recipe_load import LoadSpec
from trainer.configs import CONFIGS, load_spec, single_view, tiny
from trainer.model.wam import build, parameter_count


def test_tiny_is_about_half_a_million_parameters() -> None:
    assert 450_000 < parameter_count(build(tiny().model, 0)) < 650_000


def test_configs_are_found_by_name() -> None:
    assert [made().name for made in CONFIGS.values()] == list(CONFIGS)


def test_the_digest_follows_the_values() -> None:
    assert tiny().digest == tiny().digest
    assert replace(tiny(), seed=1).digest != tiny().digest


def test_a_load_section_made_for_a_configuration_counts_tokens_as_it_does() -> None:
    spec = load_spec(tiny(), event_share=1.0, suffix_share=0.0)
    assert spec == LoadSpec(event_share=1.0, suffix_share=0.0, pack_window=16, packs_per_step=1)


def test_a_single_view_model_has_no_cross_view_branch() -> None:
    names = [name for name, _ in build(single_view(tiny().model), 0).named_parameters()]
    assert not any(".view." in name or "camera_rope" in name for name in names)
