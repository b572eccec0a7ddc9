# ===- build.sh - Steps that quickstart and check share ---------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# Sourced by bash scripts that stand in the root of the tree.

say() { printf '\n== %s\n' "$*"; }

# install_packages [LIST]: installs the packages of a list (utils/packages.txt)
# that are missing, as root or through sudo; says which, and does nothing where
# all are there.
install_packages() {
  local list=${1:-utils/packages.txt} package missing=() sudo=()
  while read -r package; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
      missing+=("$package")
  done < <(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$list")
  if ((${#missing[@]} == 0)); then
    say "All packages of $list are installed"
    return
  fi
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      echo "missing packages: ${missing[*]}" >&2
      echo "run as root, or install sudo or the packages yourself" >&2
      return 1
    fi
    sudo=(sudo)
  fi
  say "Installing ${missing[*]}"
  local options=(-o DPkg::Lock::Timeout=300 -q)
  "${sudo[@]}" apt-get "${options[@]}" update
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" \
    install -y --no-install-recommends "${missing[@]}"
}

# configure DIR [CMAKE OPTION...]: with clang 22, whatever the default is. Of
# what CMake looks for, only what matters is printed.
configure() {
  local folder=$1
  shift
  say "Configuring $folder"
  cmake -S . -B "$folder" -G Ninja --log-level=NOTICE -DCMAKE_C_COMPILER=clang-22 \
    -DCMAKE_CXX_COMPILER=clang++-22 "$@"
}

# build DIR TARGET...: on all processors, with a count of what is done.
build() {
  local folder=$1
  shift
  say "Building $* in $folder"
  NINJA_STATUS='[%f/%t, %e s] ' ninja -C "$folder" -j"$(nproc)" "$@"
}
