// Package runfiles has the files of runs in a host's state folder: logs, the lines
// that findings are about, and the note of the highest run.
package runfiles

import (
	"sync"
	"time"
)

// Files are those of one state folder. Safe for concurrent use.
type Files struct {
	State string // the folder

	mu         sync.Mutex // guards what follows, and the note
	logsLooked time.Time  // when the size of the logs was last checked
}
