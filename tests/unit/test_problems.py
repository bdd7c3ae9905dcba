"""penstock._problems: what is wrong with a configuration, by the paths of its keys."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from penstock._problems import describe_problems
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: int = 1


class Nothing(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: float | list[float] = 0.0
    length: Literal["longest"] | Annotated[int, Field(ge=1)] = 1
    inner: list[Inner] = []
    by_name: dict[str, Inner] = {}
    nothing: Nothing | None = None
    names: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"number": "x"}, "number: Input should be a valid number, unable to parse string as a"),
        ({"number": [1, {}]}, "number[1]: Input should be a valid number, got {}"),
        ({"length": "max"}, "length: Input should be 'longest', or Input should be a valid int"),
        ({"inner": [{"size": 1}, {"sise": 2}]}, "inner[1].sise: unknown setting; known are size"),
        ({"by_name": {"a": {"sise": 2}}}, "by_name.a.sise: unknown setting; known are size"),
        ({"by_name": {"a": 3}}, "by_name.a: Input should be a mapping of keys to values, got 3"),
        ({"nothing": {"a": 1}}, "nothing.a: unknown setting; it takes none"),
        ({"names": 1}, "names: Input should be a valid list, got 1"),
        ({"nmes": 1}, "nmes: unknown setting; known are number, length, inner, by_name, nothing, "),
        ({"number": {}, "names": 1}, "; file: names: Input should be a valid list, got 1"),
        ({"names": [1, 2, 3, 4, 5]}, "names[2]: Input should be a valid string, got 3; and 2 more"),
    ],
)
def test_problem_is_told_by_the_path_that_was_written(given: Any, message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Outer.model_validate(given)
    described = describe_problems(raised.value, Outer, given, "file: ")
    assert described.startswith("file: ")
    assert message in described


def test_path_goes_on_from_where_it_began() -> None:
    with pytest.raises(ValidationError) as raised:
        Inner.model_validate({"size": "x"})
    described = describe_problems(raised.value, Inner, {"size": "x"}, "file: steps[0].inner")
    assert described.startswith("file: steps[0].inner.size: Input should be a valid integer")
    with pytest.raises(ValidationError) as raised:
        Inner.model_validate({"b": 1})
    described = describe_problems(raised.value, Inner, {"b": 1}, also_known=["a"])
    assert described == "b: unknown setting; known are size, a"
