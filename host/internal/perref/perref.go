// Package perref carries the verdict about each ref of a push from pre-receive to
// proc-receive.
package perref

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/durable"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/store"
)

// git takes what pre-receive refuses as a whole: one bad ref keeps the good
// ones out, and every ref is reported with the same words. Where a repository
// was installed with --per-ref, pre-receive lets a push of good and bad refs
// through and leaves its verdict here; proc-receive, which git asks about
// every ref before it moves any, gives it back word by word. A push of which
// nothing is good is still refused in pre-receive, so that nothing stays.

// refVerdict is what pre-receive leaves for proc-receive.
type refVerdict struct {
	Lines   []string          // "<old> <new> <ref>", sorted
	Refused map[string]string // reason by ref
}

func verdictLines(updates []hooks.Update) []string {
	var lines []string
	for _, u := range updates {
		lines = append(lines, u.Old+" "+u.New+" "+u.Named())
	}
	slices.Sort(lines)
	return lines
}

// Leave stores the answer for proc-receive, and reports whether git may
// continue to it: if at least one ref is accepted.
func Leave(state string, j gate.Run) (goOn bool, err error) {
	v := refVerdict{Lines: verdictLines(j.Pushed), Refused: map[string]string{}}
	on := j.Verdicts()
	for i, p := range j.Updates {
		if on.ExitOf(i) != gate.ExitAccept {
			v.Refused[p.Named()] = strings.Join(on.Against(i), ", ") + fmt.Sprintf(" (run #%d)", j.Number)
		}
	}
	if len(v.Refused) == len(j.Pushed) {
		return false, nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return false, err
	}
	path := verdictPath(state, j.Asked.Process)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, fmt.Errorf("cannot store the verdict: %w", err)
	}
	if err := durable.Replace(path, data, 0o600); err != nil {
		return false, fmt.Errorf("cannot store the verdict: %w", err)
	}
	return true, nil
}

// LetThrough notes the refs that go in although others of their push do not.
func LetThrough(j *gate.Run) []store.Change {
	if !j.PerRef || j.Exit() == gate.ExitAccept {
		return nil
	}
	var all []store.Change
	v := j.Verdicts()
	for i, p := range j.Updates {
		if v.ExitOf(i) == gate.ExitAccept {
			all = append(all, store.Event{Kind: store.LetThrough, Message: p.Ref})
		}
	}
	return all
}

// verdictPath is named after the push: the process that runs all its hooks.
func verdictPath(state, process string) string {
	sum := sha256.Sum256([]byte(process))
	return filepath.Join(state, "verdicts", hex.EncodeToString(sum[:12]))
}

// ProcReceive answers git for a repository that was installed with --per-ref.
// Without a verdict for exactly this push every ref is refused.
func ProcReceive(call gate.Call, p config.Policy, in io.Reader, out io.Writer) error {
	path := verdictPath(p.State, call.Getenv("PUSHLANE_PUSH"))
	defer os.Remove(path)
	return hooks.ProcReceive(in, out, func(updates []hooks.Update) (map[string]string, error) {
		v, err := readVerdict(path)
		if err == nil && !slices.Equal(v.Lines, verdictLines(updates)) {
			err = errors.New("the push is not the one that was judged")
		}
		if err == nil {
			return v.Refused, nil
		}
		all := map[string]string{}
		for _, u := range updates {
			all[u.Ref] = "pushlane cannot decide: " + printable.FirstLine(printable.Clean(err.Error()))
		}
		return all, nil
	})
}

func readVerdict(path string) (refVerdict, error) {
	var v refVerdict
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return v, errors.New("pre-receive stored no verdict for this push")
	}
	if err != nil {
		return v, err
	}
	return v, json.Unmarshal(data, &v)
}
