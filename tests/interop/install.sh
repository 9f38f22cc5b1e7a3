#!/usr/bin/env bash
# Installs the foreign peers of the interop tests: mosquitto, OpenSSL, HAProxy and Chromium from Debian, paho-mqtt and
# schemathesis in a Python environment, and MQTT.js with what drives the browser in a folder of its own, both below
# target/interop. Does nothing where all is there already.
#
#   tests/interop/install.sh && cargo test -p sanderling-tests --features interop --test interop
#
# Needs the right to install Debian packages (root or sudo) only while one of them is missing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=$(cd "$here/../.." && pwd)/target/interop
PATH=$PATH:/usr/sbin

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs the named packages; a service that comes with one is neither started now nor at the next boot.
install_packages() {
    local policy=/usr/sbin/policy-rc.d mine=
    if [ ! -e "$policy" ]; then
        mine=yes
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    local failed=
    {
        as_root apt-get update -qq &&
            as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "$@" >/dev/null
    } || failed=yes
    if [ -n "$mine" ]; then as_root rm -f "$policy"; fi
    if [ -n "$failed" ]; then
        echo "install.sh: apt-get could not install: $*" >&2
        exit 1
    fi
    for service in mosquitto haproxy; do
        case " $* " in *" $service "*)
            if command -v systemctl >/dev/null; then as_root systemctl disable --quiet $service 2>/dev/null || true; fi
        esac
    done
}

missing=()
command -v mosquitto >/dev/null || missing+=(mosquitto)
command -v mosquitto_pub >/dev/null && command -v mosquitto_sub >/dev/null || missing+=(mosquitto-clients)
command -v python3 >/dev/null && python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3 python3-venv)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
command -v openssl >/dev/null || missing+=(openssl)
command -v haproxy >/dev/null || missing+=(haproxy)
command -v chromium >/dev/null || missing+=(chromium)
if [ ${#missing[@]} -gt 0 ]; then install_packages "${missing[@]}"; fi

# A copy of the list that was installed stands beside what it installed, and is written last.
venv=$target/venv
if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt" ||
    ! "$venv/bin/python" -c 'import paho.mqtt, schemathesis' 2>/dev/null
then
    rm -rf "$venv"
    mkdir -p "$target"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/requirements.txt"
fi

node=$target/node
if ! cmp -s "$here/package-lock.json" "$node/installed-lock.json" || [ ! -d "$node/node_modules/mqtt" ] ||
    [ ! -d "$node/node_modules/playwright-core" ]
then
    mkdir -p "$node"
    cp "$here/package.json" "$here/package-lock.json" "$node/"
    (cd "$node" && npm ci --silent --no-audit --no-fund --ignore-scripts --omit=dev)
    cp "$here/package-lock.json" "$node/installed-lock.json"
fi

version_of() { dpkg-query --show --showformat='${Package} ${Version}' "$1" 2>/dev/null || echo "$1"; }
echo "interop peers: $(mosquitto_pub --version 2>/dev/null | head -n 1 || true)," \
    "$(openssl version), $(version_of haproxy), $(version_of chromium)," \
    "$("$venv/bin/pip" --disable-pip-version-check freeze 2>/dev/null | tr '\n' ' ')," \
    "mqtt $(node -p "require('$node/node_modules/mqtt/package.json').version")," \
    "playwright-core $(node -p "require('$node/node_modules/playwright-core/package.json').version")"
