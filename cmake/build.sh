#!/usr/bin/env bash
# The editable package: native libraries beside the sources. Usage: cmake/build.sh PYTHON
set -euo pipefail
python=$1
log=build/build.log
mkdir -p build
if ! "$python" -c 'import importlib.metadata as m; m.version("lampyris")' 2>/dev/null; then
  echo "building the native libraries (log: $log)"
  if ! "$python" -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e . \
      >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    exit 1
  fi
  exit 0
fi
if ! { [ -f build/build.ninja ] || cmake -S . -B build -G Ninja -DPython_EXECUTABLE="$(readlink -f "$(dirname "$python")")/python"; } >"$log" 2>&1 ||
   ! cmake --build build --parallel "$(nproc)" >>"$log" 2>&1; then
  grep -E 'error|Error|FAILED' -A 6 "$log" | head -n 60 >&2 || tail -n 40 "$log" >&2
  exit 1
fi
# cmake --install takes files of the same second for equal; a new file also leaves running processes alone.
for library in build/_*.so; do
  cmp -s "$library" "python/lampyris/${library##*/}" || rm -f "python/lampyris/${library##*/}"
done
cmake --install build --prefix python --component python >>"$log" 2>&1
