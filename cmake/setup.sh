#!/usr/bin/env bash
# System packages and the virtual environment. Usage: cmake/setup.sh PYTHON VENV
set -euo pipefail
python=$1
venv=$2

packages=(g++ cmake ninja-build ccache pkg-config libfmt-dev libgtest-dev libbenchmark-dev
          nlohmann-json3-dev)
# For the tests against an HDL simulator and on a board's processor, which say why they are skipped
# without them.
optional=(iverilog yosys g++-aarch64-linux-gnu qemu-user)
# A Debian Python needs its headers and venv from packages; other builds bring them along.
if [ "$(command -v "$python" || true)" = /usr/bin/python3 ] || ! command -v "$python" >/dev/null; then
  packages+=(python3 python3-dev python3-venv)
fi

installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }
missing=()
for package in "${packages[@]}"; do installed "$package" || missing+=("$package"); done
wished=()
for package in "${optional[@]}"; do installed "$package" || wished+=("$package"); done
if [ ${#missing[@]} -gt 0 ] || [ ${#wished[@]} -gt 0 ]; then
  sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo -n)
  install() {
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get -qq install -y --no-install-recommends "$@" >/dev/null
  }
  if [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; then
    echo "installing system packages: ${missing[*]} ${wished[*]}"
    "${sudo[@]}" apt-get -qq update || [ ${#missing[@]} = 0 ]
    [ ${#missing[@]} = 0 ] || install "${missing[@]}"
    for package in "${wished[@]}"; do
      install "$package" || echo "not installed, its tests will be skipped: $package" >&2
    done
  elif [ ${#missing[@]} -gt 0 ]; then
    echo "system packages are missing; run this line, then make again:" >&2
    echo "  sudo apt-get install -y ${missing[*]} ${wished[*]}" >&2
    exit 1
  fi
fi

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
  echo "Python >= 3.10 is needed, got $("$python" --version); set PYTHON=python3.x" >&2
  exit 1
fi
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "installing Python packages into $venv (about 6 GB on the first run)"
"$venv/bin/python" -m pip install -q --disable-pip-version-check -r requirements.txt -c constraints.txt
