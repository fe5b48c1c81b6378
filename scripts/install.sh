#!/bin/sh
# Makes .venv and installs one dependency group of pyproject.toml into it: scripts/install.sh local|dev
# Where packages come from is pip's own configuration (pip.conf, PIP_* variables); nothing here overrides it.
set -eu
cd "$(dirname "$0")/.."
group=$1

say() { printf '%s\n' "$*"; }
stop() { say "$*" >&2; exit 1; }
runs_switchyard() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; }
makes_environments() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

fingerprint=$(cat pyproject.toml constraints.txt | cksum)
is_installed() { [ "$(cat ".venv/installed-$1" 2>/dev/null)" = "$fingerprint" ]; }
# The group dev contains the group local.
if runs_switchyard .venv/bin/python && { is_installed "$group" || is_installed dev; }; then exit 0; fi

if ! runs_switchyard .venv/bin/python; then
    python=
    incomplete=
    # 3.11 first: constraints.txt was made with it. A command may exist and still not run (pyenv's shims).
    for candidate in ${PYTHON:-} python3.11 python3.12 python3; do
        runs_switchyard "$candidate" || continue
        if makes_environments "$candidate"; then python=$candidate; break; fi
        incomplete=$candidate
    done
    if [ -z "$python" ] && [ -n "$incomplete" ]; then
        stop "$incomplete cannot make environments. On Debian or Ubuntu: apt install $("$incomplete" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    fi
    [ -n "$python" ] || stop "Switchyard needs Python 3.11 or 3.12, and neither was found. Install one (python.org, your distribution or pyenv), or name it: PYTHON=/path/to/python make run"
    free_mb=$(df -Pk . | awk 'NR == 2 { print int($4 / 1024) }')
    [ "$free_mb" -ge 3000 ] || stop "The installation needs 3 GB of free disk space here, and $free_mb MB are free. Make room and run this again."
    say "Making an environment in .venv with $("$python" -V)"
    "$python" -m venv --clear .venv
fi

say "Installing the packages of the group $group (once; about two minutes, most of it PyTorch)"
.venv/bin/python -m pip install --quiet --upgrade 'pip>=25.1' &&
    .venv/bin/python -m pip install --group "$group" -c constraints.txt ||
    stop "The installation did not finish; pip's last lines say why. Run the same command again to go on."
printf '%s\n' "$fingerprint" > ".venv/installed-$group"
