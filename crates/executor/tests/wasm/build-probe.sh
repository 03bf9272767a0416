#!/bin/sh
# Makes probe.wasm of probe.c. Needs Debian's clang-14, lld-14, wasi-libc and libclang-rt-14-dev-wasm32.
set -eu
cd "$(dirname "$0")"
clang-14 --target=wasm32-wasi -Os -fno-builtin-printf -Wl,--strip-all -Wl,--stack-first -Wl,-z,stack-size=1048576 \
    -o probe.wasm probe.c
