#!/usr/bin/env python3
"""Turns proto/ into what is committed: the server's reflection data and the client's descriptor.

Run it after every change below proto/ (needs grpcio-tools). tests/meta/test_protos_fresh.py fails
when the committed files do not match. It also makes Python stubs, but only on demand and outside
the source tree (`--python-stubs`), for tests and benchmarks.

OFFERED says what the server really answers. Everything else is cut from its descriptors, so that
reflection never shows a call that would be answered by UNIMPLEMENTED. CLIENT_CALLS are those
that our client makes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import grpc_tools  # type: ignore[import-untyped]
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTO_FOLDER = ROOT / "proto"
CC_PATH = ROOT / "native/src/inference/descriptors.gen.cc"
HEADER_PATH = ROOT / "native/src/inference/descriptors.gen.h"
CLIENT_PATH = ROOT / "clients/python/penstock_client/_descriptor.py"
STUBS_FOLDER = ROOT / "build/generated-protos"

INFERENCE_FILE = "open_inference_grpc.proto"
OFFERED: dict[str, tuple[str, ...]] = {
    INFERENCE_FILE: (
        "ServerLive",
        "ServerReady",
        "ModelReady",
        "ServerMetadata",
        "ModelMetadata",
        "ModelInfer",
        "ModelConfig",
        "ModelStatistics",
        "RepositoryIndex",
    ),
    "penstock.proto": ("ListModels",),
    "grpc/health/v1/health.proto": ("Check",),
    "grpc/reflection/v1/reflection.proto": ("ServerReflectionInfo",),
    "grpc/reflection/v1alpha/reflection.proto": ("ServerReflectionInfo",),
}
CLIENT_CALLS = (
    "ServerLive",
    "ServerReady",
    "ModelReady",
    "ServerMetadata",
    "ModelMetadata",
    "ModelInfer",
    "RepositoryIndex",
)

File: TypeAlias = descriptor_pb2.FileDescriptorProto


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python-stubs", action="store_true", help=f"fill {STUBS_FOLDER} instead")
    if parser.parse_args(arguments).python_stubs:
        write_python_stubs(STUBS_FOLDER)
        return 0
    compiled = compile_protos()
    HEADER_PATH.write_text(render_header())
    CC_PATH.write_text(render_cc(offered_files(compiled)))
    CLIENT_PATH.write_text(render_client(client_file(compiled)))
    return 0


def run_protoc(*options: str) -> None:
    """Runs protoc over all of proto/; raises SystemExit with protoc's own message on failure."""
    names = sorted(str(path.relative_to(PROTO_FOLDER)) for path in PROTO_FOLDER.rglob("*.proto"))
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    code = protoc.main(["protoc", f"-I{PROTO_FOLDER}", f"-I{well_known}", *options, *names])
    if code != 0:
        raise SystemExit(f"protoc failed with exit code {code}")


def compile_protos() -> dict[str, File]:
    """Every file below proto/, parsed, by its import name; without comments."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "protos.pb"
        run_protoc(f"--descriptor_set_out={output}")
        parsed = descriptor_pb2.FileDescriptorSet.FromString(output.read_bytes())
    return {file.name: file for file in parsed.file}


def write_python_stubs(folder: Path) -> None:
    """Ordinary generated modules. They register in protobuf's default pool: never import them in
    a process that also imports tritonclient (tests/support/protos.py needs no such modules)."""
    folder.mkdir(parents=True, exist_ok=True)
    run_protoc(f"--python_out={folder}", f"--grpc_python_out={folder}")


def offered_files(files: dict[str, File]) -> list[File]:
    """The files of OFFERED, in that order, reduced to what the offered calls need."""
    return [_reduce(files, name, set(methods)) for name, methods in OFFERED.items()]


def client_file(files: dict[str, File]) -> File:
    """The inference file, reduced to what the client's calls need."""
    return _reduce(files, INFERENCE_FILE, set(CLIENT_CALLS))


def _reduce(files: dict[str, File], name: str, methods: set[str]) -> File:
    """The file with these methods and the types they need; those of imported files of the same
    package become its own, so that no file needs another."""
    file = File()
    file.CopyFrom(files[name])
    for imported in (files[dependency] for dependency in file.dependency):
        if imported.package == file.package:
            file.message_type.extend(imported.message_type)
            file.enum_type.extend(imported.enum_type)
    for service in file.service:
        kept = [method for method in service.method if method.name in methods]
        methods -= {method.name for method in kept}
        del service.method[:]
        service.method.extend(kept)
    if methods:
        raise SystemExit(f"{file.name} defines no {', '.join(sorted(methods))}: fix OFFERED")
    needed = _needed_messages(file)
    messages = [message for message in file.message_type if message.name in needed]
    del file.message_type[:]
    file.message_type.extend(messages)
    used = set(_used_types(file.message_type))
    enums = [enum for enum in file.enum_type if f".{file.package}.{enum.name}" in used]
    del file.enum_type[:]
    file.enum_type.extend(enums)
    if any(not name.startswith(f".{file.package}.") for name in used):
        raise SystemExit(f"{file.name}: an offered call needs an imported type: teach _reduce")
    del file.dependency[:]
    for message in file.message_type:
        _drop_json_names(message)
    return file


def _needed_messages(file: File) -> set[str]:
    """Names of the top-level messages that the file's calls can reach."""
    by_name = {message.name: message for message in file.message_type}
    types = [t for s in file.service for m in s.method for t in (m.input_type, m.output_type)]
    needed: set[str] = set()
    while types:
        name = types.pop().removeprefix(f".{file.package}.").split(".")[0]
        if name in by_name and name not in needed:
            needed.add(name)
            types.extend(_used_types([by_name[name]]))
    return needed


def _used_types(messages: Iterable[descriptor_pb2.DescriptorProto]) -> Iterator[str]:
    for message in messages:
        yield from (field.type_name for field in message.field if field.type_name)
        yield from _used_types(message.nested_type)


def _drop_json_names(message: descriptor_pb2.DescriptorProto) -> None:
    """They follow from the names, and whether protoc writes them depends on its version."""
    for field in message.field:
        field.ClearField("json_name")
    for nested in message.nested_type:
        _drop_json_names(nested)


def symbols_of(file: File) -> list[str]:
    """What reflection finds: messages, enums and their values, services and their methods."""
    symbols = [f"{file.package}.{service.name}" for service in file.service]
    symbols += [
        f"{file.package}.{service.name}.{method.name}"
        for service in file.service
        for method in service.method
    ]
    symbols += _enum_symbols(file.enum_type, file.package)
    for message in file.message_type:
        symbols += _message_symbols(message, file.package)
    return sorted(symbols)


def _message_symbols(message: descriptor_pb2.DescriptorProto, scope: str) -> list[str]:
    full_name = f"{scope}.{message.name}"
    symbols = [full_name, *_enum_symbols(message.enum_type, full_name)]
    for nested in message.nested_type:
        symbols += _message_symbols(nested, full_name)
    return symbols


def _enum_symbols(enums: Iterable[descriptor_pb2.EnumDescriptorProto], scope: str) -> Iterator[str]:
    """An enum's values live beside it, not in it: protobuf's scoping."""
    for enum in enums:
        yield f"{scope}.{enum.name}"
        yield from (f"{scope}.{value.name}" for value in enum.value)


HEADER = """\
// What the server offers, as serialized descriptors for reflection. Constant data, any thread.
// Made by scripts/generate_protos.py from proto/: change those, not this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace penstock {

struct DescriptorFile {
  std::string_view name;                       // as other files import it
  std::span<const std::uint8_t> serialized;    // a google.protobuf.FileDescriptorProto
  std::span<const std::string_view> services;  // full names
  std::span<const std::string_view> symbols;   // full names of all that it defines, sorted
};

// No file imports another.
std::span<const DescriptorFile> DescriptorFiles();

}  // namespace penstock
"""


def render_header() -> str:
    return HEADER


def render_cc(files: Sequence[File]) -> str:
    lines = [
        "// Made by scripts/generate_protos.py from proto/: change those, not this. Constant data.",
        "// clang-format off",
        '#include "inference/descriptors.gen.h"',
        "",
        "#include <array>",
        "",
        "namespace penstock {",
        "namespace {",
    ]
    entries = []
    for index, file in enumerate(files):
        services = [f"{file.package}.{service.name}" for service in file.service]
        lines += ["", f"// {file.name}"]
        lines += _cc_bytes(f"kFile{index}", file.SerializeToString(deterministic=True))
        lines += _cc_strings(f"kServices{index}", services)
        lines += _cc_strings(f"kSymbols{index}", symbols_of(file))
        entries.append(f'    {{"{file.name}", kFile{index}, kServices{index}, kSymbols{index}}},')
    lines += ["", f"constexpr std::array<DescriptorFile, {len(files)}> kFiles = {{{{"]
    lines += [*entries, "}};", "", "}  // namespace", ""]
    lines += ["std::span<const DescriptorFile> DescriptorFiles() { return kFiles; }", ""]
    return "\n".join([*lines, "}  // namespace penstock", ""])


def _cc_bytes(name: str, data: bytes) -> list[str]:
    rows = [data[start : start + 24] for start in range(0, len(data), 24)]
    body = ["    " + "".join(f"{byte}," for byte in row) for row in rows]
    return [f"constexpr std::array<std::uint8_t, {len(data)}> {name} = {{", *body, "};"]


def _cc_strings(name: str, strings: Sequence[str]) -> list[str]:
    body = [f'    "{string}",' for string in strings]
    return [
        f"constexpr std::array<std::string_view, {len(strings)}> {name} = {{",
        *body,
        "};",
    ]


def render_client(file: File) -> str:
    data = file.SerializeToString(deterministic=True)
    rows = [data[start : start + 20] for start in range(0, len(data), 20)]
    lines = [
        '"""The protocol as a FileDescriptorProto, so that no generated module is needed.',
        "",
        "Made by scripts/generate_protos.py from proto/: change those, not this.",
        '"""',
        "",
        "# fmt: off",
        "FILE_DESCRIPTOR: bytes = (",
        *('    b"' + "".join(f"\\x{byte:02x}" for byte in row) + '"' for row in rows),
        ")",
        "# fmt: on",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
