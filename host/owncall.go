package host

import (
	"context"
	"os"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/store"
)

// queuedCall is the call that a waiting run is the answer to.
func queuedCall(run store.Run) gate.Call {
	return ownCall(run.Gate, run.RepoKey)
}

// ownCall is a call that no hook made: this process's own git looks at the
// repository.
func ownCall(name, repo string) gate.Call {
	return gate.Call{Gate: name, Dir: repo, Env: []string{"GIT_DIR=" + repo, "PATH=" + os.Getenv("PATH"),
		"HOME=" + os.Getenv("HOME")}}
}

// OpenRepo opens a repository that this host guards, by its key in the store;
// release gives it back.
func (h *Host) OpenRepo(ctx context.Context, key string) (*hooks.Repo, func(), error) {
	return h.repo(ctx, ownCall("manual", key))
}
