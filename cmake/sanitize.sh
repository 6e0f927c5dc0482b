#!/usr/bin/env bash
# C++ tests under sanitizers, or the fuzz targets under AddressSanitizer.
# Usage: cmake/sanitize.sh asan|tsan|fuzz PYTHON   (FUZZ_SECONDS per target, default 30)
set -euo pipefail
mode=$1
python=$2
sanitizers=address,undefined
[ "$mode" = tsan ] && sanitizers=thread
folder=build-${mode/fuzz/asan}
cmake -S . -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DLAMPYRIS_TESTS=ON \
  -DLAMPYRIS_OPS=OFF -DLAMPYRIS_PYTHON=OFF -DLAMPYRIS_SANITIZE="$sanitizers" \
  -DPython_EXECUTABLE="$python" >/dev/null
cmake --build "$folder" --parallel "$(nproc)"
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 ASAN_OPTIONS=detect_leaks=1
if [ "$mode" = fuzz ]; then
  for target in "$folder"/fuzz_*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    echo "== $(basename "$target")"
    "$target" --seconds "${FUZZ_SECONDS:-30}"
  done
else
  "$folder/lampyris_tests" --gtest_brief=1
fi
