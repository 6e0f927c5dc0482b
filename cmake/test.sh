#!/usr/bin/env bash
# Every C++ and Python test; the last line counts them. Usage: cmake/test.sh all|quick
set -uo pipefail
suite=$1
python=.venv/bin/python
reports=build/reports
rm -rf "$reports" && mkdir -p "$reports"

if ! { cmake -S . -B build -DLAMPYRIS_TESTS=ON && cmake --build build --parallel "$(nproc)"; } \
    >build/tests.log 2>&1; then
  grep -E 'error|FAILED' -A 6 build/tests.log | head -n 60 >&2
  echo "0 passed, 1 failed"
  exit 1
fi

status=0
ctest_options=()
pytest_options=(-n "$(nproc)" --dist worksteal)
[ "$suite" = quick ] && pytest_options+=(-m "not slow")
(cd build && ctest -j "$(nproc)" --output-on-failure --output-junit reports/cpp.xml "${ctest_options[@]}" \
  >reports/cpp.log 2>&1) || { status=1; grep -vE 'Passed +[0-9.]+ sec' build/reports/cpp.log; }
tail -n 3 build/reports/cpp.log
# One computing thread per worker: two workers share two cores.
OMP_NUM_THREADS=1 LAMPYRIS_THREADS=1 "$python" -m pytest "${pytest_options[@]}" \
  --junit-xml="$reports/python.xml" || status=1

"$python" - "$reports" <<'PY' || status=1
import sys
import xml.etree.ElementTree as tree
from pathlib import Path

passed = failed = skipped = 0
for name in ("cpp.xml", "python.xml"):
    path = Path(sys.argv[1]) / name
    if not path.exists():
        failed += 1
        continue
    root = tree.parse(path).getroot()
    for suite in [root] if root.tag == "testsuite" else root.iter("testsuite"):
        total = int(suite.get("tests", 0))
        bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skip = int(suite.get("skipped", 0)) + int(suite.get("disabled", 0))
        passed, failed, skipped = passed + total - bad - skip, failed + bad, skipped + skip
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(failed > 0 or passed == 0)
PY
exit $status
