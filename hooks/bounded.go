package hooks

import (
	"io"
)

// readHead reads at most limit bytes of r; more says that there are others
// after them.
func readHead(r io.Reader, limit int64) (head []byte, more bool, err error) {
	head, err = io.ReadAll(io.LimitReader(r, limit+1))
	if int64(len(head)) > limit {
		return head[:limit], true, err
	}
	return head, false, err
}
