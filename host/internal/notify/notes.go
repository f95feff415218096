package notify

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/runjson"
	"github.com/pushlane/pushlane/host/internal/store"
)

// NotesRef is the ref of the verdicts as git notes, one JSON line per lane.
const NotesRef = "refs/notes/pushlane"

// Note is one line.
type Note struct {
	Run     string    `json:"run"` // "app@1a2b3c4:lane"
	Number  int64     `json:"number"`
	Gate    string    `json:"gate"`
	Ref     string    `json:"ref"`
	Commit  string    `json:"commit"`
	Lane    string    `json:"lane"`
	Verdict string    `json:"verdict"`
	Attempt int       `json:"attempt"`
	Digest  string    `json:"plugin_digest,omitempty"`
	Image   string    `json:"image,omitempty"`
	Lanes   string    `json:"lanes_rev,omitempty"` // commit whose lanes file judged; "" the host's own
	Guarded bool      `json:"protected"`           // a protected ref was judged, by protected lanes
	Started time.Time `json:"started,omitzero"`    // the lane
	Millis  int64     `json:"millis"`
	Host    string    `json:"host"`
	// SSH signature (namespace pushlane-note) of the line without it, base64; always last
	Sig string `json:"sig,omitempty"`
}

// key identifies a line, however often a verdict is sent. The time distinguishes
// runs that have the same number in another database.
func (n Note) key() string {
	return fmt.Sprint(n.Number, " ", n.Started.UnixMilli(), " ", n.Attempt, " ", n.Lane, " ", n.Ref)
}

// writeNotes adds the verdicts of a run to the notes of its commits. One that
// cannot have a note does not keep the others from theirs.
func (t *Teller) writeNotes(ctx context.Context, id int64) error {
	run, err := t.runOf(ctx, id)
	if err != nil {
		return err
	}
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	var failed []error
	for i, u := range run.Updates {
		lanes := slices.DeleteFunc(store.Latest(run.Lanes), func(l store.LaneRun) bool { return max(0, l.Update) != i })
		if len(lanes) == 0 || isZero(u.New) {
			continue
		}
		if err := t.noteUpdate(ctx, run, u, lanes, name); err != nil {
			failed = append(failed, fmt.Errorf("cannot note %s: %w", u.New, err))
		}
	}
	return worst(failed)
}

// worst is the failure that decides whether there is another attempt: one that
// another attempt may fix.
func worst(failed []error) error {
	if i := slices.IndexFunc(failed, troubled); i >= 0 {
		return failed[i]
	}
	if i := slices.IndexFunc(failed, func(err error) bool { return errors.As(err, new(missingError)) }); i >= 0 {
		return failed[i]
	}
	return errors.Join(failed...)
}

func (t *Teller) noteUpdate(ctx context.Context, run store.Run, u store.Update, lanes []store.LaneRun,
	host string) error {
	commit, err := commitOf(ctx, run.RepoKey, u.New)
	if err != nil {
		return err
	}
	var notes []Note
	for _, l := range lanes {
		notes = append(notes, Note{Run: fmt.Sprintf("%s@%s:%s", run.RepoName, commit[:7], l.Lane), Number: run.Number,
			Gate: run.Gate, Ref: u.Ref,
			Commit: commit, Lane: l.Lane, Verdict: string(l.State), Attempt: l.Attempt, Digest: l.Digest, Image: l.Image,
			Lanes: u.LanesRev, Guarded: run.ProtectedLanes(u), Started: runjson.UTC(l.Started), Millis: millis(l), Host: host})
	}
	lines, err := t.lines(notes)
	if err != nil {
		return err
	}
	return addNote(ctx, run.RepoKey, commit, lines)
}

// millis is how long a lane run took, 0 where it did not run to its end.
func millis(l store.LaneRun) int64 {
	if l.Started.IsZero() || l.Ended.IsZero() {
		return 0
	}
	return max(0, l.Ended.Sub(l.Started).Milliseconds())
}

// lines writes notes, signed where there is a key.
func (t *Teller) lines(notes []Note) ([]string, error) {
	var lines []string
	for _, n := range notes {
		if t.config.NotesKey != "" {
			sig, err := sshSign(t.config.NotesKey, mustJSON(n))
			if err != nil {
				return nil, err
			}
			n.Sig = base64.StdEncoding.EncodeToString(sig)
		}
		lines = append(lines, string(mustJSON(n)))
	}
	return lines, nil
}

// mergeLines adds lines that are not there: the same lane of the same run and
// attempt is one line. What others wrote there stays.
func mergeLines(text string, add []string) (merged string, changed bool) {
	have := map[string]bool{}
	var all []string
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" {
			have[noteKey(line)] = true
			all = append(all, line)
		}
	}
	for _, line := range add {
		if key := noteKey(line); !have[key] {
			have[key], changed = true, true
			all = append(all, line)
		}
	}
	return strings.Join(all, "\n") + "\n", changed
}

func noteKey(line string) string {
	var n Note
	if json.Unmarshal([]byte(line), &n) != nil || n.Run == "" {
		return line
	}
	return n.key()
}
