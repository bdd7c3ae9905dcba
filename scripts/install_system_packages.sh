#!/usr/bin/env bash
# Installs the Debian or Ubuntu packages that a task needs and that are missing, saying which and
# why. Usage: install_system_packages.sh GROUP... with the groups below. Quick and silent where
# nothing is missing; asks for root through sudo only then.
set -euo pipefail

packages_of() {
  case "$1" in
    build) cat <<'LIST'
g++               compiles the data plane (C++20)
libjpeg-dev       decodes JPEG (libjpeg-turbo, the fastest there is)
libnghttp2-dev    HTTP/2 frames, header compression and flow control
libpng-dev        decodes PNG
libprotozero-dev  reads and writes protobuf messages without generated code
python3-dev       headers for the Python extension
python3-venv      makes .venv
LIST
      ;;
    test) cat <<'LIST'
libgtest-dev      the C++ unit tests
LIST
      ;;
    check) cat <<'LIST'
clang-tidy-19     static analysis of the data plane
LIST
      ;;
    fuzz) cat <<'LIST'
clang-19            compiles the fuzz targets; nothing else is built with it
libclang-rt-19-dev  libFuzzer and the sanitizers of that compiler
LIST
      ;;
    bench) cat <<'LIST'
libgrpc++-dev           the gRPC C++ servers that the benchmark compares with
libprotobuf-dev         their messages
protobuf-compiler-grpc  generates their code
nghttp2-client          h2load, the load generator
LIST
      ;;
    *) echo "unknown group $1; known: build test check fuzz bench" >&2; exit 2 ;;
  esac
}

is_installed() {
  [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]
}

main() {
  local list="" missing=() name reason group
  for group in "$@"; do
    list+="$(packages_of "${group}")"$'\n'
  done
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "This is no Debian or Ubuntu; make sure that these are installed:" >&2
    echo "${list}" >&2
    return 0
  fi
  while read -r name reason; do
    [[ -n "${name}" ]] && ! is_installed "${name}" && missing+=("${name}")
  done <<<"${list}"
  if ((${#missing[@]} == 0)); then
    return 0
  fi
  echo "These system packages are missing and will be installed:"
  while read -r name reason; do
    [[ " ${missing[*]} " == *" ${name} "* ]] && printf '  %-24s %s\n' "${name}" "${reason}"
  done <<<"${list}"
  local as_root=()
  if ((EUID != 0)); then
    as_root=(sudo)
  fi
  export DEBIAN_FRONTEND=noninteractive
  "${as_root[@]}" apt-get update --quiet
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install --quiet --yes --no-install-recommends "${missing[@]}"
}

main "$@"
