#!/usr/bin/env bash
# Prints the first Python that is new enough for Penstock.
set -euo pipefail

for name in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
  if "${name}" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    command -v "${name}"
    exit 0
  fi
done
echo "Penstock needs Python 3.11 or newer; none is on the PATH" >&2
exit 1
