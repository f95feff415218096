package host

import (
	"context"
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

// perRef tells whether the call's repository answers per ref; a repository
// that says so and would not ask proc-receive about every ref is a broken gate.
func (c Call) perRef(ctx context.Context) (bool, error) {
	if c.Gate != "pre-receive" || c.Getenv("PUSHLANE_PER_REF") == "" {
		return false, nil
	}
	status, err := hooks.Status(ctx, c.hooksEnv())
	if err != nil {
		return false, err
	}
	for _, s := range status {
		if s.Gate == "proc-receive" && s.State != hooks.Installed {
			return false, hinted(fmt.Errorf("cannot answer per ref: the proc-receive hook is %s", s.State), "pushlane install --server --per-ref REPO.git")
		}
	}
	values, err := hooks.Config(ctx, c.hooksEnv(), hooks.PerRefKey)
	if err == nil && !slices.Equal(values, []string{hooks.PerRefValue}) {
		err = hinted(fmt.Errorf("cannot answer per ref: %s is %q, want %q", hooks.PerRefKey, values, hooks.PerRefValue), "pushlane install --server --per-ref REPO.git")
	}
	return err == nil, err
}

// leaveVerdict writes what proc-receive will say, and tells whether git may go
// on to ask it: when at least one ref goes in.
func (h *Host) leaveVerdict(call Call, j Judgement) (goOn bool, err error) {
	v := refVerdict{Lines: verdictLines(j.to.push), Refused: map[string]string{}}
	on := j.verdicts()
	for i, p := range j.Updates {
		if on.exitOf(i) != ExitAccept {
			v.Refused[p.Named()] = strings.Join(on.against(i), ", ") + fmt.Sprintf(" (run #%d)", j.Number)
		}
	}
	if len(v.Refused) == len(j.to.push) {
		return false, nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return false, err
	}
	path := verdictPath(h.state, call)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, fmt.Errorf("cannot keep the verdict: %w", err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return false, fmt.Errorf("cannot keep the verdict: %w", err)
	}
	return true, nil
}

// letThrough notes the refs that go in although others of their push do not.
func (j *Judgement) letThrough() []store.Change {
	if !j.perRef || j.Exit() == ExitAccept {
		return nil
	}
	var all []store.Change
	v := j.verdicts()
	for i, p := range j.Updates {
		if v.exitOf(i) == ExitAccept {
			all = append(all, store.Event{Kind: store.LetThrough, Message: p.Ref})
		}
	}
	return all
}

// verdictPath is named after the push: the process that runs all its hooks.
func verdictPath(state string, call Call) string {
	sum := sha256.Sum256([]byte(call.Getenv("PUSHLANE_PUSH")))
	return filepath.Join(state, "verdicts", hex.EncodeToString(sum[:12]))
}

// ProcReceive answers git for a repository that was installed with --per-ref.
// Without a verdict for exactly this push every ref is refused.
func ProcReceive(call Call, p Policy, in io.Reader, out io.Writer) error {
	path := verdictPath(p.State, call)
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
			all[u.Ref] = "pushlane cannot decide: " + firstLine(Clean(err.Error()))
		}
		return all, nil
	})
}

func readVerdict(path string) (refVerdict, error) {
	var v refVerdict
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return v, errors.New("no verdict was left for this push")
	}
	if err != nil {
		return v, err
	}
	return v, json.Unmarshal(data, &v)
}
