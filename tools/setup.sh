#!/bin/sh
# Sets up what Wirelaw needs below this folder (.venv), and with root rights on Debian the programs it can use.
# Without root nothing outside the folder is touched: what is missing then is skipped, with its name, by those who want it.
set -eu
cd "$(dirname "$0")/.."

wanted=""
command -v qemu-system-aarch64 >/dev/null 2>&1 || wanted="$wanted qemu-system-arm"
command -v dot >/dev/null 2>&1 || wanted="$wanted graphviz"
command -v ip >/dev/null 2>&1 || wanted="$wanted iproute2"
command -v iperf3 >/dev/null 2>&1 || wanted="$wanted iperf3"
command -v openssl >/dev/null 2>&1 || wanted="$wanted openssl"
[ -x /usr/sbin/sshd ] || wanted="$wanted openssh-server"
command -v sysctl >/dev/null 2>&1 || wanted="$wanted procps"
python3 -c 'import ensurepip' >/dev/null 2>&1 || wanted="$wanted python3-venv"
if [ -n "$wanted" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing:$wanted"
    apt-get update -qq || true
    for package in $wanted; do
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null 2>&1 ||
        echo "could not install $package: what needs it will be skipped"
    done
  else
    echo "not installed (as root: apt-get install$wanted); what needs them will be skipped"
  fi
fi

[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/pip install -q --disable-pip-version-check -e '.[dev]'
touch .venv/.ready
