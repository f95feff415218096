package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"
)

// oldKernel names the variable under which this program turns into a command
// that finds the system calls of Landlock and seccomp missing, as on a kernel
// that has neither.
const oldKernel = "PUSHLANE_TEST_OLD_KERNEL"

func withoutProtections(command []string) {
	gone := seccomp.Action(unix.ENOSYS)
	err := seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: seccomp.Policy{
		DefaultAction: seccomp.ActionAllow,
		Syscalls: []seccomp.SyscallGroup{{Action: seccomp.ActionErrno | gone,
			Names: []string{"landlock_create_ruleset", "seccomp"}}},
	}})
	os.Unsetenv(oldKernel)
	if err == nil {
		err = syscall.Exec(command[0], command, os.Environ())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// TestUnsealed: where the system cannot hold a plugin's process as it should,
// every push and doctor say so.
func TestUnsealed(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	plugins := t.TempDir() // doctor loads all of a folder
	files, err := os.ReadFile(filepath.Join(prefix, "lib", "pushlane", "plugins", "files.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(plugins, "files.wasm"), string(files))
	env := []string{"HOME=" + dir, "PUSHLANE_PLUGINS=" + plugins, "PUSHLANE_RESIDENT=off", "PUSHLANE_CONFIG=/dev/null",
		"PUSHLANE_CACHE=" + filepath.Join(prefix, "cache")}
	must(t, dir, env, "git", "init", "-q", "-b", "main", ".")
	write(t, filepath.Join(dir, "lanes.toml"), "version = 1\n[[lane]]\nid = \"files\"\nplugin = \"files\"\n")
	must(t, dir, env, "git", "add", "lanes.toml")
	must(t, dir, env, "git", "commit", "-q", "-m", "lanes")
	// root has process namespaces; others may be without
	const said = `plugins run without landlock(, process namespaces)? and seccomp, which this system does not have`
	for _, test := range []struct {
		args        []string
		here, there string // what it says on this kernel and on the old one
	}{
		{[]string{"run", "--fresh", "--range", "HEAD"}, "passed     files",
			"pushlane: warning: " + said + "\npushlane: hint: boot a Linux kernel"},
		{[]string{"doctor"}, "ok    sandbox   plugins run in separate processes, confined by landlock and seccomp",
			"FAIL  sandbox   " + said},
	} {
		here, _ := try(dir, env, pushlaneBin(), test.args...)
		if !strings.Contains(here, test.here) || strings.Contains(here, "plugins run without") {
			t.Errorf("%v here:\n%s", test.args, here)
		}
		there, _ := try(dir, append(env, oldKernel+"=1"), program, append([]string{pushlaneBin()}, test.args...)...)
		if !regexp.MustCompile(test.there).MatchString(there) {
			t.Errorf("%v on an old kernel:\n%s", test.args, there)
		}
	}
}
