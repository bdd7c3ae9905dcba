#!/usr/bin/env bash
# Serves the demo model in the foreground; once it is ready, prints how to send a request. Further
# arguments are given to `penstock serve`.
set -euo pipefail
cd "$(dirname "$0")/.."

explain() {
  # The server ends first, on the same Ctrl-C, and its last words shall be seen.
  trap '' INT TERM
  local line address
  while IFS= read -r line; do
    echo "${line}"
    if [[ "${line}" == "ready grpc="* ]]; then
      address="${line#ready grpc=}"
      address="${address%% *}"
      echo
      echo "Penstock serves the digits models at ${address}; Ctrl-C stops it."
      echo "Send it a handwritten digit from another terminal:"
      echo
      echo "  cd $(pwd) && .venv/bin/python examples/digits/send.py --address ${address}"
      echo
      echo "or the picture of one, a PNG or JPEG:"
      echo
      echo "  cd $(pwd) && .venv/bin/python examples/digits/send_picture.py --address ${address}"
      echo
    fi
  done
}

exec .venv/bin/penstock serve examples/digits/digits.onnx \
  examples/digits/digit_pictures.onnx "$@" > >(explain)
