package gate

import (
	"fmt"
	"io"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/problem"
)

// ReadRefLines reads what git writes to a hook's standard input, all of it:
// what is longer than hooks.MaxRefLines is refused.
func ReadRefLines(r io.Reader) ([]byte, error) {
	data, err := bounded.ReadAll(r, hooks.MaxRefLines)
	if err != nil {
		return nil, problem.WithHint(fmt.Errorf("cannot read git's ref lines: %w", err),
			"push fewer refs at once, with shorter names: git push origin main")
	}
	return data, nil
}
