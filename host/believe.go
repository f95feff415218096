package host

import (
	"fmt"
	"os"
)

// believed refuses a file or folder that others may write: whoever may, may
// decide about pushes. What is not there is for the caller to find.
func believed(what, path string) error {
	info, err := os.Stat(path)
	plain := err == nil && (info.Mode().IsRegular() || info.IsDir()) // anyone writes to /dev/null, and changes nothing
	if !plain || info.Mode().Perm()&0o022 == 0 {
		return nil
	}
	return hinted(fmt.Errorf("cannot use %s %s: others may write it (mode %04o)", what, path, info.Mode().Perm()),
		"chmod go-w "+path)
}
