#!/usr/bin/env bash
# The wheel installs and works in another environment: the torch-free half alone, then with torch
# taken from this environment; then the wheel that LAMPYRIS_OPS=OFF builds for a board.
# Usage: cmake/wheel_check.sh PYTHON
set -euo pipefail
python=$(readlink -f "$(dirname "$1")")/python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m pip wheel -q --disable-pip-version-check --no-build-isolation --no-deps -w "$work" .
wheel=$(ls "$work"/*.whl)
"$python" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check "$wheel"
cd "$work"
"$work/venv/bin/python" - <<'PY'
import sys
import numpy as np
from lampyris import firefly

layer = firefly.conv(np.ones((16, 16, 3, 3), np.int8), np.zeros(16, np.int16), 4)
image = firefly.build([layer], input_shape=(2, 16, 8, 8), parallelism=16, target="v1")
result = firefly.Driver(firefly.Device(parallelism=16)).run(image, np.ones((2, 16, 8, 8), bool))
assert result.spikes[0].all() and "torch" not in sys.modules
print("wheel: hardware model works without torch")
PY
"$work/venv/bin/lampyris" --help >/dev/null
site=$("$python" -c 'import site; print(site.getsitepackages()[0])')
PYTHONPATH="$work/venv/lib/$(ls "$work/venv/lib")/site-packages:$site" "$python" - <<'PY'
import torch
import lampyris
from lampyris import ops

spikes, _ = ops.lif(torch.ones(2, 4), 0.25, 0.5)
assert spikes.sum() == 8
print("wheel: operators work with torch", torch.__version__, "from", lampyris.__path__[0].split("/")[-2])
PY

cd - >/dev/null
LAMPYRIS_OPS=OFF "$python" -m pip wheel -q --disable-pip-version-check --no-build-isolation --no-deps -w "$work/board" .
if "$python" -m zipfile -l "$work"/board/*.whl | grep -q '_ops'; then
  echo "the wheel for boards must not hold operators" >&2
  exit 1
fi
"$python" -m venv "$work/board/venv"
"$work/board/venv/bin/pip" install -q --disable-pip-version-check "$work"/board/*.whl
cd "$work/board"
venv/bin/python - <<'PY'
import sys
import numpy as np
from lampyris import ecc, firefly

layer = firefly.conv(np.ones((16, 16, 3, 3), np.int8), np.zeros(16, np.int16), 4)
image = firefly.build([layer], input_shape=(2, 16, 8, 8), parallelism=16, target="v1")
image.save("net.safetensors")
assert len(firefly.find_boxes(np.zeros((6, 2, 2)))) > 0 and "torch" not in sys.modules
PY
venv/bin/lampyris simulate net.safetensors --board model >report.txt
grep -q '^ok      network: ' report.txt
echo "wheel for boards: image, codes, driver, boxes and bring-up work without torch"
