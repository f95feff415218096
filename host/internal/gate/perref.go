package gate

import (
	"context"
	"fmt"
	"slices"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/problem"
)

// AnswersPerRef tells whether the call's repository answers per ref; a repository
// that says so and would not ask proc-receive about every ref is a broken gate.
func (c Call) AnswersPerRef(ctx context.Context) (bool, error) {
	if c.Gate != "pre-receive" || c.Getenv("PUSHLANE_PER_REF") == "" {
		return false, nil
	}
	status, err := hooks.Status(ctx, c.HooksEnv())
	if err != nil {
		return false, err
	}
	for _, s := range status {
		if s.Gate == "proc-receive" && s.State != hooks.Installed {
			return false, problem.WithHint(fmt.Errorf("cannot decide per ref: the proc-receive hook is %s", s.State),
				"pushlane install --server --per-ref REPO.git")
		}
	}
	values, err := hooks.Config(ctx, c.HooksEnv(), hooks.PerRefKey)
	if err == nil && !slices.Equal(values, []string{hooks.PerRefValue}) {
		err = problem.WithHint(fmt.Errorf("cannot decide per ref: %s is %q, want %q", hooks.PerRefKey, values,
			hooks.PerRefValue), "pushlane install --server --per-ref REPO.git")
	}
	return err == nil, err
}
