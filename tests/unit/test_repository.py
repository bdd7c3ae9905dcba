"""penstock.repository: which models a path stands for."""

from __future__ import annotations

from pathlib import Path

import pytest
from penstock.errors import RepositoryError
from penstock.repository import ModelFile, find_models


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_find_file_is_named_after_it(tmp_path: Path) -> None:
    path = touch(tmp_path / "digits.onnx")
    assert find_models([path]) == [ModelFile(name="digits", version=1, path=path, settings=None)]


def test_find_file_takes_settings_beside_it(tmp_path: Path) -> None:
    path = touch(tmp_path / "digits.onnx")
    settings = touch(tmp_path / "digits.yaml")
    assert find_models([path])[0].settings == settings


def test_find_relative_path_becomes_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "digits.onnx")
    monkeypatch.chdir(tmp_path)
    assert find_models([Path("digits.onnx")])[0].path == tmp_path / "digits.onnx"


def test_find_repository_takes_highest_number(tmp_path: Path) -> None:
    for version in (2, 10, 9):
        touch(tmp_path / "a" / str(version) / "model.onnx")
    touch(tmp_path / "b" / "1" / "model.onnx")
    settings = touch(tmp_path / "b" / "model.yaml")
    touch(tmp_path / "README.md")
    touch(tmp_path / ".git" / "config")
    assert find_models([tmp_path]) == [
        ModelFile(name="a", version=10, path=tmp_path / "a/10/model.onnx", settings=None),
        ModelFile(name="b", version=1, path=tmp_path / "b/1/model.onnx", settings=settings),
    ]


def test_find_several_paths_keeps_their_order(tmp_path: Path) -> None:
    paths = [touch(tmp_path / name) for name in ("b.onnx", "a.onnx")]
    assert [model.name for model in find_models(paths)] == ["b", "a"]


@pytest.mark.parametrize("name", ["a", "7", "A.b-c_d", "x" * 128])
def test_find_good_name_is_taken(tmp_path: Path, name: str) -> None:
    assert find_models([touch(tmp_path / f"{name}.onnx")])[0].name == name


@pytest.mark.parametrize("name", ["_a", "a..b", "-a", "a b", "é", "x" * 129])
def test_find_wrong_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RepositoryError, match="cannot be a model's name"):
        find_models([touch(tmp_path / f"{name}.onnx")])


@pytest.mark.parametrize("version", ["one", "01", "0", "-1", "1.0", "9" * 19])
def test_find_wrong_version_is_refused(tmp_path: Path, version: str) -> None:
    touch(tmp_path / "a" / version / "model.onnx")
    with pytest.raises(RepositoryError, match="is not a version"):
        find_models([tmp_path])


def test_find_missing_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match=r"none.onnx: no such file or directory"):
        find_models([tmp_path / "none.onnx"])


def test_find_other_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match=r"neither an .onnx file nor"):
        find_models([touch(tmp_path / "model.pt")])


def test_find_empty_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="empty model repository"):
        find_models([tmp_path])


def test_find_model_without_version_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "model.yaml")
    with pytest.raises(RepositoryError, match="a: has no version; expected"):
        find_models([tmp_path])


def test_find_version_without_model_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "1" / "model.onnx")
    touch(tmp_path / "a" / "2" / "weights.bin")
    with pytest.raises(RepositoryError, match=r"a/2: has no model\.onnx"):
        find_models([tmp_path])


def test_find_directory_of_a_model_names_its_repository(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "1" / "model.onnx")
    with pytest.raises(RepositoryError, match=f"give the model repository, {tmp_path}$"):
        find_models([tmp_path / "a"])


def test_find_same_name_twice_names_both(tmp_path: Path) -> None:
    first = touch(tmp_path / "x" / "a.onnx")
    second = touch(tmp_path / "y" / "a.onnx")
    with pytest.raises(RepositoryError, match=f"given twice: {first} and {second}"):
        find_models([first, second])


def test_find_nothing_is_refused() -> None:
    with pytest.raises(RepositoryError, match="no model is given"):
        find_models([])
