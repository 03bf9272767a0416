#!/bin/sh
# Makes statistics.wasm, or the file that is named. Needs node and npm, which installs the compiler beside this script.
set -eu
output=$(realpath "${1:-$(dirname "$0")/statistics.wasm}")
cd "$(dirname "$0")"
[ -d node_modules ] || npm install --no-audit --no-fund --no-package-lock --silent
npx asc statistics.ts --config node_modules/@assemblyscript/wasi-shim/asconfig.json --exportStart _start --optimize -o "$output"
