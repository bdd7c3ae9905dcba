"""The committed descriptors are what scripts/generate_protos.py makes of proto/ today.

Compared parsed, not as text: versions of protoc may order or pad the same descriptor differently.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2
from support import protos

generate_protos = protos.generator()
REGENERATE = "run scripts/generate_protos.py and commit what it changes"


@pytest.fixture(scope="module")
def fresh() -> Any:
    return generate_protos.offered_files(generate_protos.compile_protos())


def committed_server_files() -> list[Any]:
    """The byte arrays of descriptors.gen.cc, parsed."""
    text = generate_protos.CC_PATH.read_text()
    arrays = re.findall(r"std::uint8_t, \d+> \w+ = \{([^}]*)\}", text)
    return [
        descriptor_pb2.FileDescriptorProto.FromString(bytes(map(int, re.findall(r"\d+", array))))
        for array in arrays
    ]


def committed_client_file() -> Any:
    """_descriptor.py's value, read without importing the client."""
    namespace: dict[str, Any] = {}
    path: Path = generate_protos.CLIENT_PATH
    exec(compile(path.read_text(), str(path), "exec"), namespace)
    return descriptor_pb2.FileDescriptorProto.FromString(namespace["FILE_DESCRIPTOR"])


def test_server_descriptors_match_the_protos(fresh: Any) -> None:
    assert committed_server_files() == fresh, REGENERATE


def test_client_descriptor_matches_the_protos() -> None:
    client = generate_protos.client_file(generate_protos.compile_protos())
    assert committed_client_file() == client, REGENERATE


def test_generated_text_matches_its_generator() -> None:
    """Names, symbols and layout: the generator makes the very text from the committed bytes."""
    files = committed_server_files()
    assert generate_protos.CC_PATH.read_text() == generate_protos.render_cc(files), REGENERATE
    assert generate_protos.HEADER_PATH.read_text() == generate_protos.render_header(), REGENERATE
    client = committed_client_file()
    assert generate_protos.CLIENT_PATH.read_text() == generate_protos.render_client(client)


def test_offered_files_need_no_imports(fresh: Any) -> None:
    """descriptors.gen.h promises it, and reflection answers with one file because of it."""
    assert [file.name for file in fresh if file.dependency] == []


def test_offered_files_hold_only_offered_calls(fresh: Any) -> None:
    for file in fresh:
        calls = tuple(method.name for service in file.service for method in service.method)
        assert calls == generate_protos.OFFERED[file.name]
