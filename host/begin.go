package host

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/images"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/record"
	"github.com/pushlane/pushlane/host/internal/store"
)

// begin records the run that a call asks for; see startRun.
func (h *Host) begin(ctx context.Context, repo *hooks.Repo, j *gate.Run) (*record.Recorder, error) {
	st, err := h.Store(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.markAlive(); err != nil {
		return nil, err
	}
	if !h.resident { // which looks for them itself
		if _, err := (upkeep{h}).endAbandoned(ctx); err != nil {
			return nil, err
		}
	}
	if err := record.FindAddress(ctx, st, j); err != nil {
		return nil, err
	}
	if j.Gate == "pre-receive" {
		h.imageNotes(ctx, repo, j)
	}
	if j.Bypasses, err = gate.Bypasses(ctx, st, repo, j); err != nil {
		return nil, err
	}
	return record.Begin(ctx, st, repo, j, func(run store.Run) (release func()) {
		h.files.NoteRun(st, run.ID)
		return h.held.Hold(run.ID)
	}), nil
}

// lookTime is how long a push that changes lanes waits to hear of their images.
const lookTime = 5 * time.Second

// imageNotes adds a note to updates that bring lanes whose images this host lacks:
// their author hears of it now, and not whoever pushes next. What cannot be found
// out is not said here: a lane that needs the image says it.
func (h *Host) imageNotes(ctx context.Context, repo *hooks.Repo, j *gate.Run) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	for k := range j.Updates {
		u := &j.Updates[k]
		if !u.OtherLanes || u.Refusal != "" || hooks.IsZero(u.New) {
			continue
		}
		pushed, err := gate.PushedLanes(ctx, repo, u.New)
		if err != nil {
			continue
		}
		lock, err := pushed.Lock(ctx, repo)
		if err != nil {
			continue
		}
		client, err := h.incusClient(ctx, j.Policy)
		if err != nil {
			return
		}
		ref := printable.Clean(strings.TrimPrefix(u.Ref, "refs/heads/"))
		for _, l := range images.New(client, j.Policy).Look(ctx, pushed.Set, lock) {
			if words := imageNote(ref, l); words != "" && ctx.Err() == nil {
				u.Notes = append(u.Notes, words)
			}
		}
	}
}

// imageNote is the note about one image; "" where it is here or comes when needed.
func imageNote(ref string, l images.Looked) string {
	name := printable.Clean(l.Image)
	switch {
	case l.Err != nil && problem.Hint(l.Err) != "":
		return fmt.Sprintf("%s: lane %s cannot run here: %s; %s", ref, l.Lane, printable.Clean(l.Err.Error()),
			printable.Clean(problem.Hint(l.Err)))
	case l.Err != nil:
		return fmt.Sprintf("%s: lane %s cannot run here: %s", ref, l.Lane, printable.Clean(l.Err.Error()))
	case l.Fingerprint == "" && strings.HasPrefix(l.Later, "pulled"):
		return fmt.Sprintf("%s: this host does not have image %s of lane %s yet: it is %s", ref, name, l.Lane, l.Later)
	}
	return ""
}
