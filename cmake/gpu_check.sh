#!/usr/bin/env bash
# Every Python test on this machine's GPU too, with a report in gpu-report/.
# Usage: cmake/gpu_check.sh PYTHON
set -uo pipefail
python=$1
"$python" - <<'PY' || exit 1
import sys
import torch

if not torch.cuda.is_available():
    sys.exit("gpu-check: torch finds no CUDA device on this machine")
print(torch.cuda.get_device_name(), "torch", torch.__version__)
PY
mkdir -p gpu-report
status=0
"$python" -m pytest --junit-xml=gpu-report/tests.xml | tee gpu-report/tests.txt || status=1
exit $status
