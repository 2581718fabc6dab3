"""Configurations: the numbers of `tiny`, and what tells two of them apart."""

from dataclasses import replace

import pytest

from trainer.configs import CONFIGS, config_named, single_view, tiny
from trainer.model.wam import build, parameter_count


def test_tiny_is_about_half_a_million_parameters() -> None:
    assert 450_000 < parameter_count(build(tiny().model, 0)) < 650_000


def test_configs_are_found_by_name() -> None:
    assert [config_named(name).name for name in CONFIGS] == list(CONFIGS)
    with pytest.raises(ValueError, match="no configuration 'huge'; there are \\['tiny'"):
        config_named("huge")


def test_the_digest_follows_the_values() -> None:
    assert tiny().digest == tiny().digest
    assert replace(tiny(), seed=1).digest != tiny().digest


def test_a_single_view_model_has_no_cross_view_branch() -> None:
    names = [name for name, _ in build(single_view(tiny().model), 0).named_parameters()]
    assert not any("views" in name or "camera_rope" in name for name in names)
