#!/usr/bin/env bash
# Runs clang-tidy over our C++ sources, one process a core. The argument is a CMake build folder.
set -euo pipefail
cd "$(dirname "$0")/.."

find native/src native/host -name '*.cc' ! -name '*.gen.cc' -print0 |
  xargs -0 -n 1 -P "$(nproc)" clang-tidy-19 --quiet -p "$1" 2> >(grep -v 'warnings\? generated' >&2)
