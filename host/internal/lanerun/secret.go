package lanerun

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/own"
	"github.com/pushlane/pushlane/host/internal/problem"
)

const (
	maxSecret = 64 << 10 // bytes
	minSecret = 6        // bytes: shorter ones cannot be masked in logs
)

// secret reads a secret of this host for a lane run that may use it. Its bytes
// go into a container or a request's header, and out of nothing that a plugin
// or a person reads.
func (l *access) secret(name string) ([]byte, error) {
	if !l.permits.reaches("secret", name) {
		return nil, l.outside("secret", name)
	}
	value, err := ReadSecret(l.policy().Secrets, name)
	if err != nil {
		return nil, problem.WithHint(fmt.Errorf("cannot read secret %q: %w", name, err),
			fmt.Sprintf("write it to %s/%s, readable only by this host (chmod 600)", l.policy().Secrets, name))
	}
	l.mask(value)
	return value, nil
}

// ReadSecret reads a file that no one else can read. The name is one that a
// lanes file may hold: no path.
func ReadSecret(dir, name string) ([]byte, error) {
	if err := own.Check(filepath.Join(dir, name)); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe does not hold the lane up
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a file")
	case info.Mode().Perm()&0o077 != 0 || ok && int(stat.Uid) != os.Geteuid():
		return nil, errors.New("others can read it")
	}
	data, err := bounded.ReadAll(f, maxSecret)
	if err != nil {
		return nil, err
	}
	text := strings.TrimRight(string(data), "\r\n")
	if len(text) < minSecret {
		return nil, fmt.Errorf("it has %d bytes, want %d to %d", len(text), minSecret, maxSecret)
	}
	return []byte(text), nil
}

// mask keeps a secret out of what this lane run says from now on.
func (l *access) mask(value []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(string(value)) { // logs are lines
		if line = strings.TrimSpace(line); len(line) >= minSecret && !slices.Contains(l.masked, line) {
			l.masked = append(l.masked, line)
		}
	}
}

// unmasked removes secrets from text. It is for the output of containers that
// were given them: it prevents accidents, not attacks, because a program that has
// the bytes can write them backwards.
func (l *access) unmasked(text string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, secret := range l.masked {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}

// containerSecrets are the secrets a container asks for, by name.
func (l *access) containerSecrets(names []string) (map[string][]byte, error) {
	if len(names) == 0 {
		return nil, nil
	}
	l.dependsOutside("it uses secrets")
	all := map[string][]byte{}
	for _, name := range names {
		value, err := l.secret(name)
		if err != nil {
			return nil, err
		}
		all[name] = value
	}
	return all, nil
}
