package main

import (
	"errors"
	"path"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

const (
	// source is where the pushed tree lies in the container.
	source = "/work/src"
	// said is the folder of the output.
	said = "/tmp/pushlane-nix"
	// cache is where the volume is mounted. It must not be /nix: that would
	// hide the image's nix itself.
	cache = "/var/cache/pushlane-nix"
)

// script evaluates the flake, builds its checks one by one, and says how each
// of them ended. What was built goes into the volume as a binary cache, also
// when a check failed: the next run takes it from there. Arguments: the flake,
// the system, "yes" to evaluate all outputs, the cache or "", then the names
// of checks.
const script = `set -u
flake=$1 system=$2 evaluate=$3 keep=$4
shift 4
dir=` + said + `
mkdir -p "$dir"
: >"$dir/out"
: >"$dir/results"
command -v nix >/dev/null || exit 127
run() {
	name=$1
	shift
	{ status=0; "$@" || status=$?; echo "$status" >"$dir/status"; } 2>&1 | tee -a "$dir/out"
	printf '%s %s\n' "$(cat "$dir/status")" "$name" >>"$dir/results"
}
nix flake metadata "$flake" >"$dir/metadata" 2>/dev/null || :
if [ "$evaluate" = yes ]; then
	run evaluation nix flake check --no-build --no-write-lock-file "$flake"
fi
if [ $# = 0 ]; then
	if nix eval --raw --no-write-lock-file "$flake#checks.$system" \
		--apply 'c: builtins.concatStringsSep " " (builtins.attrNames c)' >"$dir/names" 2>"$dir/trouble"; then
		# Names with blanks would be two: nix has none in practice.
		set -f
		set -- $(cat "$dir/names")
	elif ! grep -q 'does not provide attribute' "$dir/trouble"; then
		run checks sh -c 'cat "$1"; exit 1' sh "$dir/trouble"
	fi
fi
for check; do
	run "checks.$check" nix build --no-link --print-build-logs --keep-going --no-write-lock-file \
		"$flake#checks.$system.\"$check\""
done
if [ -n "$keep" ]; then
	nix copy --all --to "$keep" >"$dir/copy" 2>&1 || { echo "pushlane: cannot fill the cache:"; tail -n 3 "$dir/copy"; }
fi
! grep -qv '^0 ' "$dir/results"
`

func container(run *sdk.Run) (sdk.Container, error) {
	folder := path.Join(source, run.With("flake").String())
	if folder != source && !strings.HasPrefix(folder, source+"/") {
		return sdk.Container{}, errors.New("setting flake: " + strconv.Quote(run.With("flake").String()) +
			" is outside the repository")
	}
	c := sdk.Container{
		ID:        "nix",
		Image:     run.With("image").String(),
		Command:   command(run, folder),
		Env:       map[string]string{"NIX_CONFIG": config(run), "NO_COLOR": "1"},
		User:      run.With("user").StringOr("root"),
		CPU:       cores(run.With("cpu")),
		Memory:    run.With("memory").String(),
		Disk:      run.With("disk").String(),
		Processes: int(run.With("processes").Int()),
		Network:   run.With("network").Bool(),
		Reads:     []string{said + "/out", said + "/results", said + "/metadata"},
	}
	if run.With("cache").BoolOr(true) {
		c.Caches = []sdk.Cache{{Name: "nix", Path: cache}}
		c.Env["XDG_CACHE_HOME"] = cache + "/home" // flakes and tarballs that were fetched
	}
	for name, value := range run.With("env").Map() {
		c.Env[name] = value
	}
	return c, nil
}

func command(run *sdk.Run, folder string) []string {
	flake := "path:" + source
	if rest := strings.TrimPrefix(folder, source+"/"); folder != source {
		flake += "?dir=" + escape(rest)
	}
	evaluate, keep := "yes", ""
	if !run.With("evaluate").BoolOr(true) {
		evaluate = "no"
	}
	if run.With("cache").BoolOr(true) {
		keep = "file://" + cache + "/store?compression=zstd"
	}
	argv := []string{"/bin/sh", "-c", script, "pushlane", flake, run.With("system").StringOr("x86_64-linux"), evaluate,
		keep}
	return append(argv, run.With("checks").Strings()...)
}

// escape writes a path for the query of a flake's address.
func escape(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("/._-", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteString("%" + string("0123456789ABCDEF"[c>>4]) + string("0123456789ABCDEF"[c&15]))
	}
	return b.String()
}

// config is nix.conf. Without a network nix must use only the volume, and must not
// wait. Nix's own sandbox needs rights that an unprivileged container does not
// have; the container is the sandbox.
func config(run *sdk.Run) string {
	lines := []string{"experimental-features = nix-command flakes", "sandbox = false", "build-users-group =",
		"accept-flake-config = false"}
	store := ""
	if run.With("cache").BoolOr(true) {
		store = "file://" + cache + "/store?trusted=1"
	}
	if run.With("network").Bool() {
		lines = append(lines, "extra-substituters = "+store)
	} else {
		lines = append(lines, "substituters = "+store, "tarball-ttl = 4294967295", "connect-timeout = 1",
			"download-attempts = 1", "flake-registry =")
	}
	return strings.Join(lines, "\n") + "\n"
}

// cores takes cores written as a number or as a string.
func cores(v sdk.Value) string {
	if n, ok := v.Number(); ok {
		return n
	}
	return v.String()
}
