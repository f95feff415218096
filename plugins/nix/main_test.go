package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/plugins/internal/wasmtest"
	"github.com/pushlane/pushlane/sdk"
	"github.com/pushlane/pushlane/sdk/sdktest"
)

const (
	own      = "/nix/store/xp96vqjjrvf21cns11kpcfwimmlph94i-source"
	metadata = "\x1b[1mResolved URL:\x1b[0m  path:/work/src\n\x1b[1mPath:\x1b[0m          " + own + "\n"

	plainError = "evaluating flake...\n\x1b[31;1merror:\x1b[0m attribute 'nope' missing\n\n       at " + own +
		"/flake.nix:5:44:\n\n            4|     x\n             |     ^\n(use '--show-trace' to show detailed location " +
		"information)\n"
	tracedError = "error:\n       … while evaluating the attribute 'x'\n         at " + own +
		"/flake.nix:2:3:\n            1| {\n\n       … while calling 'f'\n         at " +
		"/nix/store/aaa-source/flake.nix:9:9:\n\n       error: undefined variable 'y'\n       at " +
		"/nix/store/aaa-source/lib/x.nix:3:5:\n            2|\n"
	buildError = "bad> hello\nbad> world\nerror: builder for '/nix/store/h1b86yiqqplkj61brxqvvf8xg7r1hdyw-bad.drv' " +
		"failed with exit code 3\nerror: 1 dependencies of derivation '/nix/store/x-all.drv' failed to build\n"
	newBuild = "error: Cannot build '/nix/store/h1b-bad.drv'.\n       Reason: builder failed with exit code 3.\n       " +
		"Last 2 log lines:\n       > one\n       > two\n       For full logs, run:\n         nix log /nix/store/h1b-bad.drv\n"
)

// outcome is a case by what nix printed and how the steps ended.
func outcome(name, output, results, verdict string, found ...sdk.Finding) sdktest.Case {
	exit := 0
	if !strings.HasPrefix(verdict, "pass") {
		exit = 1
	}
	const at = "nix/tmp/pushlane-nix/"
	return sdktest.Case{Name: name, With: `{"image":"nix"}`,
		Files:       map[string]string{"flake.nix": "{}", "sub/flake.nix": ""},
		Containers:  map[string]sdk.Result{"nix": {Exit: exit}},
		Artifacts:   map[string]string{at + "out": output, at + "results": results, at + "metadata": metadata},
		WantVerdict: verdict, WantFindings: found}
}

func cases() []sdktest.Case {
	nope := sdk.Finding{Path: "flake.nix", Line: 5, Col: 44, Rule: "nix", Message: "attribute 'nope' missing"}
	all := []sdktest.Case{
		outcome("all is well", "", "0 evaluation\n0 checks.a\n", "pass: 2 passed: evaluation, checks.a"),
		outcome("an error in the flake", plainError, "1 evaluation\n0 checks.a\n", "fail: 1 of 2 failed: evaluation", nope),
		outcome("the same error twice", plainError+plainError, "1 evaluation\n1 checks.a\n",
			"fail: 2 of 2 failed: evaluation, checks.a", nope),
		outcome("an error in an input, called from the flake", tracedError, "1 evaluation\n",
			"fail: 1 of 1 failed: evaluation",
			sdk.Finding{Path: "flake.nix", Line: 2, Col: 3, Rule: "nix", Message: "undefined variable 'y'"}),
		outcome("a failed build", buildError, "0 evaluation\n1 checks.bad\n", "fail: 1 of 2 failed: checks.bad",
			sdk.Finding{Rule: "build",
				Message: "builder for '/nix/store/h1b86yiqqplkj61brxqvvf8xg7r1hdyw-bad.drv' failed with exit code 3\nhello\n" +
					"world"}),
		outcome("a failed build, as newer nix says it", newBuild, "1 checks.bad\n", "fail: 1 of 1 failed: checks.bad",
			sdk.Finding{Rule: "build",
				Message: "Cannot build '/nix/store/h1b-bad.drv'. builder failed with exit code 3.\none\ntwo"}),
		outcome("a place below the tree's folder", "error: no\n  at /work/src/sub/flake.nix:1:2:\n", "1 evaluation\n",
			"fail: 1 of 1 failed: evaluation",
			sdk.Finding{Path: "sub/flake.nix", Line: 1, Col: 2, Rule: "nix", Message: "no"}),
		outcome("a place that lazy trees name", "error: no\n  at «path:/work/src»/flake.nix:1:2:\n", "1 evaluation\n",
			"fail: 1 of 1 failed: evaluation",
			sdk.Finding{Path: "flake.nix", Line: 1, Col: 2, Rule: "nix", Message: "no"}),
		outcome("a place that leads out", "error: no\n  at /work/src/../../etc/passwd:1:2:\n", "1 evaluation\n",
			"fail: 1 of 1 failed: evaluation", sdk.Finding{Rule: "nix", Message: "no"}),
		outcome("no checks at all", "", "",
			"fail: the flake has no checks for this system: name them with checks, or leave evaluate on"),
		outcome("a script that contradicts itself", "", "1 evaluation\n",
			"broken: cannot judge: the script reports success, but its results do not"),
		outcome("a shell that breaks", "sh: no\n", "", "fail: nix ended with status 1\nsh: no"),
	}
	for i := range all {
		switch all[i].Name {
		case "no checks at all", "a script that contradicts itself":
			all[i].Containers["nix"] = sdk.Result{}
		}
	}
	none := outcome("no nix", "", "",
		"broken: cannot run nix: the image has no nix: name an image that has it with the setting image")
	none.Containers["nix"] = sdk.Result{Exit: 127}
	late := outcome("a time-out", "", "1 evaluation\n",
		"fail: nix ran out of time; finished steps: 1; failed: evaluation")
	late.Containers["nix"] = sdk.Result{Exit: 137, TimedOut: true}
	unknown := outcome("the flake's own place is not known", plainError, "1 evaluation\n", "fail", nope)
	delete(unknown.Artifacts, "nix/tmp/pushlane-nix/metadata")
	outside := sdktest.Case{Name: "a folder outside", With: `{"image":"nix","flake":"../x"}`,
		WantVerdict: `broken: setting flake: "../x" is outside the repository`}
	return append(all, none, late, unknown, outside)
}

func TestNix(t *testing.T) {
	for _, c := range cases() {
		c.Run(t, check)
	}
}

func TestNixAsWasm(t *testing.T) {
	guest := wasmtest.Build(t)
	for _, c := range cases() {
		c.Serve = guest.Serve
		c.Run(t, nil)
	}
}

func TestWhatIsAskedFor(t *testing.T) {
	const common = "experimental-features = nix-command flakes\nsandbox = false\nbuild-users-group =\n" +
		"accept-flake-config = false\n"
	artifacts := []string{"/tmp/pushlane-nix/out", "/tmp/pushlane-nix/results", "/tmp/pushlane-nix/metadata"}
	for name, c := range map[string]struct {
		with string
		want sdk.Container
	}{
		"offline, with a cache": {`{"image":"nix"}`, sdk.Container{Image: "nix", User: "root",
			Caches: []sdk.Cache{{Name: "nix", Path: "/var/cache/pushlane-nix"}},
			Command: []string{"/bin/sh", "-c", script, "pushlane", "path:/work/src", "x86_64-linux", "yes",
				"file:///var/cache/pushlane-nix/store?compression=zstd"},
			Env: map[string]string{"NO_COLOR": "1", "XDG_CACHE_HOME": "/var/cache/pushlane-nix/home",
				"NIX_CONFIG": common +
					"substituters = file:///var/cache/pushlane-nix/store?trusted=1\ntarball-ttl = 4294967295\nconnect-timeout = 1\n" +
					"download-attempts = 1\nflake-registry =\n"}}},
		"all settings": {
			`{"image":"nix","flake":"a b","system":"aarch64-linux","checks":["x","y"],"evaluate":false,"cache":false,` +
				`"network":true,"user":"lane","env":{"A":"1"},"cpu":2,"memory":"4GiB","disk":"9GiB","processes":99}`,
			sdk.Container{Image: "nix", User: "lane", CPU: "2", Memory: "4GiB", Disk: "9GiB", Processes: 99, Network: true,
				Command: []string{"/bin/sh", "-c", script, "pushlane", "path:/work/src?dir=a%20b", "aarch64-linux", "no", "", "x",
					"y"},
				Env: map[string]string{"A": "1", "NO_COLOR": "1", "NIX_CONFIG": common + "extra-substituters = \n"}}},
	} {
		c.want.ID, c.want.Reads = "nix", artifacts
		sdktest.Case{Name: name, With: c.with, Containers: map[string]sdk.Result{"nix": {Exit: 1}}, WantVerdict: "fail",
			WantContainers: []sdk.Container{c.want}}.Run(t, check)
	}
}

// stand is a program called nix that knows two checks, one of which fails.
const stand = `#!/bin/sh
case "$1 $2" in
"flake metadata") echo "Path: /nix/store/x-source" ;;
"flake check") echo "checked $5" ;;
"eval --raw")
	[ -z "${NO_CHECKS-}" ] || { echo "error: it does not provide attribute 'checks'" >&2; exit 1; }
	printf 'good bad' ;;
"build --no-link") case $6 in *'"bad"') echo "bad> no" >&2; exit 3 ;; esac ;;
"copy --all") echo "no room"; exit 1 ;;
*) exit 9 ;;
esac
`

func TestScript(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "nix"), []byte(stand), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		args    []string
		env     string
		exit    int
		results string
		out     string
	}{
		{"all checks", []string{"f", "s", "yes", "file:///c"}, "", 1, "0 evaluation\n0 checks.good\n3 checks.bad\n",
			"checked f\nbad> no\npushlane: cannot fill the cache:\nno room\n"},
		{"one check", []string{"f", "s", "no", "", "good"}, "", 0, "0 checks.good\n", ""},
		{"no checks", []string{"f", "s", "yes", ""}, "NO_CHECKS=1", 0, "0 evaluation\n", "checked f\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			kept := t.TempDir()
			cmd := exec.CommandContext(t.Context(), "/bin/sh",
				append([]string{"-c", strings.ReplaceAll(script, said, kept), "pushlane"}, c.args...)...)
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), c.env)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			err := cmd.Run()
			results, _ := os.ReadFile(filepath.Join(kept, "results"))
			if cmd.ProcessState.ExitCode() != c.exit || string(results) != c.results || out.String() != c.out {
				t.Errorf("%v, results %q, output %q", err, results, out.String())
			}
		})
	}
}

func FuzzFindings(f *testing.F) {
	f.Add(plainError, metadata)
	f.Add(tracedError+buildError+newBuild, "")
	f.Fuzz(func(t *testing.T, output, metadata string) {
		for _, found := range findings(&sdk.Run{}, output, metadata) {
			if found.Message == "" || found.Path != "" {
				t.Errorf("%+v", found)
			}
		}
	})
}
