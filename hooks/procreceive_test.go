package hooks

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// talk is what git says: sections of packets, each ended by a flush.
func talk(t testing.TB, sections ...[]string) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := pktline.NewEncoder(&b)
	for _, lines := range sections {
		if err := errors.Join(enc.EncodeString(lines...), enc.Flush()); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestProcReceive(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("a", 40)
	commands := []string{ZeroID + " " + id + " refs/heads/good\n", id + " " + ZeroID + " refs/heads/bad\n"}
	decide := func([]Update) (map[string]string, error) {
		return map[string]string{"refs/heads/bad": `lane "x" failed`}, nil
	}
	for name, c := range map[string]struct {
		in   []byte
		want []byte
	}{
		"each ref has its own answer": {talk(t, []string{"version=1\n"}, commands),
			talk(t, []string{"version=1\n"}, []string{"ok refs/heads/good\n", "option fall-through\n",
				"ng refs/heads/bad lane \"x\" failed\n"})},
		"push options are passed over": {talk(t, []string{"version=1\x00push-options object-format=sha1\n"}, commands[:1],
			[]string{"priority=high"}),
			talk(t, []string{"version=1\x00push-options\n"}, []string{"ok refs/heads/good\n", "option fall-through\n"})},
		"an atomic push is refused whole": {talk(t, []string{"version=1\x00atomic\n"}, commands),
			talk(t, []string{"version=1\n"}, []string{"ng refs/heads/good atomic push: another ref was refused\n",
				"ng refs/heads/bad lane \"x\" failed\n"})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := ProcReceive(bytes.NewReader(c.in), &out, decide); err != nil {
				t.Fatal(err)
			}
			sameText(t, "answer", out.String(), string(c.want))
		})
	}
}

func TestProcReceiveRefusesWhatItDoesNotUnderstand(t *testing.T) {
	t.Parallel()
	version := []string{"version=1\n"}
	for want, in := range map[string][]byte{
		"cannot communicate with git: git sent no version: unexpected EOF": nil,
		`cannot communicate with git: git speaks "version=2"`: talk(t,
			[]string{"version=2\n"}),
		"cannot communicate with git: git sent no commands: unexpected EOF": talk(t,
			version),
		`cannot read git's ref lines: line 1: want "<old id> <new id> <ref>", got "nonsense"`: talk(t,
			version, []string{"nonsense\n"}),
		"cannot communicate with git: git sent no push options: unexpected EOF": talk(t,
			[]string{"version=1\x00push-options\n"}, nil),
		`cannot read git's ref lines: line 1: not a full ref name: "main"`: talk(t,
			version, []string{ZeroID + " " + ZeroID + " main\n"}),
		fmt.Sprintf(`cannot read git's ref lines: line 1: ref holds a control character: %q`, "refs/heads/a\x1b"): talk(t,
			version, []string{ZeroID + " " + ZeroID + " refs/heads/a\x1b\n"}),
	} {
		err := ProcReceive(bytes.NewReader(in), &bytes.Buffer{},
			func([]Update) (map[string]string, error) { return nil, nil })
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func FuzzProcReceive(f *testing.F) {
	f.Add(talk(f, []string{"version=1\x00push-options atomic\n"}, []string{ZeroID + " " + ZeroID + " refs/heads/a\n"},
		nil))
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		err := ProcReceive(bytes.NewReader(in), &out, func(us []Update) (map[string]string, error) {
			return map[string]string{}, nil
		})
		if err == nil && !bytes.HasSuffix(out.Bytes(), []byte("0000")) {
			t.Errorf("an answer without an end: %q", out.Bytes())
		}
	})
}

func TestProcReceiveBeyondItsLimits(t *testing.T) {
	t.Parallel()
	many := make([]string, maxUpdates+1)
	for i := range many {
		many[i] = "x\n"
	}
	long := make([]string, MaxRefLines/60_000+1)
	for i := range long {
		long[i] = strings.Repeat("x", 60_000)
	}
	for want, lines := range map[string][]string{
		"cannot read git's ref lines: line 100001: more than 100000 refs in one push":                               many,
		fmt.Sprintf("cannot read git's ref lines: line %d: longer than 64 MiB with the lines before it", len(long)): long,
	} {
		err := ProcReceive(bytes.NewReader(talk(t, []string{"version=1\n"}, lines)), &bytes.Buffer{}, nil)
		if over := new(InputError); !errors.As(err, &over) || err.Error() != want || over.Hint() == "" {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}
