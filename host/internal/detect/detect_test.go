package detect

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pushlane/pushlane/lanes"
)

// tree is a working tree: "name: content" lines, \n in a content is a line's end.
func tree(files ...string) fstest.MapFS {
	all := fstest.MapFS{}
	for _, f := range files {
		name, text, _ := strings.Cut(f, ": ")
		all[name] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(text, `\n`, "\n"))}
	}
	return all
}

// TestLook: what is in a repository, which image its tests need and how they are run.
func TestLook(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files []string
		want  string
	}{
		"nothing": {[]string{"README.md: x"}, ""},
		"go": {[]string{`go.mod: module x\ngo 1.24.1\nrequire a.example/b v1.0.0`},
			"go in '' golang:1.24 go [go vet ./... | go test ./...]"},
		"go with a toolchain": {[]string{`go.mod: module x\ngo 1.24\ntoolchain go1.25.3`},
			"go in '' golang:1.25.3  [go vet ./... | go test ./...]"},
		"go, vendored": {[]string{`go.mod: module x\ngo 1.24\nrequire a.example/b v1.0.0`, "vendor/modules.txt: "},
			"go in '' golang:1.24  [go vet ./... | go test ./...]"},
		"go, damaged": {[]string{`go.mod: modul x`}, "go in '' golang:1 go [go vet ./... | go test ./...]"},
		"npm": {[]string{`package.json: {"scripts":{"test":"vitest run","lint":"eslint ."},"devDependencies":{"a":"1"}}`,
			"package-lock.json: {}", ".nvmrc: v20.11.0"}, "node in '' node:20 npm [npm ci | npm run lint | npm run test]"},
		"npm without a lock": {[]string{
			`package.json: {"scripts":{"test":"x"},"dependencies":{"a":"1"},"engines":{"node":">=18"}}`},
			"node in '' node:22 npm [npm install --no-audit --no-fund | npm run test]"},
		"node of one release": {[]string{`package.json: {"scripts":{"test":"x"},"engines":{"node":"^20.1"}}`},
			"node in '' node:20  [npm run test]"},
		"node without scripts": {[]string{`package.json: {"scripts":{"test":"echo \"Error: no test specified\" && exit 1"}}`},
			"node in '' node:22  [node --test]"},
		"pnpm": {[]string{
			`package.json: {"packageManager":"pnpm@9.1.0+sha512.aa","scripts":{"test":"x"}}`, "pnpm-lock.yaml: "},
			"node in '' node:22 npm [npx --yes pnpm@9.1.0 install --frozen-lockfile | npx --yes pnpm@9.1.0 run test]"},
		"yarn": {[]string{`package.json: {"scripts":{"test":"x"}}`, "yarn.lock: "},
			"node in '' node:22 npm [yarn install --frozen-lockfile | yarn run test]"},
		"new yarn": {[]string{`package.json: {"packageManager":"yarn@4.1.0","scripts":{"test":"x"}}`, "yarn.lock: "},
			"node in '' node:22 npm [yarn install --immutable | yarn run test]"},
		"node, damaged": {[]string{`package.json: {`}, ""},
		"python of stdlib": {[]string{`pyproject.toml: [project]\nrequires-python = ">=3.10"`, "tests/test_a.py: "},
			"python in '' python:3.12  [python -m unittest discover -s tests -t .]"},
		"python for one": {[]string{`pyproject.toml: [project]\nrequires-python = "~=3.9"`},
			"python in '' python:3.9  [python -m unittest]"},
		"python, new": {[]string{`pyproject.toml: [project]\nrequires-python = ">=3.13"`},
			"python in '' python:3.13  [python -m unittest]"},
		"python, pinned": {[]string{`setup.py: `, ".python-version: 3.11.4"},
			"python in '' python:3.11  [python -m unittest]"},
		"python, uv": {[]string{`pyproject.toml: [tool.pytest.ini_options]`, "uv.lock: "},
			"python in '' python:3.12 pip [python -m venv /tmp/uv && /tmp/uv/bin/pip install -q uv | " +
				"/tmp/uv/bin/uv sync --locked | /tmp/uv/bin/uv run pytest]"},
		"python, poetry": {[]string{`pyproject.toml: `, "poetry.lock: "},
			"python in '' python:3.12 pip [python -m venv /tmp/poetry && /tmp/poetry/bin/pip install -q poetry | " +
				"/tmp/poetry/bin/poetry install --no-interaction | /tmp/poetry/bin/poetry run python -m unittest]"},
		"python, extras": {
			[]string{`pyproject.toml: [project]\ndependencies = ["a"]\n[project.optional-dependencies]\ndev = ["pytest"]`},
			"python in '' python:3.12 pip [python -m venv /tmp/venv && . /tmp/venv/bin/activate | " +
				"pip install -q -e '.[dev]' | pip install -q pytest | pytest]"},
		"python, damaged": {[]string{`pyproject.toml: [`}, ""},
		"rust": {
			[]string{`Cargo.toml: [package]\nrust-version = "1.80"\n[dependencies]\nserde = "1"`,
				"Cargo.lock: "},
			"rust in '' rust:1 cargo [cargo test --locked]"},
		"rust of a workspace": {
			[]string{`Cargo.toml: [workspace]\nmembers = ["a"]`,
				`a/Cargo.toml: [package]`,
				"rust-toolchain: 1.81.0"},
			"rust in '' rust:1.81.0 cargo [cargo test --workspace]"},
		"maven": {[]string{`pom.xml: <maven.compiler.release>17</maven.compiler.release>`, "a/pom.xml: "},
			"java in '' maven:3-eclipse-temurin-17 maven [mvn -B -ntp verify]"},
		"gradle": {[]string{`build.gradle.kts: kotlin { jvmToolchain(17) }`, "gradlew: "},
			"java in '' eclipse-temurin:17 gradle [sh ./gradlew check]"},
		"ruby": {[]string{`Gemfile: `, ".ruby-version: 3.3.5", "spec/a_spec.rb: "},
			"ruby in '' ruby:3.3 bundler [bundle config set --local path /tmp/bundle | bundle install | bundle exec rspec]"},
		"nix": {[]string{"flake.nix: {}"}, "nix in ''   []"},
		"make": {
			[]string{`Makefile: all:\ncheck:\n\ttrue\ntest: all\n`,
				`Dockerfile: FROM debian:bookworm AS x`},
			"make in '' debian:bookworm  [make test]"},
		"make of a private image": {[]string{
			`Makefile: check:\n`, `Dockerfile: from --platform=linux/amd64 ghcr.io/acme/base:1`},
			"make in '' ghcr.io/acme/base:1  [make check]"},
		"make without tests": {[]string{`Makefile: all:\n\ttest -f x\n`}, ""},
		"make next to a project": {[]string{`Makefile: test:\n`, `go.mod: module x\ngo 1.24`},
			"go in '' golang:1.24  [go vet ./... | go test ./...]"},
		"several": {[]string{`api/go.mod: module x\ngo 1.24`, `web/package.json: {"scripts":{"test":"x"},"workspaces":["p"]}`,
			`web/p/package.json: {}`, `node_modules/a/package.json: {}`, "web/testdata/go.mod: module y", ".x/go.mod: module z"},
			"go in 'api' golang:1.24  [go vet ./... | go test ./...]; node in 'web' node:22  [npm run test]"},
	} {
		f, err := Look(tree(c.files...))
		var got []string
		for _, p := range f.Projects {
			got = append(got, fmt.Sprintf("%s in '%s' %s %s [%s]", p.Lang, p.Dir,
				strings.TrimPrefix(p.Image, "docker.io/library/"), p.Fetches, strings.Join(p.Run, " | ")))
		}
		if text := strings.Join(got, "; "); text != c.want || err != nil {
			t.Errorf("%s, %v\n got %s\nwant %s", name, err, text, c.want)
		}
	}
}

// TestLookFor: only the languages that are asked for, and no more projects than a lanes file should begin with.
func TestLookFor(t *testing.T) {
	t.Parallel()
	var files []string
	for i := range 15 {
		files = append(files, fmt.Sprintf(`s%02d/go.mod: module x\ngo 1.24`, i), fmt.Sprintf("s%02d/Gemfile: ", i))
	}
	f, err := Look(tree(files...), "go")
	if err != nil || len(f.Projects) != 12 || f.More != 3 || f.Projects[11].Lang != "go" {
		t.Errorf("got %d and %d more, %v", len(f.Projects), f.More, err)
	}
}

// TestOthers: configuration of other tools is named, with what it can be imported as.
func TestOthers(t *testing.T) {
	t.Parallel()
	f, err := Look(tree("lefthook.yml: ", ".github/workflows/ci.yml: ", ".pre-commit-config.yaml: "))
	if want := "[{lefthook lefthook.yml} {pre-commit .pre-commit-config.yaml} { .github/workflows}]"; err != nil ||
		fmt.Sprint(f.Others) != want {
		t.Errorf("got %v, %v", f.Others, err)
	}
}

// TestLanes: what is written for every kind of project is a lanes file that loads.
func TestLanes(t *testing.T) {
	t.Parallel()
	f, err := Look(tree(`go.mod: module x\ngo 1.24\nrequire a.example/b v1.0.0`,
		`we b[1]/package.json: {"scripts":{"test":"x"},"dependencies":{"a":"1"}}`,
		`we b[1]/package-lock.json: {"a":{"resolved": "https://npm.example.org/a.tgz"}}`, "docs/flake.nix: {}",
		`tools/x/Gemfile: `))
	if err != nil {
		t.Fatal(err)
	}
	text := Lanes(f, func(manager string) []string {
		return map[string][]string{"go": {"go.example.org"}, "npm": {"npm.example.org"}}[manager]
	})
	set, err := lanes.Load(".pushlane/lanes.toml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var got []string
	for _, l := range set.Lanes {
		got = append(got, fmt.Sprint(l.ID, " ", l.Plugin, " ", l.Paths, " ", l.Ignore))
	}
	want := `files files [] []; commits commits [] []; test shell [] [**/*.md]; docs nix [docs/**] []; ` +
		`tools-x shell [tools/x/**] []; we-b-1 shell [we b\[1\]/**] []`
	if strings.Join(got, "; ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "; "), want)
	}
	for _, line := range []string{`network = ["go.example.org"]`, `network = ["npm.example.org"]`,
		`# network = ["HOST"]    # from where bundler has its packages`, `image = "docker.io/library/golang:1.24"`,
		`# go.mod: go 1.24`, `cache = ["npm"]`, `workdir = "we b[1]"`} {
		if !strings.Contains(string(text), line+"\n") {
			t.Errorf("no line %s in\n%s", line, text)
		}
	}
}

// TestHostsOf: what tools answer about where packages come from.
func TestHostsOf(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		"https://npm.example.org/a/\n":                    "[npm.example.org]",
		"https://a.example|https://b.example:8443,direct": "[a.example b.example:8443]",
		"sum.example.org":                                 "[sum.example.org]", "off": "[]",
		"file:///srv/proxy": "[]", "": "[]", "undefined": "[]",
		"sum.example.org+033de0ae+Ac4z https://sums.example.org": "[sums.example.org]",
	} {
		if got := fmt.Sprint(HostsOf(answer)); got != want {
			t.Errorf("%q: %s, want %s", answer, got, want)
		}
	}
}
