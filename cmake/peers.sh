#!/usr/bin/env bash
# The peers' environment: the project's packages seen through a .pth file (one torch), the peers of
# benchmarks/peers.txt on top. Usage: cmake/peers.sh PYTHON VENV
set -euo pipefail
python=$1
venv=$2

[ -x "$venv/bin/python" ] || "$python" -m venv --without-pip "$venv"
own=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
project=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
echo "import site; site.addsitedir('$project')" >"$own/project.pth"
"$python" -m pip --python "$venv/bin/python" install -q --disable-pip-version-check --no-deps \
  -r benchmarks/peers.txt
# Compiled here: its build looks for torch, which an isolated one would not see.
"$python" -m pip --python "$venv/bin/python" install -q --disable-pip-version-check --no-deps \
  --no-build-isolation torch_scatter==2.1.2 ||
  echo "torch_scatter did not build: benchmarks against torch-geometric-pool are skipped"
"$venv/bin/python" -W ignore -m benchmarks.peers
