package hooks

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// ProcReceive speaks git's proc-receive protocol, version 1, on a hook's
// standard input and output. Decide returns for every refused ref of the push the
// reason; the other refs are accepted, and git itself updates them. In an atomic
// push one refusal refuses all refs: git would otherwise report the others as a
// failed hook.
//
// Source: git's Documentation/githooks, section proc-receive.
func ProcReceive(in io.Reader, out io.Writer, decide func([]Update) (map[string]string, error)) error {
	scan := pktline.NewScanner(in)
	atomic, options, err := greet(scan, out)
	if err != nil {
		return err
	}
	updates, err := readCommands(scan)
	if err != nil {
		return err
	}
	if options {
		if err := skipSection(scan); err != nil {
			return err
		}
	}
	refused, err := decide(updates)
	if err != nil {
		return err
	}
	if atomic {
		refused = allOrNone(updates, refused)
	}
	return answer(out, updates, refused)
}

// greet exchanges versions: "version=1\0push-options atomic".
func greet(scan *pktline.Scanner, out io.Writer) (atomic, options bool, err error) {
	lines, err := readSection(scan)
	if err != nil || len(lines) == 0 {
		return false, false, protocolError("git sent no version", err)
	}
	version, can, _ := strings.Cut(lines[0], "\x00")
	if version != "version=1" {
		return false, false, protocolError(fmt.Sprintf("git speaks %s", quote(version)), nil)
	}
	reply := "version=1\n"
	for _, c := range strings.Fields(can) {
		atomic = atomic || c == "atomic"
		options = options || c == "push-options"
	}
	if options {
		reply = "version=1\x00push-options\n"
	}
	enc := pktline.NewEncoder(out)
	return atomic, options, errors.Join(enc.EncodeString(reply), enc.Flush())
}

func readCommands(scan *pktline.Scanner) ([]Update, error) {
	lines, err := readSection(scan)
	if over := new(InputError); errors.As(err, &over) {
		return nil, over
	}
	if err != nil {
		return nil, protocolError("git sent no commands", err)
	}
	var updates []Update
	for i, line := range lines {
		u, msg := parseReceive(line)
		if msg != "" {
			return nil, &InputError{Gate: "proc-receive", Line: i + 1, Msg: msg}
		}
		updates = append(updates, u)
	}
	return updates, nil
}

// readSection reads packets up to a flush.
func readSection(scan *pktline.Scanner) ([]string, error) {
	var lines []string
	left := MaxRefLines
	for scan.Scan() {
		if len(scan.Bytes()) == 0 {
			return lines, nil
		}
		left -= len(scan.Bytes())
		msg := ""
		switch {
		case len(lines) == maxUpdates:
			msg = fmt.Sprintf("more than %d refs in one push", maxUpdates)
		case left < 0:
			msg = fmt.Sprintf("longer than %d MiB with the lines before it", MaxRefLines>>20)
		}
		if msg != "" {
			return nil, &InputError{Gate: "proc-receive", Line: len(lines) + 1, Msg: msg, Over: true}
		}
		lines = append(lines, strings.TrimSuffix(string(scan.Bytes()), "\n"))
	}
	return nil, errors.Join(scan.Err(), io.ErrUnexpectedEOF)
}

func skipSection(scan *pktline.Scanner) error {
	if _, err := readSection(scan); err != nil {
		return protocolError("git sent no push options", err)
	}
	return nil
}

func allOrNone(updates []Update, refused map[string]string) map[string]string {
	if len(refused) == 0 {
		return refused
	}
	all := map[string]string{}
	for _, u := range updates {
		if all[u.Ref] = refused[u.Ref]; all[u.Ref] == "" {
			all[u.Ref] = "atomic push: another ref was refused"
		}
	}
	return all
}

func answer(out io.Writer, updates []Update, refused map[string]string) error {
	enc := pktline.NewEncoder(out)
	for _, u := range updates {
		lines := []string{"ok " + u.Ref + "\n", "option fall-through\n"}
		if why := refused[u.Ref]; why != "" {
			lines = []string{"ng " + u.Ref + " " + why + "\n"}
		}
		if err := enc.EncodeString(lines...); err != nil {
			return err
		}
	}
	return enc.Flush()
}

func protocolError(msg string, cause error) error {
	if cause != nil {
		return fmt.Errorf("cannot communicate with git: %s: %w", msg, cause)
	}
	return fmt.Errorf("cannot communicate with git: %s", msg)
}
