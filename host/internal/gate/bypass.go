package gate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/store"
)

// Bypasses finds the updates whose old commit this repository itself pushed
// while the hook stood, without a run that let it through: `git push
// --no-verify`. git does not tell a hook that it was passed over, but its
// reflog of the remote's branch does afterwards.
func Bypasses(ctx context.Context, st *store.Store, repo *hooks.Repo, j *Run) ([]string, error) {
	since, ok := hookSince(j.Asked.Hook)
	if !ok || j.Gate != "pre-push" {
		return nil, nil
	}
	var found []string
	for _, u := range j.Updates {
		branch, isBranch := strings.CutPrefix(u.Ref, "refs/heads/")
		if !isBranch || hooks.IsZero(u.Old) {
			continue
		}
		at, pushedHere := lastPush(filepath.Join(repo.CommonDir(), "logs", "refs", "remotes", j.Remote, branch), u.Old)
		if !pushedHere || at.Before(since) {
			continue
		}
		run, err := st.Find(ctx, repo.CommonDir(), store.Address{Commit: u.Old})
		if err != nil && !errors.Is(err, store.ErrNoRun) {
			return nil, err
		}
		if err != nil || run.Exit != ExitAccept {
			found = append(found, fmt.Sprintf("%s was pushed to %s past the gate (git push --no-verify)",
				printable.Clean(branch), printable.Short(u.Old)))
		}
	}
	return found, nil
}

// hookSince is when the hook that called was written.
func hookSince(path string) (time.Time, bool) {
	if path == "" {
		return time.Time{}, false
	}
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}, false
	}
	return info.ModTime(), true
}

// maxReflogLine is the longest line of a reflog that is read, in bytes.
const maxReflogLine = 64 << 10

// lastPush reads the last line of a reflog: whether it says that this
// repository pushed the commit, and when.
func lastPush(path, commit string) (time.Time, bool) {
	f, err := os.Open(path)
	if err != nil {
		return time.Time{}, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return time.Time{}, false
	}
	tail := make([]byte, min(info.Size(), maxReflogLine))
	if _, err := f.ReadAt(tail, info.Size()-int64(len(tail))); err != nil {
		return time.Time{}, false
	}
	text := strings.TrimRight(string(tail), "\n")
	begin := strings.LastIndexByte(text, '\n') + 1
	if begin == 0 && int64(len(tail)) < info.Size() { // the line is longer than that
		return time.Time{}, false
	}
	entry, message, _ := strings.Cut(text[begin:], "\t")
	fields := strings.Fields(entry) // old new name… <mail> seconds zone
	if len(fields) < 4 || fields[1] != commit || message != "update by push" {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(fields[len(fields)-2], 10, 64)
	return time.Unix(seconds, 0), err == nil
}
