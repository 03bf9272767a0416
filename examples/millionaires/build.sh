#!/bin/sh
# Makes millionaires.wasm, or the file that is named. Needs Debian's wabt.
set -eu
output=$(realpath "${1:-$(dirname "$0")/millionaires.wasm}")
cd "$(dirname "$0")"
wat2wasm millionaires.wat -o "$output"
