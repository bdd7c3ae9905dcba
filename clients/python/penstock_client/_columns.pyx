# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""Columns as Python holds them (DataFrames, dicts, rows) into NumPy arrays of a model's datatypes.

Compiled into the client and into the server's package; knows neither, nor pandas, polars and Arrow.
What is wrong is a ValueError that names input, column and row. Numbers in buffers are NumPy's to
convert, checked; the loops here are over objects.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Integral, Real

from cpython.bool cimport PyBool_Check
from cpython.bytes cimport PyBytes_Check
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_Check
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.long cimport PyLong_AsDouble, PyLong_AsLongLongAndOverflow, PyLong_Check
from cpython.unicode cimport PyUnicode_Check
from libc.math cimport NAN, rint
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t

import numpy as np

_FLOATS = {"FP16": np.float16, "BF16": np.float32, "FP32": np.float32, "FP64": np.float64}
_INTEGERS = {
    f"{u}INT{n}": np.dtype(f"{u.lower()}int{n}") for u in ("", "U") for n in (8, 16, 32, 64)
}
_DATES = "dates and times have no datatype in the protocol: send numbers (an epoch) or strings"


def from_columns(data, inputs=None):
    """The array of each column by its name, as the model takes it.

    data: a DataFrame or another table with named columns, a dict of columns, a list of dicts (the
    rows), a list of columns in the order of `inputs`, or the column of a model's only input.
    inputs: the model's inputs, each with .name, .datatype and .shape; None takes each column's own
    dtype. Raises ValueError.
    """
    columns = named_columns(data, inputs)
    for name in columns:
        if not isinstance(name, str):
            raise ValueError(f"column {name!r}: its name is {type(name).__name__}, not str")
    if inputs is None:
        return {name: _converted(name, values, None) for name, values in columns.items()}
    declared = {each.name: each for each in inputs}
    arrays = {}
    for name, values in columns.items():
        if name not in declared:
            raise ValueError(_unknown(name, inputs))
        tensor = declared[name]
        arrays[name] = _shaped(name, _converted(name, values, tensor.datatype), tensor.shape)
    return arrays


def _unknown(name, inputs):
    known = ", ".join(f"{each.name!r} {each.datatype} {list(each.shape)}" for each in inputs)
    return (
        f"column {name!r}: the model has no such input; it has {known}. Leave the column out, or "
        "give several columns to one input as {input: frame}"
    )


def bf16_bits(array):
    """float32 rounded to the nearest bfloat16, ties to even, as uint16; NaN stays NaN."""
    bits = np.asarray(array, dtype=np.float32, order="C").view(np.uint32)
    # Carries into the exponent where it must, up to infinity.
    rounded = (bits + (np.uint32(0x7FFF) + ((bits >> 16) & 1))) >> 16
    # The low half of a NaN may hold all that makes it one.
    return np.where(np.isnan(array), (bits >> 16) | 0x40, rounded).astype(np.uint16)


# --- who is called what ---------------------------------------------------------------------------


def named_columns(data, inputs=None):
    """A mapping of name to column. data and inputs: as for from_columns. Raises ValueError."""
    if isinstance(data, Mapping):
        return data
    if isinstance(data, (list, tuple)) and len(data) > 0 and isinstance(data[0], Mapping):
        return _columns_of_rows(list(data))
    found = _column_names(data)
    if found is not None:
        return {name: data[name] for name in found}
    if inputs is None:
        raise ValueError(f"a table with named columns is needed, not {type(data).__name__}")
    if len(inputs) == 1:
        return {inputs[0].name: data}
    if not isinstance(data, (list, tuple)) or len(data) != len(inputs):
        names = ", ".join(repr(each.name) for each in inputs)
        raise ValueError(
            f"the model has {len(inputs)} inputs ({names}), which {type(data).__name__} does not "
            "name: pass a frame, a dict or rows with these names, or a list with a column for each"
        )
    return {each.name: values for each, values in zip(inputs, data)}


def _column_names(data):
    """Of a table whose `data[name]` is a column; None where it is none."""
    kind = type(data)
    if isinstance(data, np.ndarray):
        return data.dtype.names
    # By the type: a column may be called `columns`. Arrow has its names under another attribute.
    for attribute in ("column_names", "columns"):
        if hasattr(kind, attribute) and hasattr(kind, "__getitem__"):
            names = list(getattr(data, attribute))
            if len(set(names)) == len(names):
                return names
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"column {twice!r} is there twice")
    return None


cdef dict _columns_of_rows(list rows):
    """A key that a row does not have is a missing value."""
    cdef dict columns = {}
    cdef Py_ssize_t index, count = PyList_GET_SIZE(rows)
    cdef list column
    for index in range(count):
        row = rows[index]
        if not isinstance(row, (dict, Mapping)):
            raise ValueError(f"row {index} is {type(row).__name__}, the first one is a dict")
        for name, value in row.items():
            column = columns.get(name)
            if column is None:
                columns[name] = column = [None] * count
            column[index] = value
    return columns


def _shaped(name, array, shape):
    """A column as [n, 1] where that is what the model takes."""
    shape = tuple(shape)
    if array.ndim != 1 or len(shape) < 2:
        return array
    if all(size == 1 for size in shape[1:]):
        return array.reshape(-1, *shape[1:])
    raise ValueError(
        f"input {name!r}: one column has one value a row, the model takes {list(shape)}; "
        "give it several columns as {input: frame}"
    )


# --- one column -----------------------------------------------------------------------------------


def _converted(name, values, datatype):
    """An array of the datatype's dtype, or of the values' own for None."""
    names = _column_names(values)
    if names is None:
        return _column(f"input {name!r}", values, datatype)
    where = [f"input {name!r}, column {each!r}" for each in names]
    columns = [_column(w, values[each], datatype) for w, each in zip(where, names)]
    if not columns or any(column.ndim != 1 for column in columns):
        raise ValueError(f"input {name!r}: a frame with columns of single values is needed")
    return np.stack(columns, axis=1)


def _column(where, values, datatype):
    try:
        if isinstance(values, Sequence) and not isinstance(values, (str, bytes)):
            return _of_nested(list(values), datatype)
        if not hasattr(values, "__array__") or getattr(values, "shape", None) == ():
            raise ValueError(f": a column of values is needed, not {type(values).__name__}")
        if hasattr(values, "to_pylist"):  # Arrow's, which lose a dictionary's nulls in NumPy
            made = values.to_pylist() if values.null_count else np.asarray(values)
        elif hasattr(getattr(values, "dtype", None), "is_numeric"):  # polars', quick with lists
            made = values.to_numpy() if values.dtype.is_numeric() else values.to_list()
        else:  # pandas', quicker this way than by __array__
            made = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
        return _of_nested(made, datatype) if isinstance(made, list) else _of_array(made, datatype)
    except ValueError as error:
        raise ValueError(f"{where}{error}") from None


def _of_array(array, datatype):
    kind = array.dtype.kind
    if kind in "OTUS" or array.size == 0 and datatype is not None:
        made = _of_nested(array.tolist(), datatype)
        return made if len(array) else made.reshape(array.shape)
    if kind in "Mm":
        raise ValueError(f": {_DATES}")
    if array.dtype.name == "bfloat16":
        array, kind = array.astype(np.float32), "f"
    if datatype is None or kind == "b" and datatype == "BOOL":
        return array
    if kind in "biuf" and datatype in _FLOATS:
        return _as_floats(array, datatype)
    if kind in "biuf" and datatype in _INTEGERS:
        return _as_integers(array, datatype)
    raise ValueError(f": dtype {array.dtype} is no {datatype}, which takes {_taken(datatype)}")


def _as_floats(array, datatype):
    with np.errstate(over="ignore"):
        floats = array.astype(_FLOATS[datatype], copy=False)
    if floats is not array:
        lost = np.isinf(floats)
        if lost.any():
            lost &= np.isfinite(array)
            _refuse_where(lost, array, datatype)
    return floats


def _as_integers(array, datatype):
    target = _INTEGERS[datatype]
    if array.dtype.kind == "f":
        limits = np.iinfo(target)
        wide = array.astype(np.float64, copy=False)
        # Not a number compares as false; the power of two above the largest is exact.
        fits = (wide >= float(limits.min)) & (wide < float(limits.max + 1))
        fits &= np.rint(wide) == wide
    elif np.can_cast(array.dtype, target):
        return array.astype(target, copy=False)
    else:
        fits = array.astype(target) == array
    _refuse_where(~fits, array, datatype)
    return array.astype(target)


def _refuse_where(wrong, array, datatype):
    if wrong.any():
        place = np.unravel_index(wrong.argmax(), array.shape)
        raise ValueError(_refusal(place[0], array[place], datatype))


# --- objects --------------------------------------------------------------------------------------


def _of_nested(list elements, datatype):
    """Lists of lists of equal lengths, as NumPy reads them."""
    shape = [len(elements)]
    while elements and isinstance(elements[0], (list, tuple, np.ndarray)):
        width = len(elements[0])
        flat = []
        for index, element in enumerate(elements):
            if not isinstance(element, (list, tuple, np.ndarray)) or len(element) != width:
                size = f" of {len(element)}" if hasattr(element, "__len__") else ""
                raise ValueError(
                    f", row {index * shape[0] // len(elements)} has {type(element).__name__}{size}"
                    f", lists of {width} as the first are needed"
                )
            flat.extend(element.tolist() if isinstance(element, np.ndarray) else element)
        shape.append(width)
        elements = flat
    if datatype is None:
        datatype = _datatype_of(elements)
    width = max(1, len(elements) // max(1, shape[0]))
    if datatype == "BYTES":
        made = _strings(elements, width)
    elif datatype == "BOOL":
        made = _booleans(elements, width)
    elif datatype in _INTEGERS:
        made = _integers(elements, datatype, width)
    elif datatype in _FLOATS:
        made = _floats(elements, datatype, width)
    else:
        raise ValueError(f": datatype {datatype!r} is unknown")
    return made.reshape(shape)


def _datatype_of(list elements):
    """The narrowest that holds all that are there."""
    kinds = {type(each) for each in elements}
    kinds -= {kind for kind in kinds if kind.__name__ in ("NoneType", "NAType")}
    if any(issubclass(kind, (str, bytes)) for kind in kinds):
        return "BYTES"
    if kinds and kinds <= {bool, np.bool_}:
        return "BOOL"
    if kinds and all(issubclass(kind, Integral) for kind in kinds):
        return "INT64"
    return "FP64"


cdef bint _missing(value):
    """None, not a number, and pandas' NA, which is known by its name."""
    if value is None:
        return True
    if PyFloat_Check(value):
        return PyFloat_AS_DOUBLE(value) != PyFloat_AS_DOUBLE(value)
    if isinstance(value, np.floating):
        return bool(value != value)
    return type(value).__name__ == "NAType"


def _strings(list elements, Py_ssize_t width):
    cdef Py_ssize_t index
    cdef object[::1] target
    array = np.empty(len(elements), dtype=object)
    target = array
    for index in range(PyList_GET_SIZE(elements)):
        value = <object>PyList_GET_ITEM(elements, index)
        if PyUnicode_Check(value) or PyBytes_Check(value):
            target[index] = value
        elif _missing(value):
            target[index] = ""
        else:
            raise ValueError(_refusal(index // width, value, "BYTES"))
    return array


def _booleans(list elements, Py_ssize_t width):
    cdef Py_ssize_t index
    cdef uint8_t[::1] target
    array = np.empty(len(elements), dtype=np.uint8)
    target = array
    for index in range(PyList_GET_SIZE(elements)):
        value = <object>PyList_GET_ITEM(elements, index)
        if not PyBool_Check(value) and not isinstance(value, np.bool_):
            raise ValueError(_refusal(index // width, value, "BOOL"))
        target[index] = bool(value)
    return array.view(np.bool_)


def _integers(list elements, datatype, Py_ssize_t width):
    cdef Py_ssize_t index
    cdef int overflow = 0
    cdef int64_t[::1] target
    limits = np.iinfo(_INTEGERS[datatype])
    cdef int64_t least = limits.min
    cdef int64_t most = min(limits.max, INT64_MAX)
    cdef bint beyond = limits.max > INT64_MAX
    cdef int64_t number
    array = np.empty(len(elements), dtype=np.int64)
    target = array
    for index in range(PyList_GET_SIZE(elements)):
        value = <object>PyList_GET_ITEM(elements, index)
        whole = value if PyLong_Check(value) else _whole(value)
        if whole is None:
            raise ValueError(_refusal(index // width, value, datatype))
        number = PyLong_AsLongLongAndOverflow(whole, &overflow)
        if overflow > 0 and beyond and whole <= limits.max:
            number = <int64_t>(whole - 2**64)  # the same bits
        elif overflow != 0 or number < least or number > most:
            raise ValueError(_refusal(index // width, value, datatype))
        target[index] = number
    return array.view(np.uint64) if beyond else array.astype(_INTEGERS[datatype], copy=False)


cdef object _whole(value):
    """The int that it is; None where it is none."""
    cdef double number
    if PyFloat_Check(value) or isinstance(value, np.floating):
        number = value
        return int(value) if rint(number) == number and abs(number) <= 1.9e19 else None
    return int(value) if isinstance(value, (Integral, np.bool_)) else None


def _floats(list elements, datatype, Py_ssize_t width):
    cdef Py_ssize_t index
    cdef double[::1] target
    array = np.empty(len(elements), dtype=np.float64)
    target = array
    for index in range(PyList_GET_SIZE(elements)):
        value = <object>PyList_GET_ITEM(elements, index)
        if PyFloat_Check(value):
            target[index] = PyFloat_AS_DOUBLE(value)
        elif value is None:
            target[index] = NAN
        else:
            target[index] = _double(value, datatype, index // width)
    return _as_floats(array.reshape(-1, width), datatype)


cdef double _double(value, datatype, Py_ssize_t row) except? -1:
    try:
        if PyLong_Check(value):
            return PyLong_AsDouble(value)
        if isinstance(value, (Real, Decimal, np.bool_)):
            return float(value)
    except OverflowError:
        raise ValueError(_refusal(row, value, datatype)) from None
    if _missing(value):
        return NAN
    raise ValueError(_refusal(row, value, datatype))


# --- sentences ------------------------------------------------------------------------------------


def _taken(datatype):
    if datatype in _INTEGERS:
        limits = np.iinfo(_INTEGERS[datatype])
        return f"whole numbers from {limits.min} to {limits.max}"
    if datatype in _FLOATS:
        return f"numbers up to {float(np.finfo(_FLOATS[datatype]).max):.6g}"
    return {"BYTES": "strings and bytes", "BOOL": "booleans"}.get(datatype, "nothing known")


def _refusal(row, value, datatype):
    if _missing(value):
        return f", row {row} is missing, for which {datatype} has no value"
    if hasattr(value, "isoformat"):  # dates and times of the standard library and of pandas
        return f", row {row} is {type(value).__name__}: {_DATES}"
    shown = type(value).__name__
    if isinstance(value, (Real, np.bool_, Decimal)):
        large = isinstance(value, int) and value.bit_length() > 128
        shown = f"an integer of {value.bit_length()} bits" if large else f"{value}"
    return f", row {row} is {shown}, {datatype} takes {_taken(datatype)}"
