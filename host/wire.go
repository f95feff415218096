package host

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/pushlane/pushlane/host/internal/gate"
)

// The frames between pushlane-hook and the resident host: a kind byte, a
// 32-bit big-endian length, the payload.
//
//	client   v "<wire version> <build stamp>", a argument (repeated, the gate
//	         first), d working folder, e "KEY=value" (repeated), t "<1 or 0>
//	         <columns>", i standard input, . end of the call
//	resident u not served, judge it yourself; k taken; o and e lines for
//	         standard output and error; b still at work, every 5 seconds; x one
//	         byte, the exit status
//
// The client closing the connection cancels the call. It waits 10 seconds for
// the first frame and 30 for each after it.
const wireVersion = "2"

const (
	// maxFrames bounds what a call may bring: arguments, environment and input.
	maxFrames = 128 << 20
	// maxReplyFrame is the longest frame that the client takes; longer output
	// comes in several.
	maxReplyFrame = 1 << 20
)

var errOtherBuild = errors.New("the caller is from another build")

// readCall reads one call; build is this process's stamp. A call that does not
// begin with its build, or has two of what it has one of, is refused: of two
// inputs one would not be judged.
func readCall(r *bufio.Reader, build string) (gate.Call, error) {
	var c gate.Call
	seen := map[byte]bool{}
	for left := int64(maxFrames); ; {
		kind, payload, err := readFrame(r, &left)
		switch {
		case err != nil:
			return c, err
		case !seen['v'] && kind != 'v':
			return c, errors.New("cannot read call: it does not begin with its build")
		case seen[kind] && kind != 'a' && kind != 'e':
			return c, fmt.Errorf("cannot read call: frame %q comes twice", kind)
		}
		seen[kind] = true
		switch kind {
		case 'v':
			if payload != wireVersion+" "+build {
				return c, errOtherBuild
			}
		case 'a':
			if c.Gate == "" {
				c.Gate = payload
			} else {
				c.Args = append(c.Args, payload)
			}
		case 'd':
			c.Dir = payload
		case 'e':
			c.Env = append(c.Env, payload)
		case 't':
			c.Term = parseTerminal(payload, c.Getenv)
		case 'i':
			c.Stdin = []byte(payload)
		case '.':
			return c, nil
		default:
			return c, fmt.Errorf("cannot read call: unknown frame %q", kind)
		}
	}
}

func readFrame(r *bufio.Reader, left *int64) (kind byte, payload string, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, "", err
	}
	n := int64(binary.BigEndian.Uint32(head[1:]))
	if *left -= n + 5; *left < 0 {
		return 0, "", errors.New("cannot read call: it is too large")
	}
	body := make([]byte, n)
	_, err = io.ReadFull(r, body)
	return head[0], string(body), err
}

// parseTerminal reads "<1 or 0> <columns> <rows>"; colour follows the usual rules of
// NO_COLOR and TERM.
func parseTerminal(text string, getenv func(string) string) gate.Terminal {
	live, size, _ := strings.Cut(text, " ")
	columns, rows, _ := strings.Cut(size, " ")
	t := gate.Terminal{Live: live == "1" && getenv("TERM") != "dumb"}
	t.Columns, _ = strconv.Atoi(columns)
	t.Rows, _ = strconv.Atoi(rows)
	t.Color = t.Live && getenv("NO_COLOR") == ""
	return t
}

// frameWriter sends what is written to it as frames of one kind; the mutex is
// shared by all kinds of one connection, so that frames stay whole.
type frameWriter struct {
	mu   *sync.Mutex
	conn io.Writer
	kind byte
}

func (w frameWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for sent := 0; ; {
		part := p[sent:min(len(p), sent+maxReplyFrame)]
		b := append([]byte{w.kind}, binary.BigEndian.AppendUint32(nil, uint32(len(part)))...)
		if _, err := w.conn.Write(append(b, part...)); err != nil {
			return sent, err
		}
		if sent += len(part); sent == len(p) { // a word without a payload is a frame too
			return sent, nil
		}
	}
}
