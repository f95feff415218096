package notify

import (
	"bytes"
	"fmt"
	"os"
	"syscall"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// sshSign makes the armored SSH signature of a note. The key's file is read
// anew each time, so that another key counts at once.
func sshSign(keyFile string, text []byte) ([]byte, error) {
	signer, err := readKey(keyFile)
	if err != nil {
		return nil, fmt.Errorf("cannot sign: %w", err)
	}
	sig, err := sshsig.Sign(bytes.NewReader(text), signer, sshsig.HashSHA512, noteNamespace)
	if err != nil {
		return nil, fmt.Errorf("cannot sign with %s: %w", keyFile, err)
	}
	return sshsig.Armor(sig), nil
}

// readKey wants a private key that can be used with no one there to type a
// passphrase. As ssh does, it refuses a file of its user that others may read.
func readKey(path string) (ssh.Signer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if mode := info.Mode().Perm(); mode&0o077 != 0 && ok && int(stat.Uid) == os.Getuid() {
		return nil, openKeyError{path, mode}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(data)
	if err != nil {
		return nil, fmt.Errorf("%s is not a private key without a passphrase: %w", path, err)
	}
	return signer, nil
}

// openKeyError is a private key that others may read.
type openKeyError struct {
	path string
	mode os.FileMode
}

func (e openKeyError) Error() string {
	return fmt.Sprintf("%s is a private key that others may read (mode %04o)", e.path, e.mode)
}

// Hint is the command that closes the file.
func (e openKeyError) Hint() string { return "close it to others: chmod 600 " + e.path }

// noteNamespace is what a note's signature is made for, so that it is no
// signature of anything else.
const noteNamespace = "pushlane-note"
