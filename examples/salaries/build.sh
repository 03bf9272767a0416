#!/bin/sh
# Makes salaries.wasm, or the file that is named. Needs a Rust compiler with the target wasm32-wasip1, or Debian's rustc,
# libstd-rust-dev-wasm32 and lld-14, whose old name for that target is wasm32-wasi.
set -eu
output=$(realpath "${1:-$(dirname "$0")/salaries.wasm}")
cd "$(dirname "$0")"
options="--edition 2021 -C opt-level=s -C panic=abort -C lto=fat -C strip=symbols"
if rustc --print target-libdir --target wasm32-wasip1 2>/dev/null | xargs ls >/dev/null 2>&1; then
  rustc $options --target wasm32-wasip1 -o "$output" salaries.rs
else
  /usr/bin/rustc $options --target wasm32-wasi -C linker=wasm-ld-14 -o "$output" salaries.rs
fi
