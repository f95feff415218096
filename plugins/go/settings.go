package main

import (
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

const (
	// source is where the pushed tree lies in a container.
	source = "/work/src"
	// said is the folder of the output of the checks.
	said = "/tmp/pushlane-go"
)

// settings are the lane's, see README.md.
type settings struct {
	checks    []string
	packages  []string
	flags     []string
	testFlags []string
	dir       string // of the module, absolute in the container
	apart     bool
	network   bool
	container sdk.Container // what all containers have in common
}

func readSettings(run *sdk.Run) (settings, error) {
	s := settings{
		checks:    run.With("checks").Strings(),
		packages:  run.With("packages").Strings(),
		flags:     run.With("flags").Strings(),
		testFlags: run.With("test_flags").Strings(),
		apart:     run.With("apart").BoolOr(true),
		network:   run.With("network").Bool(),
		dir:       path.Join(source, run.With("workdir").String()),
	}
	if s.dir != source && !strings.HasPrefix(s.dir, source+"/") {
		return s, errors.New("setting workdir: " + strconv.Quote(run.With("workdir").String()) + " is outside the repository")
	}
	if len(s.checks) == 0 {
		s.checks = []string{"vet", "build", "test"}
	}
	if len(s.packages) == 0 {
		s.packages = []string{"./..."}
	}
	if run.With("race").Bool() {
		s.testFlags = append([]string{"-race"}, s.testFlags...)
	}
	for _, word := range s.packages {
		if strings.HasPrefix(word, "-") {
			return s, errors.New("setting packages: " + strconv.Quote(word) + " is a flag: put it into flags or test_flags")
		}
	}
	s.container = s.common(run)
	return s, nil
}

// common is what all containers are asked for with. Without a network go must
// not try: it would wait for answers that cannot come.
func (s settings) common(run *sdk.Run) sdk.Container {
	c := sdk.Container{
		Image:     run.With("image").String(),
		Env:       map[string]string{"GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false"},
		CPU:       cores(run.With("cpu")),
		Memory:    run.With("memory").String(),
		Disk:      run.With("disk").String(),
		Processes: int(run.With("processes").Int()),
		Network:   s.network,
	}
	if !s.network {
		c.Env["GOPROXY"] = "off"
	}
	if run.With("cache").BoolOr(true) {
		c.Caches = []sdk.Cache{{Name: "go-build", Path: "/var/cache/go-build"}, {Name: "go-mod", Path: "/var/cache/go-mod"}}
		c.Env["GOCACHE"], c.Env["GOMODCACHE"] = "/var/cache/go-build", "/var/cache/go-mod"
	}
	for name, value := range run.With("env").Map() {
		c.Env[name] = value
	}
	if s.dir != source {
		c.Cwd = s.dir
	}
	return c
}

// cores takes cores written as a number or as a string.
func cores(v sdk.Value) string {
	if n, ok := v.Number(); ok {
		return n
	}
	return v.String()
}

// one runs a command, shows its output as it comes and saves it in a file, with
// its exit status: a pipe has only that of its last command.
const one = `mkdir -p ` + said + `
check() {
	name=$1
	shift
	{ status=0; "$@" || status=$?; echo "$status" >` + said + `/"$name.status"; } 2>&1 | tee ` + said + `/"$name.out"
	status=$(cat ` + said + `/"$name.status")
	[ "$status" = 0 ] || worst=$status
}
worst=0
`

// containers are what the lane asks for: one per check, or one for all.
func (s settings) containers() []sdk.Container {
	var all []sdk.Container
	for _, group := range s.groups() {
		c := s.container
		c.ID = strings.Join(group, "-")
		script := one
		for _, check := range group {
			script += "check " + check + " " + quoted(s.command(check)) + "\n"
			c.Reads = append(c.Reads, said+"/"+check+".out", said+"/"+check+".status")
		}
		c.Command = []string{"/bin/sh", "-c", script + "exit $worst\n"}
		all = append(all, c)
	}
	return all
}

func (s settings) groups() [][]string {
	if !s.apart {
		return [][]string{s.checks}
	}
	var all [][]string
	for _, check := range s.checks {
		all = append(all, []string{check})
	}
	return all
}

func (s settings) command(check string) []string {
	argv := []string{"go", check}
	if check != "build" {
		argv = append(argv, "-json")
	}
	argv = append(argv, s.flags...)
	if check == "build" {
		argv = append(argv, "-o", "/dev/null")
	}
	if check == "test" {
		if slices.Contains(s.checks, "vet") {
			argv = append(argv, "-vet=off") // it has its own say
		}
		argv = append(argv, s.testFlags...)
	}
	return append(argv, s.packages...)
}

// quoted writes argv for a shell.
func quoted(argv []string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return strings.Join(words, " ")
}
