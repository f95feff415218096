// Command refguard is a lane plugin for tests: it looks at the ref alone, and
// refuses frozen branches and forced pushes.
package main

import (
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

func main() { sdk.Main(check) }

func check(run *sdk.Run) error {
	u := run.Request.Update
	if strings.Contains(u.Ref, "frozen") {
		return run.Fail(u.Ref + " is frozen")
	}
	if u.Forced {
		return run.Fail("forced pushes are not allowed")
	}
	return run.Pass("")
}
