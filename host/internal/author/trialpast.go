package author

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/host/internal/lanerun"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/sdk"
)

// blobsOf are the contents of trees by their ids.
func blobsOf(trees ...memTree) map[string][]byte {
	all := map[string][]byte{}
	for _, t := range trees {
		for _, f := range t {
			all[fakeID(f.data)] = f.data
		}
	}
	return all
}

// readBlobs answers blobs.read@1 out of memory.
func (t *trial) readBlobs(ctx context.Context, handles *wasm.Handles, req []byte) ([]byte, error) {
	q, err := sdk.ParseBlobsQuery(req)
	if err != nil {
		return nil, &wasm.OpError{Code: wasm.Invalid, Message: "cannot read blobs: " + err.Error()}
	}
	for _, id := range q.IDs {
		if _, known := t.blobs[id]; !known {
			return nil, lanerun.Unseen(id)
		}
	}
	w := &lanerun.Toil{Ctx: ctx}
	return lanerun.AddHandle(handles, lanerun.NewBlobStream(q, w, func(id string) (io.ReadCloser, int64, error) {
		data := t.blobs[id]
		return io.NopCloser(bytes.NewReader(data)), int64(len(data)), nil
	}))
}

// passed gives a trial the commits of a case: each has files as it left them.
func (t *trial) passed(commits map[int]memTree, m sdk.Manifest) {
	if !slices.Contains(t.request.Granted, "repo.history") {
		return
	}
	t.past = []sdk.Change{}
	before := maps.Clone(t.base)
	for _, n := range slices.Sorted(maps.Keys(commits)) {
		maps.Copy(t.blobs, blobsOf(commits[n]))
		for _, c := range changesBetween(memTree{}, commits[n]) {
			if c.Commit = commitID(n); t.ends(c) {
				continue
			}
			if old, was := before[c.Path]; was {
				c.Status, c.OldID = "M", fakeID(old.data)
			}
			t.past = append(t.past, c)
		}
		maps.Copy(before, commits[n])
	}
	if slices.Contains(m.Input, "history") {
		t.request.History = t.past
	}
}

// ends reports whether a file of a commit is in the pushed tree as well, or was
// there before.
func (t *trial) ends(c sdk.Change) bool {
	for _, tree := range []memTree{t.src, t.base} {
		if f, there := tree[c.Path]; there && fakeID(f.data) == c.NewID {
			return true
		}
	}
	return false
}

// writeBlobs puts the contents of the commits into a real folder, by their ids.
func (t *trial) writeBlobs(dir string) error {
	files := memTree{}
	for _, c := range t.past {
		for _, id := range append([]string{c.OldID, c.NewID}, c.Merged...) {
			if id != "" {
				files[id] = memFile{data: t.blobs[id]}
			}
		}
	}
	return files.write(dir)
}

// commitID is the made-up id of a case's nth commit, from 1.
func commitID(n int) string { return fmt.Sprintf("%040x", n) }

// caseCommit reads the folder of a case's commit, "commit/2/a/b.go".
func caseCommit(name string) (n int, path string, ok bool) {
	number, path, found := strings.Cut(name, "/")
	n, err := strconv.Atoi(number)
	return n, path, found && err == nil && n > 0 && path != ""
}
