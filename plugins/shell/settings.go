package main

import (
	"errors"
	"path"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

// maxScript is the most that a container's command may hold, in bytes: Linux
// takes no argument above 128 KiB.
const maxScript = 120 << 10

// settings are the lane's, see README.md, made into the container to ask for.
type settings struct {
	container sdk.Container
	short     string // the command for a person; of a script its only line
	script    string
	dir       string   // working folder in the container, absolute
	matchers  []string // how its output is read
}

func readSettings(run *sdk.Run) (settings, error) {
	s := settings{matchers: run.With("matchers").Strings()}
	s.container = sdk.Container{
		ID:        "command",
		Image:     run.With("image").String(),
		Env:       run.With("env").Map(),
		User:      run.With("user").String(),
		CPU:       number(run.With("cpu")),
		Memory:    run.With("memory").String(),
		Disk:      run.With("disk").String(),
		Processes: int(run.With("processes").Int()),
		Network:   run.With("network").Bool(),
		Artifacts: run.With("artifacts").Strings(),
		Secrets:   run.With("secrets").Strings(),
		SecretEnv: run.With("secret_env").Map(),
	}
	for _, c := range run.With("caches").Items() {
		s.container.Caches = append(s.container.Caches, sdk.Cache{Name: c.Get("name").String(), Path: c.Get("path").String()})
	}
	s.dir = path.Join(source, run.With("workdir").String())
	if w := run.With("workdir").String(); path.IsAbs(w) {
		s.dir = path.Clean(w)
	}
	if s.dir != source {
		s.container.Cwd = s.dir
	}
	s.setGit(run)
	s.container.Artifacts = s.absolute(s.container.Artifacts)
	s.container.Reads = s.absolute(run.With("reports").Strings())
	return s, s.setCommand(run)
}

// absolute makes paths of the container of paths from the working folder.
func (s settings) absolute(paths []string) []string {
	for i, p := range paths {
		if !path.IsAbs(p) {
			paths[i] = path.Join(s.dir, p)
		}
	}
	return paths
}

// number takes cores written as a number or as a string: 2 or "0.5".
func number(v sdk.Value) string {
	if n, ok := v.Number(); ok {
		return n
	}
	return v.String()
}

// setCommand settles argv: run is a script, command is argv itself; services
// wrap either.
func (s *settings) setCommand(run *sdk.Run) error {
	script, argv := run.With("run"), run.With("command").Strings()
	switch {
	case script.Exists() == run.With("command").Exists():
		return errors.New("settings: want one of run and command")
	case script.Exists():
		s.script = strings.ReplaceAll(script.String(), "\r\n", "\n")
		s.short = onlyCommand(strings.Split(s.script, "\n"))
		argv = scriptCommand(s.script, run.With("shell").String())
	case run.With("shell").Exists() && len(argv) > 0:
		return errors.New("setting shell: it goes with run, not with command")
	case len(argv) == 0:
		return errors.New("setting command: want at least the program's name")
	default:
		s.short = clip(strings.Join(argv, " "), 60)
	}
	services, err := readServices(run)
	if err != nil {
		return err
	}
	if len(services) > 0 {
		argv = append([]string{"/bin/sh", "-c", withServices(services), "pushlane"}, argv...)
	}
	for _, arg := range argv {
		if len(arg) > maxScript {
			return errors.New("settings: the script has " + strconv.Itoa(len(arg)) + " bytes, at most " +
				strconv.Itoa(maxScript) +
				" are allowed: put it into a file of the repository")
		}
	}
	s.container.Command = argv
	return nil
}
