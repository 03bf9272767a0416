#!/bin/sh
# Makes election.wasm, or the file that is named: a JavaScript engine with election.js in it. Any other script will do as
# well: SCRIPT=mine.js ./build.sh mine.wasm. Needs what wordcount needs, and cargo, which fetches the engine's source: the
# crate rquickjs-sys carries QuickJS-ng 0.8, whose licence is in QUICKJS-LICENSE.
set -eu
script=$(realpath "${SCRIPT:-$(dirname "$0")/election.js}")
output=$(realpath "${1:-$(dirname "$0")/election.wasm}")
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
touch "$work/src/lib.rs"
cp engine.toml "$work/Cargo.toml"
(cd "$work" && cargo vendor --quiet vendor >/dev/null)
engine=$work/vendor/rquickjs-sys/quickjs
{
  printf '#define NAME "%s"\nstatic const char script[] = {' "$(basename "$script")"
  od -An -v -tx1 "$script" | sed 's/ \(..\)/0x\1,/g'
  echo '0};'
} >"$work/script.h"
clang-14 --target=wasm32-wasi -Os -D_GNU_SOURCE -D_WASI_EMULATED_SIGNAL -I"$engine" -I"$work" -w \
  -Wl,--strip-all -Wl,--stack-first -Wl,-z,stack-size=4194304 -o "$output" engine.c \
  "$engine/quickjs.c" "$engine/libregexp.c" "$engine/libunicode.c" "$engine/libbf.c" "$engine/cutils.c" -lm
