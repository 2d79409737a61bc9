# SPDX-License-Identifier: Apache-2.0
# Shared by the commands of ./dev, which source it from the top of the tree.
# shellcheck shell=bash
set -euo pipefail

covey_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
covey_start="${COVEY_DEV_START:-$(date +%s)}"
export COVEY_DEV_START="$covey_start" # nested commands go on with the same clock
cd "$covey_root"

# step TEXT: the header of a long step, with the time since the command began.
step() {
  local elapsed=$(($(date +%s) - covey_start))
  printf '==> [%3dm%02ds] %s\n' $((elapsed / 60)) $((elapsed % 60)) "$*"
}

# fail TEXT [EXIT CODE]
fail() {
  echo "dev: $1" >&2
  exit "${2:-1}"
}

# as_root COMMAND...: through sudo unless we are root already.
as_root() {
  if [[ "$(id -u)" == 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "needs root for: $* (install sudo, or run ./dev setup as root once)"
  fi
}

# What packages.txt lists for the given groups (default: base), one name per line.
packages_of() {
  local group="$1"
  sed -n "s/^\([a-z0-9][^ ]*\) *\[$group\].*/\1/p" tools/dev/packages.txt
}

# missing_packages NAME...: those that are not installed.
missing_packages() {
  comm -23 <(printf '%s\n' "$@" | sort -u) \
    <(dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null |
      sed -n 's/^ii  *//p' | sort -u)
}

# install_packages GROUP: installs what is missing, silently done when nothing is.
install_packages() {
  local -a wanted missing
  command -v dpkg-query >/dev/null || {
    echo "dev: this is no Debian; see tools/dev/packages.txt for what has to be there" >&2
    return 0
  }
  mapfile -t wanted < <(packages_of "$1")
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  [[ ${#missing[@]} == 0 ]] && return 0
  step "Installing ${#missing[@]} Debian packages: ${missing[*]}"
  as_root apt-get update -q
  # A fresh mosquitto package starts a system-wide broker; Covey brings its own. The policy file
  # forbids starts while we install; one that the machine already has is left as it is.
  local policy=/usr/sbin/policy-rc.d placed=0 status=0
  if [[ ! -e "$policy" ]]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod +x "$policy"
    placed=1
  fi
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "${missing[@]}" || status=$?
  [[ $placed == 1 ]] && as_root rm -f "$policy"
  if [[ $placed == 1 && " ${missing[*]} " == *" mosquitto "* && -d /run/systemd/system ]]; then
    as_root systemctl disable --quiet mosquitto.service || true
  fi
  [[ $status == 0 ]] || fail "apt-get install failed ($status)"
}

# configure PRESET: configures build/PRESET; quick when nothing changed.
configure() {
  local log="build/$1/configure.log"
  mkdir -p "build/$1"
  cmake --preset "$1" >"$log" 2>&1 || {
    cat "$log" >&2
    fail "cmake --preset $1 failed"
  }
}

# build PRESET [TARGET...]: configures and builds, ninja shows the progress.
build() {
  local preset="$1"
  shift
  step "Building preset $preset${1:+: $*}"
  configure "$preset"
  local -a targets=()
  [[ $# == 0 ]] || targets=(--target "$@")
  CCACHE_BASEDIR="$covey_root" CCACHE_NOHASHDIR=1 NINJA_STATUS="[%f/%t %es] " \
    cmake --build "build/$preset" --parallel "${COVEY_JOBS:-$(nproc)}" "${targets[@]}" ||
    fail "the build of preset $preset failed"
  if [[ "$preset" == release && -d build/release/bin ]]; then
    ln -sfn release/bin build/bin
  fi
}

# has_target PRESET TARGET (configured already)
has_target() {
  ninja -C "build/$1" -t query "$2" >/dev/null 2>&1
}
