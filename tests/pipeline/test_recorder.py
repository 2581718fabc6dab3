"""The recorder: what the documentation shows works as written."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from pipeline.files import SourceFiles
from pipeline.recorder import EpisodeRecorder
from pipeline.sources.formats import read
from schemas.recording import RECORDING, UNFINISHED
from tests.pipeline.sources.test_self_collected import discovered
from tests.pipeline.sources.written.self_collected import recording

PAGE = Path(__file__).resolve().parents[2] / "docs" / "self_collected.md"


def test_the_recorder_of_the_documentation_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path("program.py")
    (ref,), findings = discovered(tmp_path)
    raw = read(ref, SourceFiles(str(tmp_path)))
    assert findings == []
    assert raw.instruction == "put the cup on the shelf"
    assert raw.actions is not None
    assert raw.actions.n_rows == 60


def test_a_folder_is_marked_until_the_end(tmp_path: Path) -> None:
    with EpisodeRecorder(tmp_path, recording()) as recorder:
        assert (tmp_path / UNFINISHED).exists()
        recorder.picture("front", np.zeros((16, 16, 3), np.uint8), 5)
    assert (tmp_path / RECORDING).exists()
    assert not (tmp_path / UNFINISHED).exists()


def test_a_finished_recording_is_never_written_over(tmp_path: Path) -> None:
    with EpisodeRecorder(tmp_path, recording()):
        pass
    with pytest.raises(FileExistsError, match="holds a finished recording"):
        EpisodeRecorder(tmp_path, recording()).__enter__()


def test_a_row_that_leaves_something_out_is_refused(tmp_path: Path) -> None:
    with EpisodeRecorder(tmp_path, recording()) as recorder:
        recorder.row(1, gripper=0.5, phase="reach")
        with pytest.raises(ValueError, match="has the columns"):
            recorder.row(2, gripper=0.5)


def test_a_camera_nobody_declared_is_refused(tmp_path: Path) -> None:
    with EpisodeRecorder(tmp_path, recording()) as recorder, pytest.raises(ValueError, match="no camera 'back'"):
        recorder.picture("back", np.zeros((16, 16, 3), np.uint8), 5)


def test_a_dead_recording_lends_its_files_to_no_other(tmp_path: Path) -> None:
    with pytest.raises(KeyError), EpisodeRecorder(tmp_path, recording()):
        raise KeyError("the robot stopped")
    with pytest.raises(FileExistsError, match="holds an unfinished recording"):
        EpisodeRecorder(tmp_path, recording()).__enter__()


def test_a_clock_that_steps_back_is_found_out_at_once(tmp_path: Path) -> None:
    black = np.zeros((16, 16, 3), np.uint8)
    with EpisodeRecorder(tmp_path, recording()) as recorder:
        recorder.picture("front", black, 10)
        recorder.row(10, gripper=0.5)
        with pytest.raises(ValueError, match="picture of front at 5 ns comes after one at 10 ns"):
            recorder.picture("front", black, 5)
        with pytest.raises(ValueError, match="row at 10 ns comes after one at 10 ns"):
            recorder.row(10, gripper=0.5)
