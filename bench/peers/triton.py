"""Triton from the nvidia-pytriton wheel: its server and Python backend, ONNX Runtime inside.

The wheel carries no C++ ONNX Runtime backend. Its backend's stub is linked with the libpython of
the distribution, so its environment is made with the distribution's own Python.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from bench.peers.peer import Launch, Peer, PeerError, Place

_CONFIG = """\
name: "{model}"
backend: "python"
max_batch_size: 128
input [{{ name: "{input}" data_type: TYPE_FP32 dims: [{input_width}] }}]
output [{{ name: "{output}" data_type: TYPE_FP32 dims: [{output_width}] }}]
instance_group [{{ kind: KIND_CPU count: 1 }}]
dynamic_batching {{ {batching} }}
"""
REQUIREMENTS = ("nvidia-pytriton==0.7.0", "onnxruntime>=1.20", "numpy<2")
_MINOR_VERSIONS = (13, 12, 11, 10)
_MODEL_SCRIPT = Path(__file__).parent / "serving" / "triton_model.py"


def find_python() -> Path:
    """A Python whose shared library is where the stub finds it."""
    for minor in _MINOR_VERSIONS:
        python = Path(f"/usr/bin/python3.{minor}")
        libraries = list(Path("/usr/lib").glob(f"*/libpython3.{minor}.so.1.0"))
        if python.exists() and libraries:
            return python
    raise PeerError("no Python of the system with its shared library: apt install python3-dev")


def launch(place: Place, batching: str = "") -> Launch:
    """With these settings of `dynamic_batching`."""
    code = "import sys, pytriton; print(pytriton.__path__[0], *sys.version_info[:2])"
    found = subprocess.run(
        [str(place.python), "-c", code], capture_output=True, text=True, check=False
    )
    if found.returncode != 0:
        raise PeerError(f"pytriton does not import: {found.stderr[-500:]}")
    package, major, minor = found.stdout.split()
    server = Path(package) / "tritonserver"
    backends = place.folder / "backends"
    shutil.copytree(server / "backends" / "python", backends / "python", dirs_exist_ok=True)
    stub = server / "python_backend_stubs" / f"{major}.{minor}" / "triton_python_backend_stub"
    shutil.copy2(stub, backends / "python")
    version = place.folder / "repository" / place.model_name / "1"
    version.mkdir(parents=True, exist_ok=True)
    (version.parent / "config.pbtxt").write_text(
        _CONFIG.format(
            model=place.model_name,
            input=place.input_name,
            input_width=place.input_width,
            output=place.output_name,
            output_width=place.output_width,
            batching=batching,
        )
    )
    shutil.copy2(_MODEL_SCRIPT, version / "model.py")
    shutil.copy2(place.model, version / "model.onnx")
    return Launch(
        command=(
            str(server / "bin" / "tritonserver"),
            f"--model-repository={version.parents[1]}",
            f"--backend-directory={backends}",
            *("--grpc-address=127.0.0.1", f"--grpc-port={place.port}"),
            *("--allow-http=false", "--allow-metrics=false", "--log-info=false"),
        ),
        # The stub has left the wheel's folder and so has to be told where its libraries are. Its
        # interpreter finds its packages through the first python3 of PATH, not PYTHONPATH.
        environment={
            "PATH": f"{place.python.parent}:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": str(Path(package).parent / "nvidia_pytriton.libs"),
        },
    )


PEER = Peer(
    name="triton",
    title="Triton, Python backend with ONNX Runtime",
    settings=(
        "`dynamic_batching {}` (its default: no delay), `max_batch_size: 128`",
        "one CPU instance; the backend concatenates the requests that Triton hands it together",
        "HTTP and metrics off; `intra_op_num_threads=1`",
    ),
    launch=launch,
    requirements=REQUIREMENTS,
    find_python=find_python,
    distribution="nvidia-pytriton",
)
