"""Every public name is in `__all__`, and the stub of the core names what the module has."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType

import penstock
import pytest
from penstock import _core

PACKAGE = Path(penstock.__file__).parent
MODULES = sorted(
    module.name
    for module in pkgutil.iter_modules([str(PACKAGE)])
    if module.name not in {"__main__", "_columns", "_core", "_strings", "_version"}
)


def public_names(module: ModuleType) -> set[str]:
    """What the module defines itself, without leading underscore."""
    tree = ast.parse(inspect.getsource(module))
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize("name", MODULES)
def test_module_all_is_what_it_defines(name: str) -> None:
    module = importlib.import_module(f"penstock.{name}")
    assert set(module.__all__) == public_names(module)


def test_package_all_is_importable_and_has_every_error() -> None:
    from penstock import errors

    assert all(hasattr(penstock, name) for name in penstock.__all__)
    kinds = {name for name in errors.__all__ if isinstance(getattr(errors, name), type)}
    assert set(penstock.__all__) == {*kinds, "Engine", "Server", "__version__"}


def test_core_stub_names_what_the_module_has() -> None:
    stub = ast.parse((PACKAGE / "_core.pyi").read_text())
    classes = {node.name: node for node in stub.body if isinstance(node, ast.ClassDef)}
    functions = {node.name for node in stub.body if isinstance(node, ast.FunctionDef)}
    assert {name for name in vars(_core) if not name.startswith("_")} == {*classes, *functions}
    assert set(_stub_all(stub)) == {*classes, *functions}
    for name, node in classes.items():
        stubbed = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
        real = {
            attribute for attribute in vars(getattr(_core, name)) if not attribute.startswith("_")
        }
        assert stubbed - {"__init__"} == real, name


def _stub_all(stub: ast.Module) -> list[str]:
    for node in stub.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    raise AssertionError("the stub has no __all__")
