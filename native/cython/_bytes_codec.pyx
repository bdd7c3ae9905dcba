"""BYTES tensors between NumPy object arrays and the protocol's form: for each element its length,
4 bytes little-endian, and its bytes. Needs the GIL; allocates the result once.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t
from libc.string cimport memcpy

import numpy


def encode(array not None):
    """The elements in C order; str is taken as UTF-8. TypeError for anything else."""
    cdef list elements = array.astype(object).ravel().tolist()
    cdef Py_ssize_t total = 0
    cdef Py_ssize_t index
    cdef bytes element
    for index in range(len(elements)):
        value = elements[index]
        if isinstance(value, str):
            value = value.encode()
        elif not isinstance(value, bytes):
            raise TypeError(f"element {index} is {type(value).__name__}, expected bytes or str")
        element = bytes(value)
        if PyBytes_GET_SIZE(element) > 0xFFFFFFFF:
            raise ValueError(f"element {index} has {len(element)} bytes, at most 4294967295 fit")
        elements[index] = element
        total += 4 + PyBytes_GET_SIZE(element)
    cdef bytes encoded = PyBytes_FromStringAndSize(NULL, total)
    cdef char* to = PyBytes_AS_STRING(encoded)
    cdef uint32_t size
    for index in range(len(elements)):
        element = <bytes>elements[index]
        size = <uint32_t>PyBytes_GET_SIZE(element)
        memcpy(to, &size, 4)
        memcpy(to + 4, PyBytes_AS_STRING(element), size)
        to += 4 + size
    return encoded


def decode(const unsigned char[:] data not None, tuple shape not None):
    """An object array of bytes; ValueError where the lengths do not add up to the data."""
    cdef Py_ssize_t count = 1
    for dim in shape:
        count *= dim
    cdef list elements = []
    cdef Py_ssize_t position = 0
    cdef Py_ssize_t end = data.shape[0]
    cdef uint32_t size
    for _ in range(count):
        if end - position < 4:
            raise ValueError("BYTES: an element has no length")
        memcpy(&size, &data[position], 4)
        position += 4
        if <Py_ssize_t>size > end - position:
            raise ValueError("BYTES: an element is longer than what is left")
        if size == 0:
            elements.append(b"")
        else:
            elements.append(PyBytes_FromStringAndSize(<const char*>&data[position], size))
        position += size
    if position != end:
        raise ValueError(f"BYTES: {end - position} bytes behind the last element")
    array = numpy.empty(count, dtype=object)
    array[:] = elements
    return array.reshape(shape)
