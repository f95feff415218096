package lanerun

import (
	"github.com/pushlane/pushlane/host/internal/secret"

	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/problem"
)

func TestAMessageTooLongIsNotJudgedInPart(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "COMMIT_EDITMSG")
	if err := os.WriteFile(name, []byte("good\n"+strings.Repeat("a\n", maxMessage/2)), 0o600); err != nil {
		t.Fatal(err)
	}
	l := &Lane{access: &access{j: &gate.Run{Asked: gate.Asked{Message: name}}}}
	_, err := l.messageCommit(t.Context())
	if want := "cannot read the commit message: it is longer than 1 MiB"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if want := "shorten it: git commit --edit --file " + name; problem.Hint(err) != want {
		t.Errorf("hint %q, want %q", problem.Hint(err), want)
	}
}

// TestACachedRunTooLongIsNone: what unfolds without end is not looked at.
func TestACachedRunTooLongIsNone(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.CopyN(z, spaces{}, maxCachedRun+1); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if run, err := unpackRun(b.Bytes()); !errors.As(err, new(*bounded.Error)) {
		t.Errorf("%d bytes: %+v, %v", b.Len(), run, err)
	}
}

// spaces is JSON that never ends.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestSecretsAreReadWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for content, want := range map[string]string{
		"secret\n":                              "<nil>",
		"short":                                 "it has 5 bytes, want 6 to 65536",
		"secret" + strings.Repeat("\n", 70_000): "it is longer than 64 KiB",
		"secret" + strings.Repeat("\n", 65_520) + strings.Repeat("x", 40): "it is longer than 64 KiB",
	} {
		if err := os.WriteFile(filepath.Join(dir, "S"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := secret.Store{Dir: dir}.Read("S")
		if (err == nil) != (want == "<nil>") || err != nil && err.Error() != want {
			t.Errorf("%d bytes: %v, want %s", len(content), err, want)
		}
	}
}
