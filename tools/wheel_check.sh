#!/bin/sh
# Builds the wheel, installs it into a fresh environment and runs the command from outside the checkout.
set -eu
cd "$(dirname "$0")/.."
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
.venv/bin/python -m build -q --wheel --outdir "$place" . >"$place/build.log" 2>&1 || { cat "$place/build.log"; exit 1; }
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check "$place"/*.whl
wheel=$(ls "$place"/*.whl)
(
  cd "$place"
  venv/bin/wirelaw --help >/dev/null
  venv/bin/python -c "import wirelaw.impl.generated.tcp_connection"
  # the small installation says what a verb lacks
  if venv/bin/wirelaw ping --device memory -c 1 10.0.2.2 2>small; then exit 1; fi
  grep -q "pip install 'wirelaw\[run\]'" small
)
"$place/venv/bin/pip" install -q --disable-pip-version-check "$wheel[check,draw,judge,run]"
cd "$place"
venv/bin/wirelaw --help >/dev/null
venv/bin/wirelaw generate --check
venv/bin/wirelaw draw tcp -o tcp.dot
test -s tcp.dot
venv/bin/wirelaw ping --device memory -c 1 10.0.2.2
echo "the wheel works outside the checkout"
