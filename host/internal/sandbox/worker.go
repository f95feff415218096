package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// worker is a child process as its host sees it.
type worker struct {
	cmd   *exec.Cmd
	pipe  *pipe
	sock  *os.File
	words lastWords
	dead  chan struct{} // closed when it has ended
	gone  sync.Once

	mu   sync.Mutex
	runs map[uint32]chan frame
	next uint32
	used time.Time // when its last run ended
}

// socketBuffer is what either side may have sent and the other not yet read,
// bytes; the system may give less.
const socketBuffer = 2 << 20

// loadTime is how long a worker may take to be ready.
const loadTime = time.Minute

// start starts a child and waits until it has loaded, or compiled, the module.
func (p *Plugin) start(s setup, wait time.Duration) (*worker, error) {
	w, err := p.takeSpare()
	if err != nil {
		return nil, err
	}
	word, err := w.greet(s, p.bytes, wait)
	if err == nil && word.Failed != nil {
		err = word.Failed.unpack(context.Background(), p.Name(), nil)
	}
	if err != nil {
		w.kill()
		return nil, err
	}
	p.pool.lacks(word.Missing)
	return w, nil
}

// takeSpare gives the process that load has started while it looked at the
// module, or starts one.
func (p *Plugin) takeSpare() (*worker, error) {
	if w := p.spare; w != nil {
		p.spare = nil
		return w, nil
	}
	return p.pool.launch()
}

// dropSpare ends a process that was started and is not needed.
func (p *Plugin) dropSpare() {
	if p.spare != nil {
		p.spare.kill()
	}
}

// launch starts this program under its other name, with nothing but a socket,
// and where it can so that it cannot name other processes.
func (p *Pool) launch() (*worker, error) {
	for {
		p.mu.Lock()
		ways := p.ways
		p.mu.Unlock()
		w, err := launch(p.program.path, &ways[0])
		if len(ways) > 1 && refused(err) {
			p.mu.Lock()
			p.ways = p.ways[max(0, len(p.ways)-len(ways)+1):] // another may have found the same meanwhile
			p.mu.Unlock()
			continue
		}
		if err == nil && len(ways) == 1 {
			p.lacks(together())
		}
		return w, err
	}
}

// refused reports whether the system does not start processes in that way.
func refused(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSPC) ||
		errors.Is(err, syscall.ENOSYS)
}

func launch(program string, attr *syscall.SysProcAttr) (*worker, error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	for _, fd := range pair { // a request or a file is written at once, without turns
		_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, socketBuffer)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "worker"), os.NewFile(uintptr(pair[1]), "host")
	defer theirs.Close()
	w := &worker{cmd: exec.Command(program), pipe: newPipe(ours), sock: ours, dead: make(chan struct{}),
		runs: map[uint32]chan frame{}, used: time.Now()}
	w.cmd.Args = []string{argv0}
	// Go would go on looking at the control group's files, which a child must not.
	w.cmd.Env = []string{"GOTRACEBACK=single", "GOMAXPROCS=" + strconv.Itoa(runtime.GOMAXPROCS(0)),
		"GODEBUG=containermaxprocs=0,updatemaxprocs=0"}
	w.cmd.Dir = "/"
	w.cmd.Stderr = &w.words
	w.cmd.ExtraFiles = []*os.File{theirs}
	w.cmd.SysProcAttr = attr
	if err := w.cmd.Start(); err != nil {
		ours.Close()
		return nil, err
	}
	go func() {
		_ = w.cmd.Wait() // its last message may still be in the socket
		close(w.dead)
	}()
	return w, nil
}

// greet tells the child what it is to do and hears whether it could.
func (w *worker) greet(s setup, module []byte, wait time.Duration) (word ready, err error) {
	timer := time.AfterFunc(wait, w.kill)
	defer timer.Stop()
	s.Build = build()
	err = w.pipe.send(0, frameSetup, encode(s))
	if err == nil {
		err = w.pipe.send(0, frameModule, module)
	}
	var f frame
	if err == nil {
		f, err = w.pipe.receive()
	}
	if err != nil {
		if !timer.Stop() {
			return word, w.late(wait)
		}
		return word, w.died()
	}
	if f.kind != frameReady {
		return word, fmt.Errorf("its process said %q first", f.kind)
	}
	return word, json.Unmarshal(f.data, &word)
}

// died says what is known of the end of a worker that no one killed.
func (w *worker) died() error {
	w.kill()
	<-w.dead
	why := w.cmd.ProcessState.String()
	if said := w.words.end(); said != "" {
		why = said
	}
	return &DiedError{Why: "its process died: " + why, CPU: w.cpu()}
}

// late says that a worker was ended because it reached its time limit.
func (w *worker) late(wait time.Duration) error {
	<-w.dead
	cpu := w.cpu()
	return &DiedError{Why: fmt.Sprintf("its process was not done after %s, of which it ran for %s", wait,
		cpu.Round(100*time.Millisecond)), CPU: cpu}
}

// cpu is the processor time of a worker that has ended.
func (w *worker) cpu() time.Duration {
	return w.cmd.ProcessState.UserTime() + w.cmd.ProcessState.SystemTime()
}

// kill ends the process at once.
func (w *worker) kill() {
	w.gone.Do(func() {
		_ = w.cmd.Process.Kill()
		w.sock.Close()
	})
}

// deliver passes the worker's messages to its runs, until it ends. A worker that
// sends an invalid message is not used again.
func (w *worker) deliver() {
	defer w.kill()
	for {
		f, err := w.pipe.receive()
		if err != nil {
			return
		}
		w.mu.Lock()
		to := w.runs[f.run]
		w.mu.Unlock()
		if to == nil {
			return
		}
		select {
		case to <- f:
		case <-w.dead:
			return
		}
	}
}

// begin registers a run.
func (w *worker) begin() (uint32, chan frame) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	frames := make(chan frame, 16)
	w.runs[w.next] = frames
	return w.next, frames
}

func (w *worker) end(id uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.runs, id)
	w.used = time.Now()
}

// busy tells whether it has runs, and else since when it has none.
func (w *worker) busy() (bool, time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.runs) > 0, w.used
}

// alive reports whether the process is there.
func (w *worker) alive() bool {
	select {
	case <-w.dead:
		return false
	default:
		return true
	}
}

// lastWords keeps the beginning of a child's standard error: Go says first why
// it dies.
type lastWords struct {
	mu sync.Mutex
	b  bytes.Buffer
}

const maxWords = 16 << 10

func (l *lastWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if room := maxWords - l.b.Len(); room > 0 {
		l.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// end is its first line that says something.
func (l *lastWords) end() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		line, err := l.b.ReadString('\n')
		if line = strings.TrimSpace(line); line != "" || errors.Is(err, io.EOF) {
			return line
		}
	}
}
