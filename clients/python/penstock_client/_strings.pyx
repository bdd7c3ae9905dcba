# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The protocol's layout of string tensors: each element is its length, 4 bytes little-endian, and
then its bytes. Any thread. Compiled into the client and into the server's package, and knows neither.

Lengths come from the network: nothing is read or allocated before it was held against what is left.
"""

from cpython.bytes cimport (
    PyBytes_AS_STRING,
    PyBytes_Check,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_Check
from libc.stdint cimport uint32_t
from libc.string cimport memcpy

import numpy as np


cdef extern from "Python.h":
    # Kept by the string itself, so that asking again costs nothing.
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL


cdef enum:
    PREFIX = 4

cdef Py_ssize_t ELEMENT_SIZE_MAX = 0xFFFFFFFF


def pack(list elements not None):
    """The elements, `bytes` or `str` (sent as UTF-8), as bytes of the protocol.

    Raises ValueError, naming the element that is neither or has no UTF-8.
    """
    cdef Py_ssize_t count = PyList_GET_SIZE(elements)
    cdef Py_ssize_t index, size, total = 0
    cdef const char* source
    cdef char* target
    for index in range(count):
        size = 0
        _contents(elements, index, &size)
        if size > ELEMENT_SIZE_MAX:
            raise ValueError(f"element {index} has {size} bytes, at most 2**32 - 1 can be sent")
        total += PREFIX + size
    packed = PyBytes_FromStringAndSize(NULL, total)
    target = PyBytes_AS_STRING(packed)
    for index in range(count):
        source = _contents(elements, index, &size)
        _write_size(target, <uint32_t>size)
        memcpy(target + PREFIX, source, size)
        target += PREFIX + size
    return packed


def unpack(const unsigned char[::1] packed not None, Py_ssize_t count):
    """The `count` elements that fill the buffer `packed`, as an array of `bytes` objects, rank 1.

    Raises ValueError where the lengths lie: beyond the end, too few or too many elements.
    """
    cdef const char* source = <const char*>&packed[0]
    cdef Py_ssize_t left = packed.shape[0]
    cdef Py_ssize_t index, size
    cdef object[::1] elements
    if count < 0 or count > left // PREFIX:
        raise ValueError(f"{left} bytes cannot hold {count} elements")
    array = np.empty(count, dtype=object)
    elements = array
    for index in range(count):
        if left < PREFIX:
            raise ValueError(f"element {index} of {count}: {left} bytes are left, no length")
        size = _read_size(source)
        source += PREFIX
        left -= PREFIX
        if size > left:
            raise ValueError(
                f"element {index} of {count} says {size} bytes, {left} are left"
            )
        elements[index] = PyBytes_FromStringAndSize(source, size)
        source += size
        left -= size
    if left > 0:
        raise ValueError(f"{left} bytes are left after the last of {count} elements")
    return array


cdef const char* _contents(list elements, Py_ssize_t index, Py_ssize_t* size) except NULL:
    """The element's bytes, kept alive by the list."""
    cdef object element = <object>PyList_GET_ITEM(elements, index)
    if PyBytes_Check(element):
        size[0] = PyBytes_GET_SIZE(element)
        return PyBytes_AS_STRING(element)
    if PyUnicode_Check(element):
        try:
            return PyUnicode_AsUTF8AndSize(element, size)
        except UnicodeEncodeError as error:
            raise ValueError(f"element {index} has no UTF-8: {error.reason}") from None
    raise ValueError(f"element {index} is {type(element).__name__}, bytes or str are needed")


cdef inline void _write_size(char* target, uint32_t size) noexcept:
    cdef unsigned char* bytes_ = <unsigned char*>target
    bytes_[0] = size & 0xFF
    bytes_[1] = (size >> 8) & 0xFF
    bytes_[2] = (size >> 16) & 0xFF
    bytes_[3] = (size >> 24) & 0xFF


cdef inline Py_ssize_t _read_size(const char* source) noexcept:
    cdef const unsigned char* bytes_ = <const unsigned char*>source
    return (
        <Py_ssize_t>bytes_[0]
        | (<Py_ssize_t>bytes_[1] << 8)
        | (<Py_ssize_t>bytes_[2] << 16)
        | (<Py_ssize_t>bytes_[3] << 24)
    )
