package gate

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/lanes"
)

func TestReadRefLines(t *testing.T) {
	t.Parallel()
	if data, err := ReadRefLines(bytes.NewReader(make([]byte,
		hooks.MaxRefLines))); err != nil || len(data) != hooks.MaxRefLines {
		t.Errorf("as much as is allowed: %d bytes, %v", len(data), err)
	}
	data, err := ReadRefLines(bytes.NewReader(make([]byte, hooks.MaxRefLines+1)))
	var said bytes.Buffer
	problem.Write(&said, err)
	want := "pushlane: error: cannot read git's ref lines: it is longer than 64 MiB\n" +
		"pushlane: hint: push fewer refs at once, with shorter names: git push origin main\n"
	if said.String() != want || data != nil {
		t.Errorf("got  %d bytes, %swant %s", len(data), said.String(), want)
	}
}

func TestConfigOfALanesFileIsReadWhole(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "lanes.toml")
	if err := os.WriteFile(name, []byte("version = 1\n"+strings.Repeat("#\n", lanes.MaxFile/2)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := readConfig(name)
	want := "cannot read lanes file " + name + ": it is longer than 1 MiB"
	if err == nil || err.Error() != want || !problem.IsUsage(err) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestLastPushOfALongReflog(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("a", 40)
	line := id + " " + id + " N <m@x> 1700000000 +0000\tupdate by push\n"
	other := strings.Repeat("b", 40) + " " + strings.Repeat("b",
		40) + " N <m@x> 1700000000 +0000\t" + strings.Repeat("m", 5000) + "\n"
	endlessName := id + " " + id + " " + strings.Repeat("N ", maxReflogLine) +
		"<m@x> 1700000000 +0000\tupdate by push\n"
	for name, c := range map[string]struct {
		text string
		want bool
	}{
		"one line": {line, true}, "after long ones": {strings.Repeat(other, 40) + line, true},
		"the last one is another": {line + other, false}, "a line longer than is read": {endlessName, false},
		"empty": {"",
			false},
	} {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if at, found := lastPush(path, id); found != c.want || found && at.Unix() != 1700000000 {
			t.Errorf("%s: %t at %s", name, found, at)
		}
	}
}
