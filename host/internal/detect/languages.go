package detect

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/mod/modfile"
)

// library is an official image of the registry that everybody means.
func library(name, tag string) string { return "docker.io/library/" + name + ":" + tag }

var goTests = []string{"go vet ./...", "go test ./..."}

func goProject(d *folder) (Project, bool) {
	if !d.has("go.mod") {
		return Project{}, false
	}
	p := Project{Lang: "go", Image: library("golang", "1"), Run: goTests, Matchers: []string{"go-test"},
		Caches: []string{"go"}}
	mod, err := modfile.Parse("go.mod", []byte(d.read("go.mod")), nil)
	switch {
	case err != nil:
		p.Why = append(p.Why, "go.mod, which cannot be read")
	case mod.Toolchain != nil:
		p.Why = append(p.Why, "go.mod: toolchain "+mod.Toolchain.Name)
		p.Image = library("golang", strings.TrimPrefix(mod.Toolchain.Name, "go"))
	case mod.Go != nil:
		p.Why = append(p.Why, "go.mod: go "+mod.Go.Version)
		p.Image = library("golang", minor(mod.Go.Version))
	default:
		p.Why = append(p.Why, "go.mod")
	}
	if (err != nil || len(mod.Require) > 0) && !d.below("vendor") {
		p.Fetches = "go"
	}
	return p, true
}

// minor is a version without its third number: images of an older patch release
// are taken away sooner.
func minor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// packageJSON is what matters of a package.json.
type packageJSON struct {
	Scripts        map[string]string `json:"scripts"`
	PackageManager string            `json:"packageManager"`
	Engines        struct {
		Node string `json:"node"`
	} `json:"engines"`
	Dependencies    map[string]string `json:"dependencies"`
	DevDependencies map[string]string `json:"devDependencies"`
}

// currentNode is the release that a project gets that says nothing, or only what is
// too old for it.
const currentNode = 22

func nodeProject(d *folder) (Project, bool) {
	if !d.has("package.json") {
		return Project{}, false
	}
	var pkg packageJSON
	if json.Unmarshal([]byte(d.read("package.json")), &pkg) != nil {
		return Project{}, false
	}
	manager := nodeManager(d, pkg)
	p := Project{Lang: "node", Caches: []string{"npm"}, Fetches: "npm",
		Hosts: lockHosts(d, "package-lock.json", "yarn.lock")}
	version, why := nodeVersion(d, pkg)
	p.Image, p.Why = library("node", version), []string{"package.json", why}
	if len(pkg.Dependencies)+len(pkg.DevDependencies) > 0 || manager.program != "npm" {
		p.Run = append(p.Run, manager.install)
		p.Why = append(p.Why, manager.why)
	} else {
		p.Caches, p.Fetches = nil, ""
	}
	for _, name := range []string{"lint", "typecheck", "type-check", "check", "test"} {
		script := pkg.Scripts[name]
		if script == "" || strings.Contains(script, "no test specified") || strings.Contains(script, "--watch") {
			continue
		}
		p.Run = append(p.Run, manager.program+" run "+name)
	}
	if len(p.Run) == 0 || len(p.Run) == 1 && p.Run[0] == manager.install {
		if p.Run = append(p.Run, "node --test"); pkg.Scripts["build"] != "" {
			p.Run[len(p.Run)-1] = manager.program + " run build"
		}
	}
	return p, true
}

type nodeTool struct{ program, install, why string }

// nodeManager is the package manager whose lock file is there.
func nodeManager(d *folder, pkg packageJSON) nodeTool {
	named, version, _ := strings.Cut(pkg.PackageManager, "@")
	version, _, _ = strings.Cut(version, "+")
	major, _, _ := strings.Cut(version, ".")
	switch {
	case d.has("pnpm-lock.yaml") || named == "pnpm":
		pnpm := "npx --yes pnpm"
		if version != "" {
			pnpm += "@" + version
		}
		return nodeTool{pnpm, pnpm + " install --frozen-lockfile", "pnpm-lock.yaml"}
	case d.has("yarn.lock") || named == "yarn":
		if d.has(".yarnrc.yml") || named == "yarn" && major != "1" && major != "" {
			return nodeTool{"yarn", "yarn install --immutable", "yarn.lock, .yarnrc.yml"}
		}
		return nodeTool{"yarn", "yarn install --frozen-lockfile", "yarn.lock"}
	case d.hasAny("package-lock.json", "npm-shrinkwrap.json") != "":
		return nodeTool{"npm", "npm ci", "package-lock.json"}
	}
	return nodeTool{"npm", "npm install --no-audit --no-fund", "no lock file"}
}

var number = regexp.MustCompile(`\d+`)

func nodeVersion(d *folder, pkg packageJSON) (version, why string) {
	if name := d.hasAny(".nvmrc", ".node-version"); name != "" {
		if n := number.FindString(d.read(name)); n != "" {
			return n, name + ": " + n
		}
	}
	if n := number.FindString(pkg.Engines.Node); n != "" {
		open := !strings.ContainsAny(pkg.Engines.Node, "<^~|-") && strings.Contains(pkg.Engines.Node, ">")
		if least, _ := strconv.Atoi(n); open && least < currentNode {
			n = strconv.Itoa(currentNode)
		}
		return n, fmt.Sprintf("engines.node %q", pkg.Engines.Node)
	}
	return strconv.Itoa(currentNode), "no version of node named"
}

var lockURL = regexp.MustCompile(`"?resolved"?:? "(https://[^"\s]+)"`)

// lockHosts are the hosts that a lock file has its packages from.
func lockHosts(d *folder, names ...string) []string {
	var hosts []string
	for _, name := range names {
		for _, m := range lockURL.FindAllStringSubmatch(d.read(name), -1) {
			u, err := url.Parse(m[1])
			if err == nil && u.Host != "" && !slices.Contains(hosts, u.Host) && len(hosts) < 20 {
				hosts = append(hosts, u.Host)
			}
		}
	}
	slices.Sort(hosts)
	return hosts
}

// pyproject is what matters of a pyproject.toml.
type pyproject struct {
	Project struct {
		RequiresPython string              `toml:"requires-python"`
		Dependencies   []string            `toml:"dependencies"`
		Optional       map[string][]string `toml:"optional-dependencies"`
	} `toml:"project"`
	Groups map[string]any `toml:"dependency-groups"`
	Tool   map[string]any `toml:"tool"`
}

const currentPython = 12 // 3.12

func pythonProject(d *folder) (Project, bool) {
	name := d.hasAny("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "tox.ini")
	if name == "" {
		return Project{}, false
	}
	var py pyproject
	if toml.Unmarshal([]byte(d.read("pyproject.toml")), &py) != nil {
		return Project{}, false
	}
	p := Project{Lang: "python", Why: []string{name}, Caches: []string{"pip"}, Fetches: "pip"}
	version, why := pythonVersion(d, py)
	p.Image, p.Why = library("python", version), append(p.Why, why)
	p.Run = pythonRun(d, py)
	if len(p.Run) == 1 {
		p.Caches, p.Fetches = nil, ""
	}
	return p, true
}

// pythonRun are the commands of the tool whose lock file is there; without one, pip
// in a virtual environment.
func pythonRun(d *folder, py pyproject) []string {
	test := pythonTest(d, py)
	switch {
	case d.has("uv.lock"):
		return []string{"python -m venv /tmp/uv && /tmp/uv/bin/pip install -q uv", "/tmp/uv/bin/uv sync --locked",
			"/tmp/uv/bin/uv run " + test}
	case d.has("poetry.lock"):
		return []string{"python -m venv /tmp/poetry && /tmp/poetry/bin/pip install -q poetry",
			"/tmp/poetry/bin/poetry install --no-interaction", "/tmp/poetry/bin/poetry run " + test}
	}
	var installs []string
	for _, name := range []string{"requirements.txt", "requirements-dev.txt", "requirements-test.txt"} {
		if d.has(name) && strings.TrimSpace(d.read(name)) != "" {
			installs = append(installs, "pip install -q -r "+name)
		}
	}
	extra := ""
	for _, name := range []string{"test", "tests", "dev"} {
		if _, there := py.Project.Optional[name]; there && extra == "" {
			extra = "[" + name + "]"
		}
	}
	if len(py.Project.Dependencies) > 0 || extra != "" {
		installs = append(installs, "pip install -q -e '."+extra+"'")
	}
	if test == "pytest" {
		installs = append(installs, "pip install -q pytest")
	}
	if len(installs) == 0 {
		return []string{test}
	}
	return append(append([]string{"python -m venv /tmp/venv && . /tmp/venv/bin/activate"}, installs...), test)
}

// pythonTest is the test runner that the project's files name.
func pythonTest(d *folder, py pyproject) string {
	_, configured := py.Tool["pytest"]
	names := d.read("requirements.txt") + d.read("requirements-dev.txt") + d.read("requirements-test.txt") +
		d.read("setup.cfg") + d.read("tox.ini") + d.read("pyproject.toml")
	if configured || d.hasAny("pytest.ini", "conftest.py") != "" || strings.Contains(names, "pytest") {
		return "pytest"
	}
	if d.below("tests") {
		return "python -m unittest discover -s tests -t ."
	}
	return "python -m unittest"
}

var pythonNumber = regexp.MustCompile(`3\.(\d+)`)

func pythonVersion(d *folder, py pyproject) (version, why string) {
	if m := pythonNumber.FindStringSubmatch(d.read(".python-version")); m != nil {
		return m[0], ".python-version: " + m[0]
	}
	asked := py.Project.RequiresPython
	if m := pythonNumber.FindStringSubmatch(asked); m != nil {
		least, _ := strconv.Atoi(m[1])
		if open := !strings.ContainsAny(asked, "<~") && strings.Contains(asked, ">="); open && least < currentPython {
			least = currentPython
		}
		return fmt.Sprintf("3.%d", least), fmt.Sprintf("requires-python %q", asked)
	}
	return fmt.Sprintf("3.%d", currentPython), "no version of python named"
}

func rustProject(d *folder) (Project, bool) {
	if !d.has("Cargo.toml") {
		return Project{}, false
	}
	var cargo struct {
		Package struct {
			RustVersion any `toml:"rust-version"`
		} `toml:"package"`
		Dependencies map[string]any `toml:"dependencies"`
		Dev          map[string]any `toml:"dev-dependencies"`
		Workspace    any            `toml:"workspace"`
	}
	if toml.Unmarshal([]byte(d.read("Cargo.toml")), &cargo) != nil {
		return Project{}, false
	}
	p := Project{Lang: "rust", Why: []string{"Cargo.toml"}, Image: library("rust", "1"), Run: []string{"cargo test"},
		Matchers: []string{"rustc"}}
	if n := numbers.FindString(d.read("rust-toolchain.toml") + d.read("rust-toolchain")); n != "" {
		p.Image, p.Why = library("rust", n), append(p.Why, "rust-toolchain: "+n)
	} else if v, ok := cargo.Package.RustVersion.(string); ok && numbers.MatchString(v) {
		p.Why = append(p.Why, "rust-version "+v)
	}
	if d.has("Cargo.lock") {
		p.Run = []string{"cargo test --locked"}
	}
	if cargo.Workspace != nil {
		p.Run[0] += " --workspace"
	}
	if len(cargo.Dependencies)+len(cargo.Dev) > 0 || cargo.Workspace != nil {
		p.Caches, p.Fetches = []string{"cargo"}, "cargo"
	}
	return p, true
}

var numbers = regexp.MustCompile(`\d+\.\d+(\.\d+)?`)
