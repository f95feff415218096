package hookclient

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// earlier is the hook that was there before pushlane was installed.
type earlier struct {
	path string   // as git would call it; "" where there is none
	env  []string // as git gave it to us
}

// readEarlier takes the path from the hook's own arguments. Hooks of the first
// version have none: they moved the hook that was there to another name.
func readEarlier(args, env []string) earlier {
	var e earlier
	known, hook := false, ""
	for _, arg := range args {
		if path, ok := strings.CutPrefix(arg, "--earlier="); ok {
			e.path, known = path, true
		}
		if !strings.HasPrefix(arg, "--") {
			break
		}
	}
	for _, pair := range env {
		if path, ok := strings.CutPrefix(pair, "PUSHLANE_HOOK="); ok {
			hook = path
		} else {
			e.env = append(e.env, pair)
		}
	}
	if !known && hook != "" {
		e.path = hook + ".pushlane-kept"
	}
	return e
}

// maxNested is how many hooks of ours may run in one another. A hook that was
// there may push or commit itself; one that calls the hook of the repository
// would never end.
const maxNested = 8

// run runs the hook with what git gave us: its own name, arguments, input and
// environment. Its status is final unless it is 0.
func (e earlier) run(args []string, stdin []byte) (code int) {
	info, err := os.Stat(e.path)
	if e.path == "" || err != nil || info.Mode()&0o111 == 0 || info.IsDir() {
		return 0 // git would pass over it, too
	}
	if nested() > maxNested {
		return fail("cannot run the hook "+e.path+": it calls itself",
			"take the call of the repository's own hook out of "+e.path)
	}
	err = e.start(e.path, args[1:], args[0], stdin)
	if errors.Is(err, syscall.ENOEXEC) { // git has the shell run what does not say what runs it
		err = e.start("/bin/sh", append([]string{e.path}, args[1:]...), args[0], stdin)
	}
	if exit := new(exec.ExitError); errors.As(err, &exit) && exit.ExitCode() >= 0 {
		return exit.ExitCode()
	}
	if err != nil {
		return fail("cannot run the hook "+e.path+": "+err.Error(), "fix or remove that file")
	}
	return 0
}

func (e earlier) start(path string, args []string, gate string, stdin []byte) error {
	if !strings.Contains(path, "/") {
		path = "./" + path
	}
	cmd := exec.CommandContext(context.Background(), path, args...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = e.env, os.Stdin, os.Stdout, os.Stderr
	if reads(gate) {
		cmd.Stdin = strings.NewReader(string(stdin))
	}
	return cmd.Run()
}

// nested counts the processes above this one that are hooks of ours.
func nested() int {
	self, err := os.Executable()
	if err != nil {
		return 0
	}
	n := 0
	for pid := strconv.Itoa(os.Getppid()); pid != "0" && pid != ""; {
		if exe, err := os.Readlink("/proc/" + pid + "/exe"); err == nil && filepath.Clean(exe) == self {
			n++
		}
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			break
		}
		text := string(stat)
		fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		if len(fields) < 2 {
			break
		}
		pid = fields[1]
	}
	return n
}
