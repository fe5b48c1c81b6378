#!/bin/sh
# Makes sure that the browser suite has a Chromium; the suite drives the one that CHROMIUM names, or whichever of these is on PATH.
set -eu

has_chromium() {
    for name in ${CHROMIUM:-chromium chromium-browser google-chrome chrome}; do
        "$name" --version >/dev/null 2>&1 && return 0
    done
    return 1
}

has_chromium && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Chromium for the browser suite"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null || true
fi
has_chromium && exit 0
echo "The browser suite needs Chromium. Install chromium or google-chrome with your package manager, so that it is on PATH (or name it: CHROMIUM=/path/to/chromium make test), and run this again." >&2
exit 1
