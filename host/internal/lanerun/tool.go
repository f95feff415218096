package lanerun

import (
	"context"
	"slices"

	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// toolChanged is the argument that is replaced by the changed files.
const toolChanged = "{changed}"

// ToolCall makes the call one of a program that knows nothing of requests;
// false: there is no file for it to look at.
func ToolCall(ctx context.Context, c *wasm.Call, tool *sdk.Tool, changes []sdk.Change) (looks bool, err error) {
	var files []string
	set := parseGlobs(tool.Files)
	for _, change := range changes {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		regular := change.Mode == "100644" || change.Mode == "100755"
		if regular && (set == nil || slices.ContainsFunc(set, func(g lanes.Glob) bool { return g.Match(change.Path) })) {
			files = append(files, "/src/"+change.Path)
		}
	}
	c.Stdin, c.Fails = nil, tool.Fail
	if len(c.Fails) == 0 {
		c.Fails = []int{1}
	}
	for _, arg := range tool.Args {
		if arg == toolChanged {
			c.Args = append(c.Args, files...)
		} else {
			c.Args = append(c.Args, arg)
		}
	}
	return len(files) > 0 || !slices.Contains(tool.Args, toolChanged) && len(tool.Files) == 0, nil
}
