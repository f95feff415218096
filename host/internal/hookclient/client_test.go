package hookclient

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadMostRefusesWhatItWouldNotRead(t *testing.T) {
	for length, want := range map[int]string{0: "", 1 << 20: "", 1<<20 + 1: "they are longer than 1 MiB",
		3 << 20: "they are longer than 1 MiB"} {
		data, err := readMost(iotest.HalfReader(bytes.NewReader(make([]byte, length))), 1<<20)
		switch {
		case want == "" && (err != nil || len(data) != length):
			t.Errorf("%d bytes: %d read, %v", length, len(data), err)
		case want != "" && (err == nil || err.Error() != want || data != nil):
			t.Errorf("%d bytes: %d read, %v", length, len(data), err)
		}
	}
}

// TestRefLinesBeyondTheLimit is a push whose first lines end exactly at the
// limit, and whose next one is main: nothing of it may be judged.
func TestRefLinesBeyondTheLimit(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdin
	os.Stdin = in
	defer func() { os.Stdin = old; in.Close() }()
	line := strings.Repeat("a", 1023) + "\n"
	go func() {
		defer out.Close()
		for range maxRefLines / len(line) {
			if _, err := io.WriteString(out, line); err != nil {
				return
			}
		}
		_, _ = io.WriteString(out, "old new refs/heads/main\n") // whether it is read is up to the other side
	}()
	if data, err := readStdin("pre-receive"); err == nil || err.Error() != "they are longer than 64 MiB" || data != nil {
		t.Errorf("%d bytes read, %v", len(data), err)
	}
}

// TestFrames: a frame that is too long or cut short decides nothing.
func TestFrames(t *testing.T) {
	whole := string(frame(nil, 'k', "")) + string(frame(nil, 'x', "\x00"))
	for name, c := range map[string]struct {
		text   string
		code   int
		served bool
	}{
		"accepted":                     {whole, 0, true},
		"not served":                   {string(frame(nil, 'u', "")), 0, false},
		"ends before it was taken":     {"", 0, false},
		"ends after it was taken":      {string(frame(nil, 'k', "")), 3, true},
		"ends within a frame":          {whole[:len(whole)-1], 3, true},
		"claims more than is taken":    {string(frame(nil, 'k', "")) + "x\xff\xff\xff\xff" + whole, 3, true},
		"the last frame is cut short":  {string(frame(nil, 'k', "")) + "o\x00\x00\x00\x09short", 3, true},
		"a status of two bytes":        {string(frame(nil, 'k', "")) + string(frame(nil, 'x', "\x00\x00")), 3, true},
		"an unknown word after taking": {string(frame(nil, 'k', "")) + string(frame(nil, '?', "")), 3, true},
	} {
		code, served := copyBack(strings.NewReader(c.text), "pre-receive")
		if code != c.code || served != c.served {
			t.Errorf("%s: status %d, served %t, want %d, %t", name, code, served, c.code, c.served)
		}
	}
}
