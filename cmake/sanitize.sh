#!/usr/bin/env bash
# C++ tests under sanitizers, or the fuzz targets under AddressSanitizer and UBSan: with libFuzzer
# where clang++ is there, else with the driver of tests/fuzz.
# Usage: cmake/sanitize.sh asan|tsan|fuzz PYTHON   (FUZZ_SECONDS per target, default 30; FUZZ_TARGETS)
set -euo pipefail
mode=$1
python=$2
sanitizers=address,undefined
[ "$mode" = tsan ] && sanitizers=thread
folder=build-$mode
options=()
libfuzzer=
if [ "$mode" = fuzz ] && command -v clang++ >/dev/null; then
  libfuzzer=1
  options=(-DCMAKE_CXX_COMPILER=clang++ -DLAMPYRIS_LIBFUZZER=ON)
fi
cmake -S . -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DLAMPYRIS_TESTS=ON \
  -DLAMPYRIS_OPS=OFF -DLAMPYRIS_PYTHON=OFF -DLAMPYRIS_SANITIZE="$sanitizers" \
  -DPython_EXECUTABLE="$python" "${options[@]}" >/dev/null
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 ASAN_OPTIONS=detect_leaks=1
if [ "$mode" != fuzz ]; then
  cmake --build "$folder" --parallel "$(nproc)" --target lampyris_tests
  exec "$folder/lampyris_tests" --gtest_brief=1
fi
cmake --build "$folder" --parallel "$(nproc)" --target fuzzers
for source in tests/fuzz/fuzz_*.cpp; do
  name=$(basename "$source" .cpp)
  case " ${FUZZ_TARGETS:-$name} " in *" $name "*) ;; *) continue ;; esac
  echo "== $name"
  kept=tests/fuzz/corpus/$name found=$folder/corpus/$name
  mkdir -p "$found"
  if [ -n "$libfuzzer" ]; then
    "$folder/$name" -max_total_time="${FUZZ_SECONDS:-30}" -max_len=65536 -timeout=60 \
      -rss_limit_mb=4096 -print_final_stats=0 -verbosity=0 -artifact_prefix="$folder/$name-" \
      "$found" "$kept"
  else
    "$folder/$name" --seconds "${FUZZ_SECONDS:-30}" "$kept"
  fi
done
