"""penstock._cuda: which libraries are found, in made-up site directories."""

from __future__ import annotations

from pathlib import Path

import pytest
from penstock._cuda import find_cuda_libraries
from penstock.errors import RuntimeLibraryError


def install(
    site: Path, name: str, *, requires: tuple[str, ...] = (), files: tuple[str, ...] = ()
) -> None:
    info = site / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"]
    lines += [f"Requires-Dist: {requirement}\n" for requirement in requires]
    (info / "METADATA").write_text("".join(lines))
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).touch()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The GPU wheel with CUDA and cuDNN; cublas comes through cudnn, as it really does."""
    install(
        tmp_path,
        "onnxruntime-gpu",
        requires=(
            "numpy>=1.21.6",
            'nvidia-cuda-runtime~=13.0; extra == "cuda"',
            'nvidia-cudnn-cu13~=9.0; extra == "cudnn"',
        ),
    )
    install(
        tmp_path,
        "nvidia-cuda-runtime",
        files=("nvidia/cu13/lib/libcudart.so.13", "nvidia/cu13/lib/libcudart_static.a"),
    )
    install(
        tmp_path,
        "nvidia-cudnn-cu13",
        requires=("nvidia-cublas",),
        files=("nvidia/cudnn/lib/libcudnn.so.9", "nvidia/cudnn/lib/libcudnn_graph.so.9"),
    )
    install(
        tmp_path,
        "nvidia-cublas",
        files=tuple(
            f"nvidia/cu13/lib/{name}.so.13" for name in ("libcublas", "libcublasLt", "libnvblas")
        ),
    )
    # Of another CUDA, for another package.
    install(tmp_path, "nvidia-cublas-cu12", files=("nvidia/cublas/lib/libcublas.so.12",))
    return tmp_path


def test_find_returns_them_in_the_order_of_need(site: Path) -> None:
    names = [path.name for path in find_cuda_libraries([str(site)])]
    assert names == ["libcudart.so.13", "libcublasLt.so.13", "libcublas.so.13", "libcudnn.so.9"]
    assert all(path.is_absolute() for path in find_cuda_libraries([str(site)]))


def test_find_without_the_gpu_wheel_is_empty(tmp_path: Path) -> None:
    install(tmp_path, "onnxruntime", requires=("numpy",))
    assert find_cuda_libraries([str(tmp_path)]) == ()


def test_find_missing_package_is_named_with_the_command(site: Path) -> None:
    for path in (site / "nvidia_cublas-1.0.dist-info").iterdir():
        path.unlink()
    (site / "nvidia_cublas-1.0.dist-info").rmdir()
    with pytest.raises(RuntimeLibraryError, match=r"nvidia-cublas, .*pip install 'penstock\[gpu\]"):
        find_cuda_libraries([str(site)])


def test_find_missing_file_says_reinstall(site: Path) -> None:
    (site / "nvidia/cudnn/lib/libcudnn.so.9").unlink()
    with pytest.raises(RuntimeLibraryError, match="--force-reinstall nvidia-cudnn-cu13"):
        find_cuda_libraries([str(site)])
