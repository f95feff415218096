//go:build !linux

package sandbox

import "syscall"

// limit has no means here.
func limit(setup) error { return nil }

// confine has no means here, and says so.
func confine(string, bool) ([]string, error) {
	return []string{"landlock", "seccomp", "memory limit"}, nil
}

func seal() ([]string, error) { return nil, nil }

// apart is the one way to start a child here.
func apart() []syscall.SysProcAttr { return []syscall.SysProcAttr{{Setpgid: true}} }

// together has nothing to add to what confine says.
func together() []string { return nil }

// attempt is a call that would reach beyond the process; none is known here.
type attempt struct{ what string }

func (attempt) make() string { return "" }

func attempts(int) []attempt { return nil }

func condition(int) string { return "" }
