#!/bin/sh
# Makes wordcount.wasm, or the file that is named. Needs Debian's clang-14, lld-14, wasi-libc and libclang-rt-14-dev-wasm32.
# The stack's default of 64 KiB overflows into data without a word, hence the last two options.
set -eu
output=$(realpath "${1:-$(dirname "$0")/wordcount.wasm}")
cd "$(dirname "$0")"
clang-14 --target=wasm32-wasi -O2 -Wl,--strip-all -Wl,--stack-first -Wl,-z,stack-size=1048576 -o "$output" wordcount.c
