package hooks

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ZeroID is the object id git writes for "nothing": the old value of a new
// ref, the new value of a deleted one, and here also the empty tree.
const ZeroID = "0000000000000000000000000000000000000000"

// Limits of the standard input of a hook. A push beyond them is refused; nothing is
// cut off.
const (
	maxUpdateLine = 64 << 10
	maxUpdates    = 100_000
	// MaxRefLines is what all lines of one push may take, in bytes: several
	// times what maxUpdates refs of usual names do.
	MaxRefLines = 64 << 20
)

// Update is one ref that a push changes.
type Update struct {
	Ref      string // the receiver's ref, "refs/heads/main"
	Alias    string // the symbolic ref that was named, where Ref is what it ends at; "" otherwise; filled by Received
	LocalRef string // what the pusher named, "refs/heads/main" or "HEAD~1"; pre-push only, "(delete)" for a deletion
	Old      string // id the receiver's ref has, ZeroID when it is new
	New      string // id it is to get, as pushed (a tag's own id); ZeroID when it is deleted
	Base     string // id of the commit the changes are counted from, ZeroID for the empty tree; filled by SetBase
	Forced   bool   // the old commit is not an ancestor of the new one, or is not known here; filled by SetBase
	Delete   bool   // the ref goes away: there is nothing to judge
}

// InputError is why the lines that a hook received cannot be used.
type InputError struct {
	Gate string
	Line int // from 1
	Msg  string
	Over bool // a limit was passed: git sent what is not malformed
}

func (e *InputError) Error() string {
	return fmt.Sprintf("cannot read git's ref lines: line %d: %s", e.Line, e.Msg)
}

// Hint says how to push within the limits; empty if none was exceeded.
func (e *InputError) Hint() string {
	if !e.Over {
		return ""
	}
	return "push fewer refs at once, with shorter names: git push origin main"
}

// ReadUpdates reads every ref line that git passes to a hook on standard input:
// "<local ref> <local id> <remote ref> <remote id>" at gate pre-push, "<old id> <new
// id> <ref>" at pre-receive and post-receive. Anything else is an *InputError, so
// that no ref remains unjudged. Without lines there are no updates and no error.
func ReadUpdates(r io.Reader, gate string) ([]Update, error) {
	parse, err := lineParser(gate)
	if err != nil {
		return nil, err
	}
	var updates []Update
	seen := make(map[string]bool)
	br := bufio.NewReaderSize(r, maxUpdateLine)
	for n, left := 1, MaxRefLines; ; n++ {
		line, err := br.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			return updates, nil
		}
		over := errors.Is(err, bufio.ErrBufferFull)
		u, msg, err := readLine(line, err, parse)
		if err != nil {
			return nil, fmt.Errorf("cannot read git's ref lines: %w", err)
		}
		left -= len(line)
		switch {
		case msg != "":
		case left < 0:
			over, msg = true, fmt.Sprintf("longer than %d MiB with the lines before it", MaxRefLines>>20)
		case seen[u.Ref]:
			msg = fmt.Sprintf("ref %q is named twice", u.Ref)
		case len(updates) == maxUpdates:
			over, msg = true, fmt.Sprintf("more than %d refs in one push", maxUpdates)
		}
		if msg != "" {
			return nil, &InputError{Gate: gate, Line: n, Msg: msg, Over: over}
		}
		seen[u.Ref] = true
		updates = append(updates, u)
	}
}

func lineParser(gate string) (func(string) (Update, string), error) {
	switch gate {
	case "pre-push":
		return parsePrePush, nil
	case "pre-receive", "post-receive":
		return parseReceive, nil
	}
	return nil, fmt.Errorf("cannot read ref updates at gate %q: git passes it none", gate)
}

// readLine turns one read into an update, a complaint about its text, or the
// error of the stream.
func readLine(line []byte, err error, parse func(string) (Update, string)) (Update, string, error) {
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return Update{}, fmt.Sprintf("longer than %d bytes", maxUpdateLine), nil
	case err == io.EOF:
		return Update{}, "the input ends in the middle of a line", nil
	case err != nil:
		return Update{}, "", err
	}
	u, msg := parse(string(line[:len(line)-1]))
	return u, msg, nil
}

// parsePrePush splits from the right: the local side is whatever the pusher
// typed and may hold spaces ("HEAD@{2 days ago}"), the other three cannot.
func parsePrePush(line string) (Update, string) {
	rest, oldID, ok1 := cutLast(line)
	rest, ref, ok2 := cutLast(rest)
	local, newID, ok3 := cutLast(rest)
	if !ok1 || !ok2 || !ok3 {
		return Update{}, `want "<local ref> <local id> <remote ref> <remote id>", got ` + quote(line)
	}
	if msg := checkText(local); msg != "" {
		return Update{}, "local ref " + msg
	}
	return newUpdate(ref, local, oldID, newID)
}

func parseReceive(line string) (Update, string) {
	f := strings.Split(line, " ")
	if len(f) != 3 {
		return Update{}, `want "<old id> <new id> <ref>", got ` + quote(line)
	}
	return newUpdate(f[2], "", f[0], f[1])
}

func newUpdate(ref, local, oldID, newID string) (Update, string) {
	for _, id := range []string{oldID, newID} {
		if msg := checkID(id); msg != "" {
			return Update{}, msg
		}
	}
	if msg := checkRef(ref); msg != "" {
		return Update{}, msg
	}
	u := Update{Ref: ref, LocalRef: local, Old: oldID, New: newID, Delete: newID == ZeroID}
	if u.Delete {
		u.Base = ZeroID
	}
	return u, ""
}

func checkID(id string) string {
	switch {
	case isHex(id) && len(id) == len(ZeroID):
		return ""
	case isHex(id) && len(id) == 64:
		return "object ids are SHA-256; only SHA-1 repositories can be judged"
	}
	return "not an object id: " + quote(id)
}

func checkRef(ref string) string {
	if ref != "HEAD" && (!strings.HasPrefix(ref, "refs/") || len(ref) == len("refs/")) {
		return "not a full ref name: " + quote(ref)
	}
	if notAllowed(ref) {
		return "not a ref name git allows: " + quote(ref)
	}
	if msg := checkText(ref); msg != "" {
		return "ref " + msg
	}
	return ""
}

// notAllowed is git check-ref-format's rule. git gives a hook also the names
// that it refuses itself afterwards, and a name with ".." in it would be read
// somewhere else.
func notAllowed(ref string) bool {
	if strings.ContainsAny(ref, " ~^:?*[\\") || strings.Contains(ref, "..") || strings.Contains(ref,
		"@{") || strings.HasSuffix(ref, ".") {
		return true
	}
	for part := range strings.SplitSeq(ref, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") {
			return true
		}
	}
	return false
}

// Named is the ref as the push named it.
func (u Update) Named() string {
	if u.Alias != "" {
		return u.Alias
	}
	return u.Ref
}

func checkText(s string) string {
	if s == "" {
		return "is empty"
	}
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 0x7f {
			return "holds a control character: " + quote(s)
		}
	}
	return ""
}

func isHex[T string | []byte](s T) bool {
	for i := 0; i < len(s); i++ {
		if (s[i] < '0' || s[i] > '9') && (s[i] < 'a' || s[i] > 'f') {
			return false
		}
	}
	return len(s) > 0
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, ' ')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// quote shows hostile text in a message: escaped, and never more than a line.
func quote(s string) string {
	if len(s) > 200 {
		s = s[:200] + "..."
	}
	return fmt.Sprintf("%q", s)
}
