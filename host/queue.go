package host

import (
	"context"

	"github.com/pushlane/pushlane/hooks"
)

func (h *Host) enqueue(ctx context.Context, repo *hooks.Repo, call Call, j *Judgement) error {
	return nil
}
