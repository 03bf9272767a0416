#!/bin/sh
# Makes the Python runtime, python.wasm, which runs users' scripts; prints its SHA-256.
#
#   build.sh [OUTPUT]    OUTPUT is python.wasm beside this script unless it is given
#
# Needs python3 (3.10 or later) with venv, and pip's package index the first time. VENV says where the tools go; by default
# into the workspace's target directory.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
output=${1:-$here/python.wasm}
case $output in /*) ;; *) output=$PWD/$output ;; esac
venv=${VENV:-${CARGO_TARGET_DIR:-$root/target}/python-venv}

if ! "$venv/bin/pip" freeze 2>/dev/null | grep -qxF "$(sed -n 's/^\(componentize-py==[0-9.]*\).*/\1/p' "$here/requirements.txt")"; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "$here/requirements.txt"
fi

wit=$root/crates/executor/wit/deps
# A copy, since what lies beside the runner would become part of the runtime.
source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT
mkdir "$source/runner"
cp "$here"/runner/*.py "$source/runner/"
cd "$source"
# Neither this shell's Python settings nor its packages get in.
env -u PYTHONPATH -u PYTHONHOME -u VIRTUAL_ENV -u PIPENV_ACTIVE \
  "$venv/bin/componentize-py" --quiet \
  -d "$wit/io.wit" -d "$wit/clocks.wit" -d "$wit/random.wit" -d "$wit/filesystem.wit" -d "$wit/sockets.wit" \
  -d "$wit/cli.wit" -d "$here/world.wit" --world teehouse:python/runner \
  componentize --python-path . --output "$output.new" runner
mv "$output.new" "$output"
sha256sum "$output"
