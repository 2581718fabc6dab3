"""Names WebDataset cannot take apart wrongly."""

from hypothesis import given
from hypothesis import strategies as st
from webdataset.tariterators import base_plus_ext

from pipeline.shards.names import MAX_CAMERA, camera_names, sample_key
from pipeline.shards.tar import MAX_NAME
from schemas.plan import Draw


def draw(t: int = 7) -> Draw:
    return Draw("pl-0", "train", t, "ev-" + "ab" * 16, "ep-0", 0, 0, 0, "train-000000", t, 0.5, None, 1.0)


def test_a_key_sorts_in_drawing_order_and_names_the_event() -> None:
    assert sample_key(draw(7)) == "00000007-" + "ab" * 16
    assert sample_key(draw(9)) < sample_key(draw(10))


def test_plain_camera_names_stay_recognisable() -> None:
    assert camera_names(["observation.images.Wrist-Left", "cam0"]) == {
        "observation.images.Wrist-Left": "observation_images_wrist-left",
        "cam0": "cam0",
    }


def test_names_that_would_clash_stay_apart_whatever_their_order() -> None:
    there = camera_names(["a.b", "a/b", "c"])
    back = camera_names(["c", "a/b", "a.b"])
    assert len(set(there.values())) == 3
    assert there == back
    assert there["c"] == "c"


@given(st.lists(st.text(max_size=120), unique=True, max_size=6))
def test_any_camera_name_gives_a_member_stock_webdataset_splits_right(cameras: list[str]) -> None:
    names = camera_names(cameras)
    assert len(set(names.values())) == len(cameras)
    for name in names.values():
        member = f"{sample_key(draw())}.{name}.mp4"
        assert base_plus_ext(member) == (sample_key(draw()), f"{name}.mp4")
        assert name == name.lower()
        assert len(name) <= MAX_CAMERA
        assert len(member) <= MAX_NAME
