"""Reading a URDF: the chain between two links, and refusal of everything that would have to be guessed."""

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.robot_chain import JointMotion
from schemas.urdf import MAX_BYTES, UrdfError, chain_of, read_chain
from tests.pipeline.kinematics.robots import FORE_M, PLANAR, UPPER_M, seven


def test_a_chain_has_the_joints_from_base_to_tip_in_order() -> None:
    chain = chain_of(PLANAR, None, "tool")
    assert (chain.robot, chain.base, chain.tip) == ("planar", "base", "tool")
    assert [joint.name for joint in chain.joints] == ["shoulder", "elbow", "flange"]
    assert [joint.name for joint in chain.moving] == ["shoulder", "elbow"]
    shoulder, elbow, flange = chain.joints
    assert shoulder.axis == (0.0, 0.0, 2.0)
    assert (elbow.origin.xyz, elbow.lower, elbow.upper, elbow.speed) == ((UPPER_M, 0.0, 0.0), -2.5, 2.5, 2.0)
    assert (flange.motion, flange.origin.xyz) == (JointMotion.FIXED, (FORE_M, 0.0, 0.0))


def test_a_chain_may_start_below_the_root() -> None:
    assert [joint.name for joint in chain_of(seven(), "link2", "link5").joints] == ["joint3", "joint4", "joint5"]


def test_meshes_are_never_looked_at() -> None:
    assert "no/such/mesh" in PLANAR
    assert chain_of(PLANAR, None, "tool")


def test_what_is_beside_the_chain_changes_nothing() -> None:
    more = PLANAR.replace("<visual>", '<inertial><mass value="3"/></inertial><visual>')
    finger = (
        '<link name="f"/><joint name="finger" type="floating"><parent link="tool"/><child link="f"/></joint></robot>'
    )
    assert chain_of(more.replace("</robot>", finger), None, "tool") == chain_of(PLANAR, None, "tool")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('<!DOCTYPE robot [<!ENTITY a "b">]>' + PLANAR.partition("?>")[2], "document type"),
        ("<!DOCTYPE robot>" + PLANAR.partition("?>")[2], "document type"),
        (PLANAR.replace("<robot", '<robot xmlns:xacro="x"><xacro:include/><robot', 1), "xacro"),
        ("<robot", "is no XML"),
        ("\x00", "is no XML"),
        ("<sdf/>", "expected <robot>"),
        ('<robot name="r"/>', "0 root links"),
        (PLANAR.replace('type="fixed"', 'type="floating"'), "joint 'flange' is floating"),
        (PLANAR.replace('type="fixed"', ""), "joint 'flange' is of no type"),
        (PLANAR.replace("<axis xyz=\"0 0 2\"/>", "<axis xyz=\"0 0 0\"/>"), "axis of zeros"),
        (PLANAR.replace("<axis xyz=\"0 0 2\"/>", "<axis xyz=\"0 0\"/>"), "expected three numbers"),
        (PLANAR.replace('lower="-3"', 'lower="nan"'), "found 'nan'"),
        (PLANAR.replace('lower="-3"', 'lower="1e9"'), "found '1e9'"),
        (PLANAR.replace('lower="-3"', 'lower="3"'), "expected lower < upper"),
        (PLANAR.replace('<limit lower="-3" upper="3" velocity="2" effort="1"/>', ""), "has no limits"),
        (PLANAR.replace("<axis xyz=\"0 0 2\"/>", '<mimic joint="elbow"/>'), "mimics another"),
        (PLANAR.replace('<child link="upper"/>', ""), "names no child link"),
        (PLANAR.replace('<child link="fore"/>', '<child link="upper"/>'), "hangs on two joints"),
    ],
)  # fmt: skip
def test_what_would_have_to_be_guessed_is_refused(text: str, said: str) -> None:
    with pytest.raises(UrdfError, match=said):
        chain_of(text, None, "tool")


def test_an_unknown_link_is_told_with_the_ones_there_are() -> None:
    with pytest.raises(UrdfError, match=r"no link 'tol'; did you mean 'tool'\?"):
        chain_of(PLANAR, None, "tol")
    with pytest.raises(UrdfError, match="base_link: no link 'world'; there are base, upper, fore, tool"):
        chain_of(PLANAR, "world", "tool")
    with pytest.raises(UrdfError, match="'upper' does not hang on 'tool'; above it are base"):
        chain_of(PLANAR, "tool", "upper")
    with pytest.raises(UrdfError, match="nothing moves between 'fore' and 'tool'"):
        chain_of(PLANAR, "fore", "tool")


def test_links_in_a_circle_end() -> None:
    circle = PLANAR.replace('<parent link="base"/>', '<parent link="tool"/>')
    with pytest.raises(UrdfError, match="circle"):
        chain_of(circle, "base", "tool")


def test_a_file_is_read_up_to_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "arm.urdf"
    path.write_text(PLANAR, encoding="utf-8")
    assert read_chain(path, None, "tool").robot == "planar"
    path.write_bytes(b" " * (MAX_BYTES + 1))
    with pytest.raises(UrdfError, match=r"arm.urdf: larger than 8 MiB"):
        read_chain(path, None, "tool")
    path.write_bytes(PLANAR.encode("utf-16"))
    with pytest.raises(UrdfError, match="is no UTF-8 text"):
        read_chain(path, None, "tool")
    with pytest.raises(UrdfError, match=r"cannot be read \(No such file"):
        read_chain(tmp_path / "none.urdf", None, "tool")
    with pytest.raises(UrdfError, match=r"cannot be read \(Is a directory"):
        read_chain(tmp_path, None, "tool")


def test_deeply_nested_text_is_read_or_refused_soon() -> None:
    started = time.process_time()
    with pytest.raises(UrdfError):
        chain_of("<robot>" + "<a>" * 200_000 + "</a>" * 200_000 + "</robot>", None, "tool")
    assert time.process_time() - started < 5


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, len(PLANAR) - 1), junk=st.text(max_size=6), cut=st.integers(0, 12))
def test_a_damaged_file_is_read_or_refused(at: int, junk: str, cut: int) -> None:
    with contextlib.suppress(UrdfError):
        chain_of(PLANAR[:at] + junk + PLANAR[at + cut :], None, "tool")
