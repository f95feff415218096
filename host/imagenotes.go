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
)

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
