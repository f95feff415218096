package lanerun

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/sdk"
)

// Opens is a tool's world that notes whether the tool looks at what it judges:
// one that exits with status 0 and has opened none of the changed files has not
// judged them, be it that it could not.
type Opens struct {
	wasm.World
	changed map[string]bool // paths it was given; nil: it looks for files itself
	looked  bool
}

// OpensOf puts the note into a tool's call; nil for a plugin that is not one.
func OpensOf(tool *sdk.Tool, call *wasm.Call) *Opens {
	if tool == nil {
		return nil
	}
	o := &Opens{World: call.World}
	if slices.Contains(tool.Args, toolChanged) {
		o.changed = map[string]bool{}
		for _, arg := range call.Args {
			if name, ok := strings.CutPrefix(arg, "/src/"); ok {
				o.changed[name] = true
			}
		}
	}
	call.World = o
	return o
}

// Ask answers a question; see wasm.World.
func (o *Opens) Ask(ctx context.Context, q wasm.Question) (wasm.Answer, error) {
	a, err := o.World.Ask(ctx, q)
	if err != nil || a.Code != 0 || q.Tree != wasm.TreeSrc {
		return a, err
	}
	switch {
	case q.Kind == wasm.AskOpen:
		o.looked = o.looked || o.changed == nil || o.changed[q.Name]
	case q.Kind == wasm.AskList:
		o.looked = o.looked || o.changed == nil
	}
	return a, err
}

// Pass is an error where a tool's exit status 0 says nothing of the files.
func (o *Opens) Pass(exit int) error {
	if o == nil || exit != 0 || o.looked {
		return nil
	}
	what := "it opened no file"
	if o.changed != nil {
		what = fmt.Sprintf("it opened none of %s", printable.Count(len(o.changed), "changed file"))
	}
	return problem.WithHint(fmt.Errorf("cannot accept exit status 0 as a pass: %s", what),
		"see its log; exclude files that it does not read, with `files` in its manifest or `ignore` in the lane")
}
