// Package own reports whether others may change a file: users other than root and
// the user that this process runs as. Files that decide about pushes are read only
// if they may not, like the keys of sshd (StrictModes).
package own

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Error says how others may change a file.
type Error struct {
	At     string // which they may write: the file, or a folder above it
	Asked  bool   // At is the file that was asked about
	Detail string // "mode 0666"
	hint   string
}

func (e *Error) Error() string {
	if e.Asked {
		return fmt.Sprintf("others may write it (%s)", e.Detail)
	}
	return fmt.Sprintf("others may write %s, which leads to it (%s)", e.At, e.Detail)
}

// Hint is the command that takes the right away.
func (e *Error) Hint() string { return e.hint }

// maxLinks is how many symbolic links lead to a file at most, as in Linux.
const maxLinks = 40

// Check gives an *Error where others may change a file or folder, or what its
// path leads to: by its own mode or owner, those of a folder above it, or of a
// symbolic link on the way. Folders in which all users may make files and none
// may remove those of others (/tmp) are on the way of many, and good. A file
// that is not there is good where all that leads to it is. Nothing is opened.
func Check(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	w := walk{asked: path, at: "/", rest: strings.Split(path, "/")}
	if err := w.look(false); err != nil {
		return w.answer(err)
	}
	for len(w.rest) > 0 {
		if err := w.step(); err != nil {
			return w.answer(err)
		}
	}
	return w.answer(w.look(true))
}

// walk goes a path as the kernel does.
type walk struct {
	asked string
	at    string   // a folder without links
	rest  []string // of the way
	links int
}

func (w *walk) answer(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// step goes one name further.
func (w *walk) step() error {
	name := w.rest[0]
	w.rest = w.rest[1:]
	switch name {
	case "", ".":
		return nil
	case "..":
		w.at = filepath.Dir(w.at)
		return nil
	}
	next := filepath.Join(w.at, name)
	info, err := os.Lstat(next)
	if err != nil {
		return err
	}
	if info.Mode().Type() == fs.ModeSymlink {
		return w.follow(next, info)
	}
	w.at = next
	if len(w.rest) > 0 {
		return w.judge(info, false)
	}
	return nil
}

func (w *walk) follow(link string, info fs.FileInfo) error {
	if w.links++; w.links > maxLinks {
		return fmt.Errorf("%s: %w", w.asked, syscall.ELOOP)
	}
	if err := w.owner(link, info); err != nil {
		return err
	}
	target, err := os.Readlink(link)
	if err != nil {
		return err
	}
	if filepath.IsAbs(target) {
		w.at = "/"
	}
	w.rest = append(strings.Split(target, "/"), w.rest...)
	return nil
}

func (w *walk) look(end bool) error {
	info, err := os.Lstat(w.at)
	if err != nil {
		return err
	}
	return w.judge(info, end)
}

// judge looks at what is at w.at; end is whether it is what was asked about, and
// not on the way.
func (w *walk) judge(info fs.FileInfo, end bool) error {
	if err := w.owner(w.at, info); err != nil {
		return err
	}
	mode := info.Mode()
	shared := !end && mode&fs.ModeSticky != 0
	if mode.Perm()&0o022 == 0 || shared || mode&fs.ModeCharDevice != 0 { // writing to /dev/null changes nothing
		return nil
	}
	return w.wrong(w.at, fmt.Sprintf("mode %04o", mode.Perm()), "chmod go-w "+quote(w.at))
}

// owner looks whose a file is. Its owner may change its mode at any time.
func (w *walk) owner(path string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s has no owner", path)
	}
	if stat.Uid == 0 || int(stat.Uid) == os.Geteuid() {
		return nil
	}
	return w.wrong(path, "it belongs to "+nameOf(int(stat.Uid)), "chown -h "+nameOf(os.Geteuid())+" "+quote(path))
}

func (w *walk) wrong(at, detail, hint string) error {
	return &Error{At: at, Asked: at == w.asked, Detail: detail, hint: hint}
}

func nameOf(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// quote is for a shell.
func quote(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@%", r)
	}
	if strings.TrimLeftFunc(path, plain) == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
