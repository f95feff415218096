package hooks

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

const (
	idA = "1111111111111111111111111111111111111111"
	idB = "2222222222222222222222222222222222222222"
)

func TestReadUpdates(t *testing.T) {
	cases := map[string]struct {
		gate, in string
		want     []Update
	}{
		"a push of nothing": {"pre-push", "", nil},
		"one ref": {"pre-push", "refs/heads/x " + idA + " refs/heads/y " + idB + "\n",
			[]Update{{Ref: "refs/heads/y", LocalRef: "refs/heads/x", Old: idB, New: idA}}},
		"several refs, a new one and a deletion": {"pre-push",
			"refs/heads/x " + idA + " refs/heads/x " + ZeroID + "\n(delete) " + ZeroID + " refs/heads/y " + idB +
				"\nrefs/tags/v1 " + idB + " refs/tags/v1 " + ZeroID + "\n",
			[]Update{
				{Ref: "refs/heads/x", LocalRef: "refs/heads/x", Old: ZeroID, New: idA},
				{Ref: "refs/heads/y", LocalRef: "(delete)", Old: idB, New: ZeroID, Base: ZeroID, Delete: true},
				{Ref: "refs/tags/v1", LocalRef: "refs/tags/v1", Old: ZeroID, New: idB},
			}},
		"a local name with spaces": {"pre-push", "HEAD@{2 days ago} " + idA + " refs/heads/y " + idB + "\n",
			[]Update{{Ref: "refs/heads/y", LocalRef: "HEAD@{2 days ago}", Old: idB, New: idA}}},
		"a receiver's lines": {"pre-receive", idA + " " + idB + " refs/heads/x\n" + idA + " " + ZeroID + " refs/heads/\xff\n",
			[]Update{
				{Ref: "refs/heads/x", Old: idA, New: idB},
				{Ref: "refs/heads/\xff", Old: idA, New: ZeroID, Base: ZeroID, Delete: true},
			}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ReadUpdates(strings.NewReader(c.in), c.gate)
			if err != nil {
				t.Fatal(err)
			}
			sameText(t, "updates", fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", c.want))
		})
	}
}

func TestReadUpdatesRefuses(t *testing.T) {
	good := idA + " " + idB + " refs/heads/x\n"
	long := strings.Repeat("a", maxUpdateLine)
	cases := map[string]struct{ gate, in, want string }{
		"a line cut short": {"pre-receive", good + idA + " " + idB,
			"line 2: the input ends in the middle of a line"},
		"too few words": {"pre-receive", idA + " refs/heads/x\n",
			`line 1: want "<old id> <new id> <ref>", got "` + idA + ` refs/heads/x"`},
		"too many words": {"pre-receive", idA + " " + idB + " refs/heads/x y\n",
			`line 1: want "<old id> <new id> <ref>", got "` + idA + " " + idB + ` refs/heads/x y"`},
		"an empty line": {"pre-receive", good + "\n", `line 2: want "<old id> <new id> <ref>", got ""`},
		"a short id": {"pre-receive", "1111 " + idB + " refs/heads/x\n",
			`line 1: not an object id: "1111"`},
		"an id in capitals": {"pre-receive", strings.Repeat("A", 40) + " " + idB + " refs/heads/x\n",
			`line 1: not an object id: "` + strings.Repeat("A", 40) + `"`},
		"SHA-256": {"pre-receive",
			strings.Repeat("a", 64) + " " + strings.Repeat("b", 64) + " refs/heads/x\n",
			"line 1: object ids are SHA-256; only SHA-1 repositories can be judged"},
		"a ref that is none": {"pre-receive", idA + " " + idB + " main\n", `line 1: not a full ref name: "main"`},
		"a ref git does not allow": {"pre-receive", idA + " " + idB + " refs/heads/x~1\n",
			`line 1: not a ref name git allows: "refs/heads/x~1"`},
		"control characters": {"pre-receive", idA + " " + idB + " refs/heads/x\x1b[2J\n",
			`line 1: not a ref name git allows: "refs/heads/x\x1b[2J"`},
		"a carriage return": {"pre-receive", idA + " " + idB + " refs/heads/x\r\n",
			`line 1: ref holds a control character: "refs/heads/x\r"`},
		"a ref twice":        {"pre-receive", good + good, `line 2: ref "refs/heads/x" is named twice`},
		"a line without end": {"pre-push", long, "line 1: longer than 65536 bytes"},
		"no local name": {"pre-push", " " + idA + " refs/heads/x " + idB + "\n",
			"line 1: local ref is empty"},
		"a receiver's line at pre-push": {"pre-push", good,
			`line 1: want "<local ref> <local id> <remote ref> <remote id>", got "` + strings.TrimSuffix(good, "\n") + `"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ReadUpdates(strings.NewReader(c.in), c.gate)
			var bad *InputError
			if !errors.As(err, &bad) || got != nil {
				t.Fatalf("got %v, %v", got, err)
			}
			sameText(t, "error", err.Error(), "cannot read git's ref lines: "+c.want)
		})
	}
	t.Run("more refs than any push has", func(t *testing.T) {
		var in strings.Builder
		for i := range maxUpdates + 1 {
			fmt.Fprintf(&in, "%s %s refs/heads/%d\n", idA, idB, i)
		}
		_, err := ReadUpdates(strings.NewReader(in.String()), "pre-receive")
		if err == nil || err.Error() != "cannot read git's ref lines: line 100001: more than 100000 refs in one push" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a gate without updates", func(t *testing.T) {
		_, err := ReadUpdates(strings.NewReader(""), "pre-commit")
		if err == nil || err.Error() != `cannot read ref updates at gate "pre-commit": git passes it none` {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a stream that breaks", func(t *testing.T) {
		_, err := ReadUpdates(io.MultiReader(strings.NewReader(good), iotest.ErrReader(io.ErrClosedPipe)), "pre-receive")
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("got %v", err)
		}
	})
}

func FuzzReadUpdates(f *testing.F) {
	f.Add("pre-push", "refs/heads/x "+idA+" refs/heads/y "+idB+"\n")
	f.Add("pre-push", "HEAD@{2 days ago} "+idA+" refs/heads/y "+idB+"\n(delete) "+ZeroID+" refs/heads/z "+idB+"\n")
	f.Add("pre-receive", idA+" "+idB+" refs/heads/x\n"+idA+" "+ZeroID+" refs/heads/\xff\n")
	f.Add("post-receive", "\n \x00")
	f.Fuzz(func(t *testing.T, gate, in string) {
		got, err := ReadUpdates(strings.NewReader(in), gate)
		if err != nil {
			if got != nil {
				t.Fatalf("updates next to the error %v: %v", err, got)
			}
			return
		}
		// What was read is all that was written: it can be written again.
		var again strings.Builder
		for _, u := range got {
			if gate == "pre-push" {
				fmt.Fprintf(&again, "%s %s %s %s\n", u.LocalRef, u.New, u.Ref, u.Old)
			} else {
				fmt.Fprintf(&again, "%s %s %s\n", u.Old, u.New, u.Ref)
			}
			if u.Delete != (u.New == ZeroID) {
				t.Fatalf("%+v", u)
			}
		}
		if again.String() != in {
			t.Fatalf("read %q as %q", in, again.String())
		}
	})
}

// TestReadUpdatesBeyondTheirLimits: the lines of all refs have a limit too, and
// what is beyond any of them is refused with what to do about it.
func TestReadUpdatesBeyondTheirLimits(t *testing.T) {
	var in strings.Builder
	for i := 0; in.Len() <= MaxRefLines; i++ {
		fmt.Fprintf(&in, "%s %s refs/heads/%d-%s\n", idA, idB, i, strings.Repeat("a", 60_000))
	}
	lines := strings.Count(in.String(), "\n")
	in.WriteString(idA + " " + idB + " refs/heads/main\n")
	tooLong := idA + " " + idB + " refs/heads/" + strings.Repeat("a", maxUpdateLine) + "\n"
	for want, text := range map[string]string{
		fmt.Sprintf("cannot read git's ref lines: line %d: longer than 64 MiB with the lines before it", lines): in.String(),
		"cannot read git's ref lines: line 1: longer than 65536 bytes":                                          tooLong,
	} {
		us, err := ReadUpdates(strings.NewReader(text), "pre-receive")
		var over *InputError
		if !errors.As(err, &over) || err.Error() != want || us != nil {
			t.Errorf("got  %v\nwant %s", err, want)
			continue
		}
		sameText(t, "hint", over.Hint(), "push fewer refs at once, with shorter names: git push origin main")
	}
}
