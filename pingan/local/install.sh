#!/bin/sh
# Everything that the platform (`install.sh run`), its tests (`install.sh dev`, `tools`) or its bench (`peers`) need, and
# `install.sh link`, which puts the command `pingan` on the PATH. Made for a fresh Debian-like machine; run again, it does
# nothing and takes no time.
#
# Settings: PINGAN_PYTHON (which Python makes the virtual environment), PINGAN_LINK=0 (leave the PATH alone).
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"

say() { printf '%s\n' "$*"; }
fail() { printf 'install: %s\n' "$*" >&2; exit 1; }

# Debian packages, by whoever may install them: root, or sudo that asks for no password.
install_packages() {
    command -v apt-get >/dev/null || fail "please install these with your system's package manager, then run make again: $*"
    if [ "$(id -u)" = 0 ]; then
        apt="env DEBIAN_FRONTEND=noninteractive apt-get"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        apt="sudo -n env DEBIAN_FRONTEND=noninteractive apt-get"
    else
        fail "some packages are missing, and only root may install them. Run this once, then make again:
    sudo apt-get install -y $*"
    fi
    say "Installing $* …"
    # An index that cannot be refreshed may still be good enough; the installation itself decides.
    $apt -q update </dev/null >&2 || say "The package index could not be refreshed; trying with the one we have."
    $apt -q install -y --no-install-recommends "$@" </dev/null >&2 || fail "apt-get could not install: $*"
}

has_mosquitto() { PATH="$PATH:/usr/sbin:/sbin" command -v mosquitto >/dev/null; }
has_chromium() { command -v chromium >/dev/null || command -v chromium-browser >/dev/null; }
has_chinese_font() {
    if command -v fc-list >/dev/null; then [ -n "$(fc-list :lang=zh | head -n 1)" ]; else [ -e /usr/share/fonts/opentype/noto ]; fi
}

# The first Python of 3.11 or later that can make a virtual environment; Debian keeps that part in python3-venv.
find_python() {
    for candidate in ${PINGAN_PYTHON:-} python3.11 python3.12 python3.13 python3 /usr/bin/python3 python3.14; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s' "$candidate"
            return
        fi
    done
}

# An environment works only where it was made: its scripts hold absolute paths. A copied clone makes its own.
venv_is_ours() { .venv/bin/pip --version 2>/dev/null | grep -qF " $root/.venv/"; }

make_venv() {
    python=$(find_python)
    if [ -z "$python" ]; then
        install_packages python3 python3-venv
        python=$(find_python)
        [ -n "$python" ] || fail "Python 3.11 or later is needed. Install one and name it: PINGAN_PYTHON=/path/to/python3 make up"
    fi
    rm -rf .venv
    "$python" -m venv .venv
}

install() {
    want=$1
    missing=""
    has_mosquitto || missing="$missing mosquitto"
    if [ "$want" = dev ]; then
        has_chromium || missing="$missing chromium"
        has_chinese_font || missing="$missing fonts-noto-cjk"
    fi
    # shellcheck disable=SC2086 # a list of words
    [ -z "$missing" ] || install_packages $missing

    # The tests' environment holds all that the platform needs, so its stamp serves for both.
    digest=$( (cat requirements/run.txt requirements/dev.txt pyproject.toml; echo "$root") | sha256sum)
    for stamp in .venv/.installed-dev ".venv/.installed-$want"; do
        [ "$(cat "$stamp" 2>/dev/null || true)" != "$digest" ] || return 0
    done
    venv_is_ours || make_venv
    rm -f .venv/.installed-*
    say "Installing the Python packages of requirements/$want.txt …"
    .venv/bin/pip --disable-pip-version-check --no-input install --quiet --require-hashes --retries 5 \
        -r "requirements/$want.txt"
    .venv/bin/pip --disable-pip-version-check --no-input install --quiet --no-deps --no-build-isolation -e .
    printf '%s\n' "$digest" >".venv/.installed-$want"
}

# What only tests and checks run: Apache Kafka, TimescaleDB as WebAssembly, linters, promtool. Below .venv/tools.
# CI must have them all; elsewhere what cannot be had is named, and its tests say that they were skipped.
tools() {
    digest=$(cat tests/tools/package-lock.json tests/tools/pom.xml "$root/pingan/local/install.sh" | sha256sum)
    [ "$(cat .venv/tools/.installed 2>/dev/null || true)" != "$digest" ] || return 0
    rm -rf .venv/tools
    mkdir -p .venv/tools
    missing=""
    command -v java >/dev/null || missing="$missing openjdk-17-jre-headless"
    command -v mvn >/dev/null || missing="$missing maven"
    command -v node >/dev/null || missing="$missing nodejs"
    command -v npm >/dev/null || missing="$missing npm"
    failed=""
    # In a shell of its own: without these packages everything else can still be tested.
    # shellcheck disable=SC2086 # a list of words
    [ -z "$missing" ] || (install_packages $missing) || failed="$failed packages"
    get_kafka || failed="$failed kafka"
    get_npm_tools || failed="$failed npm"
    get_promtool || failed="$failed promtool"
    if [ -z "$failed" ]; then
        printf '%s\n' "$digest" >.venv/tools/.installed
    else
        [ "${CI:-}" != true ] || fail "these tools of the tests cannot be had, and CI must have them:$failed"
        say "These tools of the tests cannot be had now:$failed. What needs them will be skipped; it is tried again next time."
    fi
}

# What `make bench` compares with, and nothing else needs: Node-RED. Below .venv/tools.
peers() {
    command -v npm >/dev/null || { say "Without npm there is no Node-RED to compare with."; return 0; }
    mkdir -p .venv/tools/node-red
    cp tests/bench/node_red/package.json tests/bench/node_red/package-lock.json tests/bench/node_red/.npmrc .venv/tools/node-red/
    [ -e .venv/tools/node-red/node_modules/node-red/red.js ] && return 0
    say "Getting Node-RED to compare with …"
    (cd .venv/tools/node-red && npm ci --silent </dev/null >&2) || say "Node-RED cannot be had now; it is left out."
}

get_kafka() {
    say "Getting Apache Kafka for the tests …"
    mvn -q -B -f tests/tools/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
        -DoutputDirectory="$root/.venv/tools/kafka" </dev/null >&2
}

get_npm_tools() {
    say "Getting the npm packages of tests/tools …"
    mkdir -p .venv/tools/npm
    cp tests/tools/package.json tests/tools/package-lock.json tests/tools/.npmrc .venv/tools/npm/
    (cd .venv/tools/npm && npm ci --silent </dev/null >&2)
}

# Out of Debian's package and not by installing it, which would start a server.
get_promtool() {
    say "Getting promtool …"
    (
        mkdir -p .venv/tools/deb && cd .venv/tools/deb
        apt-get -q download prometheus </dev/null >&2 || { refresh_index && apt-get -q download prometheus </dev/null >&2; }
        dpkg-deb -x prometheus_*.deb .
    ) && mkdir -p .venv/tools/bin && mv .venv/tools/deb/usr/bin/promtool .venv/tools/bin/ && rm -rf .venv/tools/deb
}

refresh_index() {
    if [ "$(id -u)" = 0 ]; then apt-get -q update </dev/null >&2; else sudo -n apt-get -q update </dev/null >&2; fi
}

link() {
    [ "${PINGAN_LINK:-1}" != 0 ] || return 0
    if [ -d /usr/local/bin ] && [ -w /usr/local/bin ]; then folder=/usr/local/bin; else folder=$HOME/.local/bin; fi
    name=$folder/pingan
    target=$root/.venv/bin/pingan
    if [ -L "$name" ]; then
        old=$(readlink "$name")
        [ "$old" != "$target" ] || return 0
        case $old in
        */.venv/bin/pingan) [ ! -e "$old" ] || say "The command pingan now belongs to this clone; before, to ${old%/.venv/bin/pingan}" ;;
        *) say "$name is not ours and was left alone; use .venv/bin/pingan instead."; return 0 ;;
        esac
    elif [ -e "$name" ]; then
        say "$name is not ours and was left alone; use .venv/bin/pingan instead."
        return 0
    fi
    mkdir -p "$folder"
    ln -sfn "$target" "$name"
    case ":$PATH:" in
    *":$folder:"*) ;;
    *) say "$folder is not on your PATH: use $name, or add the folder to PATH." ;;
    esac
}

# Two makes at once take turns; the lock is on this file itself, so that nothing is left behind.
if command -v flock >/dev/null; then
    exec 9<"$root/pingan/local/install.sh"
    flock 9
fi

case ${1:-} in
run | dev) install "$1" ;;
tools) tools ;;
peers) peers ;;
link) link ;;
*) fail "usage: install.sh run | dev | tools | peers | link" ;;
esac
