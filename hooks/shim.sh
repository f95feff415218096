#!/bin/sh
# pushlane hook 2, runs @PATH@ (take it out with: pushlane uninstall)
PUSHLANE_HOOK=$0; export PUSHLANE_HOOK; [ -x @BIN@ ] && exec @BIN@ @ARGS@@GATE@ "$@"; printf 'pushlane: error: cannot run pushlane: %s is not there (@WHAT@)\npushlane: hint: install pushlane again, or take the hook out by removing %s\n' @BIN@ "$0" >&2; exit 1
