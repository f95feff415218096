// Package secret stores the secrets of a host: a file each in one folder,
// encrypted with a key that is in a file of its own. Copies of the folder, such as
// backups, show names and lengths only. Who can read both files reads the secrets.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/durable"
	"github.com/pushlane/pushlane/host/internal/own"
	"github.com/pushlane/pushlane/host/internal/problem"
)

// Sizes of a secret, in bytes.
const (
	Max = 64 << 10
	Min = 6 // shorter ones cannot be masked in logs
)

// Store is a folder of secrets.
type Store struct {
	Dir string
	Key string // file of the key, 64 hexadecimal digits; it is made with the first secret
}

// Entry is one secret as ls shows it.
type Entry struct {
	Name      string
	Encrypted bool // false: a file that was written by hand
}

// header begins an encrypted file: nonce and ciphertext follow, AES-256-GCM with
// the name as additional data, so that no file can take the place of another.
const header = "pushlane-secret 1\n"

var nameForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// CheckName refuses what a lanes file could not grant.
func CheckName(name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%q is not a name: it has letters, digits and _, at most 64, and does not begin with a digit",
			short(name))
	}
	return nil
}

func short(name string) string { return name[:min(len(name), 80)] }

// Read gives a secret without the line breaks at its end.
func (s Store) Read(name string) ([]byte, error) {
	data, err := readPrivate(s.Dir, name, Max+256)
	if errors.As(err, new(*bounded.Error)) {
		err = &bounded.Error{Limit: Max}
	}
	if err != nil {
		return nil, err
	}
	if sealed, ok := strings.CutPrefix(string(data), header); ok {
		if data, err = s.open(name, []byte(sealed)); err != nil {
			return nil, err
		}
	} else if len(data) > Max {
		return nil, &bounded.Error{Limit: Max}
	}
	return trimmed(data)
}

// trimmed is a value as it is used; an error where it cannot be masked.
func trimmed(data []byte) ([]byte, error) {
	text := strings.TrimRight(string(data), "\r\n")
	if len(text) < Min || len(text) > Max {
		return nil, fmt.Errorf("it has %d bytes, want %d to %d", len(text), Min, Max)
	}
	return []byte(text), nil
}

// readPrivate reads a file that no one else can read or write.
func readPrivate(dir, name string, most int64) ([]byte, error) {
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
	return bounded.ReadAll(f, most)
}

// Set stores a secret, encrypted, in place of what had its name.
func (s Store) Set(name string, value []byte) error {
	value, err := trimmed(value)
	if err != nil {
		return err
	}
	if err := CheckName(name); err != nil {
		return err
	}
	if err := own.Check(s.Dir); err != nil {
		return err
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return s.elsewhere(err)
	}
	sealer, err := s.sealer()
	if errors.Is(err, fs.ErrNotExist) {
		if err = s.makeKey(); err == nil {
			sealer, err = s.sealer()
		}
	}
	if err != nil {
		return err
	}
	sealed := sealer.Seal([]byte(header), nil, value, additional(name))
	return s.elsewhere(durable.Write(filepath.Join(s.Dir, name), sealed))
}

// elsewhere says how to choose a folder that this user may write.
func (s Store) elsewhere(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return problem.WithHint(err, "run it as the user of this host, or name another folder with `secrets` in "+
			"~/.config/pushlane/config.toml")
	}
	return err
}

func additional(name string) []byte { return []byte("pushlane secret " + name) }

// open decrypts what Set stored.
func (s Store) open(name string, sealed []byte) ([]byte, error) {
	sealer, err := s.sealer()
	if err != nil {
		return nil, err
	}
	data, err := sealer.Open(nil, nil, sealed, additional(name))
	if err != nil {
		return nil, fmt.Errorf("it was not encrypted under this name with the key in %s, or was changed", s.Key)
	}
	return data, nil
}

// sealer reads the key.
func (s Store) sealer() (cipher.AEAD, error) {
	text, err := readPrivate(filepath.Dir(s.Key), filepath.Base(s.Key), 256)
	if err != nil {
		return nil, fmt.Errorf("cannot read the key %s: %w", s.Key, err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("the key %s is not 64 hexadecimal digits", s.Key)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// makeKey writes a new key whole; one that is there by then counts.
func (s Store) makeKey() error {
	old, err := s.List()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(old, func(e Entry) bool { return e.Encrypted }) {
		return problem.WithHint(fmt.Errorf("the key %s is gone, and %s has secrets that it encrypted", s.Key, s.Dir),
			"restore the key, or remove these secrets: pushlane secret ls; pushlane secret rm NAME")
	}
	var key [32]byte
	rand.Read(key[:])
	dir := filepath.Dir(s.Key)
	f, err := os.CreateTemp(dir, ".key-*")
	if err != nil {
		return s.elsewhere(err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(hex.EncodeToString(key[:]) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), s.Key); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// List gives the secrets by name; none where there is no folder.
func (s Store) List() ([]Entry, error) {
	files, err := os.ReadDir(s.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []Entry
	for _, f := range files {
		if !nameForm.MatchString(f.Name()) || f.IsDir() {
			continue
		}
		all = append(all, Entry{f.Name(), s.encrypted(f.Name())})
	}
	return all, nil
}

// encrypted reports whether a file begins as Set writes it.
func (s Store) encrypted(name string) bool {
	f, err := os.OpenFile(filepath.Join(s.Dir, name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	head, err := bounded.Head(f, int64(len(header)))
	return err == nil && string(head) == header
}

// Remove deletes a secret; fs.ErrNotExist: there is none.
func (s Store) Remove(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	return s.elsewhere(os.Remove(filepath.Join(s.Dir, name)))
}
