package host

import (
	"context"

	"github.com/pushlane/pushlane/hooks"
)

// Guard notes that this host guards the repository of env, so that its page
// and its nightly lanes are there before the first push. It returns its name.
func (h *Host) Guard(ctx context.Context, env hooks.Env) (string, error) {
	repo, err := hooks.Open(ctx, env)
	if err != nil {
		return "", err
	}
	defer repo.Close()
	st, err := h.Store(ctx)
	if err != nil {
		return "", err
	}
	name := h.policy.RepositoryTitle(repo)
	return name, st.Repositories().Register(ctx, repo.CommonDir(), name)
}
