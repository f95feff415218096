package incus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// kept is a Sink in memory.
type kept map[string]string

func (k kept) Keep(name string, size int64, content io.Reader) error {
	data, err := io.ReadAll(content)
	if int64(len(data)) != size {
		return fmt.Errorf("%s: %d bytes, announced %d", name, len(data), size)
	}
	k[name] = string(data)
	return err
}

func TestArtifacts(t *testing.T) {
	c := needIncus(t, testConfig(t))
	const script = `mkdir -p out/deep/er /tmp/r; echo a > out/a.xml; echo b > out/deep/b.xml; echo c > out/deep/er/c.txt
echo t > /tmp/r/t
ln -s /etc/passwd out/link.xml; ln -s /etc out/dir; ln -s ../.. out/up
ln -s /proc/self/environ out/env.xml; mkfifo out/pipe.xml
ln out/a.xml out/hard.xml; echo x > "out/$(printf 'n\nl').xml"; exit 3`
	for name, test := range map[string]struct {
		patterns []string
		want     []string
	}{
		"a file": {[]string{"/work/src/out/a.xml"}, []string{"work/src/out/a.xml"}},
		"a glob, no links, no pipes": {[]string{"/work/src/out/*.xml"},
			[]string{"work/src/out/a.xml", "work/src/out/hard.xml", "work/src/out/n\nl.xml"}},
		"any depth": {[]string{"/work/src/**/*.xml"},
			[]string{"work/src/out/a.xml", "work/src/out/deep/b.xml", "work/src/out/hard.xml", "work/src/out/n\nl.xml"}},
		"a folder": {[]string{"/work/src/out/deep"},
			[]string{"work/src/out/deep/b.xml", "work/src/out/deep/er/c.txt"}},
		"two that overlap": {[]string{"/work/src/out/deep", "/work/src/out/*/b.xml", "/tmp/r/t"},
			[]string{"tmp/r/t", "work/src/out/deep/b.xml", "work/src/out/deep/er/c.txt"}},
		"what is not there":          {[]string{"/work/src/none", "/nowhere/*"}, nil},
		"a link to a file":           {[]string{"/work/src/out/link.xml"}, nil},
		"through a link to a folder": {[]string{"/work/src/out/dir/passwd", "/work/src/out/up/etc/passwd"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := busybox(script)
			got := kept{}
			s.Artifacts, s.Keep = test.patterns, got
			ended, _, errOut := run(t, c, s)
			names := slices.Sorted(maps.Keys(got))
			if !slices.Equal(ended.Artifacts, test.want) || !slices.Equal(names, test.want) || ended.Exit != 3 {
				t.Errorf("exit %d, artifacts %q, kept %q, want %q; stderr %q", ended.Exit, ended.Artifacts, names, test.want,
					errOut)
			}
		})
	}
}

func TestArtifactsHaveLimits(t *testing.T) {
	c := needIncus(t, testConfig(t))
	for name, test := range map[string]struct{ script, want string }{
		"too many": {"mkdir o; for i in $(seq 1100); do : > o/$i; done",
			`cannot fetch artifacts of container "c": more than 1000 files`},
		"too deep": {"p=o; for i in $(seq 70); do p=$p/d; done; mkdir -p $p; echo x > $p/f",
			`cannot fetch artifacts of container "c": folders more than 64 deep`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := busybox(test.script)
			s.Artifacts, s.Keep = []string{"/work/src/o"}, kept{}
			_, err := c.Run(context.Background(), s, nil, nil)
			if err == nil || err.Error() != test.want {
				t.Errorf("err = %v, want %s", err, test.want)
			}
		})
	}
	s := busybox("echo x > f")
	s.Artifacts, s.Keep = []string{"/work/src/f"}, fullSink{}
	if _, err := c.Run(context.Background(), s, nil, nil); !errors.Is(err, errFull) {
		t.Errorf("err = %v, want the sink's", err)
	}
}

// TestLargeArtifacts: what is larger than a packet of SFTP arrives whole, holes
// included, whatever buffer the sink reads with.
func TestLargeArtifacts(t *testing.T) {
	c := needIncus(t, testConfig(t))
	s := busybox(
		"yes 0123456789abcde | head -c 3000001 > full; truncate -s 5000000 full; truncate -s 4M hole; printf x > one")
	got := wide{}
	s.Artifacts, s.Keep = []string{"/work/src/full", "/work/src/hole", "/work/src/one"}, got
	run(t, c, s)
	full := strings.Repeat("0123456789abcde\n", 3000001/16+1)[:3000001] + strings.Repeat("\x00", 5000000-3000001)
	for name, want := range map[string]string{"full": full, "hole": strings.Repeat("\x00", 4<<20), "one": "x"} {
		if data := got["work/src/"+name]; data != want {
			t.Errorf("%s has %d bytes, want the %d of the container", name, len(data), len(want))
		}
	}
}

// wide is a Sink that reads as much at once as there is.
type wide map[string]string

func (w wide) Keep(name string, size int64, content io.Reader) error {
	data := make([]byte, size)
	_, err := io.ReadFull(content, data)
	w[name] = string(data)
	return err
}

var errFull = errors.New("no space left on device")

type fullSink struct{}

func (fullSink) Keep(string, int64, io.Reader) error { return errFull }

func TestPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		meant, below  bool
	}{
		{"/a/b", "a/b", true, true},
		{"/a/b", "a", false, true},
		{"/a/b", "a/b/c", true, true},
		{"/a/b", "a/c", false, false},
		{"/a/*.x", "a/b.x", true, true},
		{"/a/*.x", "a/b/c.x", false, false},
		{"/a/**", "a/b/c", true, true},
		{"/a/**/c", "a/c", true, true},
		{"/a/**/c", "a/x/y/c", true, true},
		{"/a/**/c", "a/x/y", false, true},
		{"/a/**/c", "b/c", false, false},
	} {
		p, err := parsePattern(test.pattern)
		if err != nil {
			t.Fatal(err)
		}
		meant, below := p.match(strings.Split(test.name, "/"))
		if meant != test.meant || below != test.below {
			t.Errorf("%s on %s: meant %v, below %v, want %v, %v", test.pattern, test.name, meant, below, test.meant, test.below)
		}
	}
}

// FuzzPattern: no pattern panics, and none that is accepted reaches out of
// the folder it names.
func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"/work/src/*.xml", "/a/**/b", "/**", "/a/[", "/a/../b", "a", "/proc/1"} {
		f.Add(seed, "work/src/a.xml")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		p, err := parsePattern(text)
		if err != nil {
			return
		}
		if meant, _ := p.match(strings.Split(name, "/")); meant && p[0] != strings.Split(name, "/")[0] {
			if ok, _ := path.Match(p[0], strings.Split(name, "/")[0]); !ok {
				t.Errorf("%q means %q", text, name)
			}
		}
	})
}
