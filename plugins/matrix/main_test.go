package main

import (
	"strings"
	"testing"

	"github.com/pushlane/pushlane/plugins/internal/wasmtest"
	"github.com/pushlane/pushlane/sdk"
	"github.com/pushlane/pushlane/sdk/sdktest"
)

// asked are containers that run a command of one word each, by id.
func asked(pairs ...string) []sdk.Container {
	all := []sdk.Container{}
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, sdk.Container{ID: pairs[i], Command: []string{pairs[i+1]}})
	}
	return all
}

func ends(ids ...string) map[string]sdk.Result {
	all := map[string]sdk.Result{}
	for _, id := range ids {
		id, bad := strings.CutSuffix(id, "!")
		all[id] = sdk.Result{}
		if bad {
			all[id] = sdk.Result{Exit: 3, Tail: "one\n\n2\n3\n4\n5\n6\n"}
		}
	}
	return all
}

func failed(title string) sdk.Finding {
	return sdk.Finding{Rule: "matrix", Message: title + ": exit status 3\n2\n3\n4\n5\n6"}
}

func cases() []sdktest.Case {
	all := networkless()
	for i := range all {
		all[i].Request.Granted = []string{"container"}
	}
	return all
}

// networkless are cases of lanes that grant no network.
func networkless() []sdktest.Case {
	const two = `{"axes":{"go":["1.25","1.26"],"os":["debian","alpine"]},"command":["${go}/${os}"]`
	return []sdktest.Case{
		{Name: "every combination", With: two + `}`, Containers: ends("c1-1-25-debian", "c2-1-25-alpine", "c3-1-26-debian",
			"c4-1-26-alpine"), WantVerdict: "pass: 4 cells passed",
			WantContainers: asked("c1-1-25-debian", "1.25/debian", "c2-1-25-alpine", "1.25/alpine", "c3-1-26-debian",
				"1.26/debian", "c4-1-26-alpine", "1.26/alpine")},
		{Name: "failed cells", With: two + `,"max_parallel":1}`,
			Containers:   ends("c1-1-25-debian", "c2-1-25-alpine!", "c3-1-26-debian", "c4-1-26-alpine!"),
			WantVerdict:  "fail: 2 of 4 cells failed: go=1.25, os=alpine; go=1.26, os=alpine",
			WantFindings: []sdk.Finding{failed("go=1.25, os=alpine"), failed("go=1.26, os=alpine")}},
		{Name: "the first failed cell is enough", With: two + `,"max_parallel":2,"fail_fast":true}`,
			Containers:     ends("c1-1-25-debian!", "c2-1-25-alpine!"),
			WantVerdict:    "fail: 1 of 4 cells failed: go=1.25, os=debian; 3 not run to the end",
			WantFindings:   []sdk.Finding{failed("go=1.25, os=debian")},
			WantContainers: asked("c1-1-25-debian", "1.25/debian", "c2-1-25-alpine", "1.25/alpine")},
		{Name: "a cell that takes too long", With: `{"axes":{"a":["x"]},"run":"y"}`,
			Containers:  map[string]sdk.Result{"c1-x": {Exit: 137, TimedOut: true}},
			WantVerdict: "fail: 1 of 1 cell failed: a=x", WantFindings: []sdk.Finding{
				{Rule: "matrix", Message: "a=x: timed out"}}},
		{Name: "exclude and include",
			With: two +
				`,"exclude":[{"os":"alpine"},{"go":"1.25","os":"debian"}],"include":[{"os":"Void Linux","go":"tip"}]}`,
			Containers: ends("c1-1-26-debian", "c2-tip-void-linux"), WantVerdict: "pass: 2 cells passed",
			WantContainers: asked("c1-1-26-debian", "1.26/debian", "c2-tip-void-linux", "tip/Void Linux")},
		{Name: "templates",
			With: `{"axes":{"v":["1.2"]},"run":"echo ${v} ${HOME} ${ ` +
				`$v","image":"go-${v}","env":{"V":"v${v}"},"caches":[{"name":"c-${v}","path":"/c"}],"workdir":"sub","cpu":0.5,` +
				`"network":true,"user":"root","memory":"1GiB","disk":"2GiB","processes":9}`,
			Containers: ends("c1-1-2"), WantContainers: []sdk.Container{
				{ID: "c1-1-2", Image: "go-1.2", Command: []string{"/bin/sh", "-eu", "-c", "echo 1.2 ${HOME} ${ $v"},
					Env: map[string]string{"V": "v1.2"}, Cwd: "/work/src/sub",
					User: "root", CPU: "0.5", Memory: "1GiB", Disk: "2GiB", Processes: 9, Network: true,
					Caches: []sdk.Cache{{Name: "c-1.2", Path: "/c"}}}}},
		{Name: "long and odd values", With: `{"axes":{"a":["ÄÖ/` + strings.Repeat("x", 50) + `"]},"command":["y"]}`,
			Containers: ends("c1----" + strings.Repeat("x", 34)), WantContainers: asked("c1----"+strings.Repeat("x", 34), "y")},
		{Name: "no such axis in the image", With: `{"axes":{"a":["x"]},"run":"y","image":"go-${b}"}`,
			WantVerdict: `broken: setting image: "${b}" does not name an axis`},
		{Name: "no such axis in a command", With: `{"axes":{"a":["x"]},"command":["${a"]}`,
			WantVerdict: `broken: setting command: "${a}" does not name an axis`},
		{Name: "an excluded value that is none", With: two + `,"exclude":[{"os":"mac"}]}`,
			WantVerdict: "broken: setting exclude[0]: no axis has os=mac"},
		{Name: "an empty exclusion", With: two + `,"exclude":[{}]}`,
			WantVerdict: "broken: setting exclude[0]: want at least one value"},
		{Name: "nothing is left", With: `{"axes":{"a":["x"]},"run":"y","exclude":[{"a":"x"}]}`,
			WantVerdict: "broken: setting exclude: no cell is left"},
		{Name: "an included cell with a gap", With: two + `,"include":[{"os":"mac"}]}`,
			WantVerdict: "broken: setting include[0]: it has no value for axis go"},
		{Name: "an included cell with another axis", With: two + `,"include":[{"os":"mac","go":"1","cc":"x"}]}`,
			WantVerdict: "broken: setting include[0]: there is no axis cc"},
		{Name: "an included cell that is there", With: two + `,"include":[{"os":"debian","go":"1.26"}]}`,
			WantVerdict: "broken: setting include[0]: go=1.26, os=debian is there already"},
		{Name: "too many cells", With: `{"axes":{"a":[` + numbers(20) + `],"b":[` + numbers(20) + `]},"run":"y"}`,
			WantVerdict: "broken: setting axes: they make more than 256 cells"},
		{Name: "no axes", With: `{"run":"y"}`, WantVerdict: "broken: setting axes: want at least one axis"},
		{Name: "an axis without values", With: `{"axes":{"a":[]},"run":"y"}`,
			WantVerdict: `broken: setting axes: "a" has no values`},
		{Name: "numbers", With: `{"axes":{"a":[1.20]},"run":"y"}`, WantVerdict: "broken"},
		{Name: "neither run nor command", With: `{"axes":{"a":["x"]}}`,
			WantVerdict: "broken: settings: want one of run and command"},
		{Name: "none at once", With: `{"axes":{"a":["x"]},"run":"y","max_parallel":0}`,
			WantVerdict: "broken: setting max_parallel: want 1 or more"},
	}
}

func numbers(n int) string {
	text := `"0"`
	for i := 1; i < n; i++ {
		text += `,"` + strings.Repeat("x", i) + `"`
	}
	return text
}

func TestMatrix(t *testing.T) {
	for _, c := range cases() {
		c.Run(t, check)
	}
}

func TestMatrixAsWasm(t *testing.T) {
	guest := wasmtest.Build(t)
	for _, c := range cases() {
		c.Serve = guest.Serve
		c.Run(t, nil)
	}
}

func FuzzFill(f *testing.F) {
	f.Add("a ${x} ${y} ${")
	f.Fuzz(func(t *testing.T, text string) {
		filled, err := cell{{"x", "${y}"}}.fill("run", text, false)
		if err != nil || !strings.Contains(text, "${") && filled != text {
			t.Errorf("%q becomes %q, %v", text, filled, err)
		}
	})
}
