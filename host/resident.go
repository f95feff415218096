package host

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/report"
)

// Resident serves hook calls on a unix socket, so that a push does not pay
// for starting a process, reading indexes and compiling modules.
type Resident struct {
	Host  *Host
	Log   *logrus.Logger
	Idle  time.Duration // without a call for so long it leaves; 0: never
	Stop  time.Duration // that calls under way have once ctx ends; 0: 50 seconds
	Ready func()        // called once the socket answers; may be nil

	// Server: it also works the queue, starts nightly lanes, takes in what hooks
	// left while it was away, and clears up.
	Server bool

	busy atomic.Int64
	last atomic.Int64 // unix nanoseconds of the last call's end
}

// ErrRunning says that another resident holds the state folder.
var ErrRunning = errors.New("a resident host is already running")

// stopTime is how long calls under way may take once the host is told to stop;
// pushlane.service gives it some more (TimeoutStopSec).
const stopTime = 50 * time.Second

// Serve listens until ctx ends, the idle time passes or a caller of another
// build shows that this one is outdated. Calls under way are finished, within
// Stop where ctx ended; new ones find no socket and are judged in their hook.
func (r *Resident) Serve(ctx context.Context) error {
	state := r.Host.State()
	unlock, err := lockState(state)
	if err != nil {
		return err
	}
	defer unlock()
	path := config.SocketPath(state)
	os.Remove(path) // we hold the lock, so its owner has ended
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	open, leave := context.WithCancel(ctx)
	context.AfterFunc(open, func() { listener.Close() })
	r.Host.resident, r.Host.journal = true, journal{r.Log}
	r.Host.warn = func(err error) { r.Log.WithError(err).Warn("afterwards") }
	go r.watchIdle(open, leave)
	var work sync.WaitGroup
	defer work.Wait()
	defer leave() // first: wake what the work waits for
	if r.Server {
		work.Go(func() { r.server(open) })
	} else {
		r.every(open, &work, time.Minute, "runs of hosts that ended", func() error {
			lines, err := upkeep{r.Host}.endAbandoned(open)
			lost, lostErr := upkeep{r.Host}.endLost(open)
			r.say(append(lines, lost...))
			return errors.Join(err, lostErr)
		})
	}
	if r.Ready != nil {
		r.Ready()
	}
	calls, end := r.callTime(ctx)
	defer end()
	return r.accept(calls, open, listener.(*net.UnixListener), leave)
}

// callTime is the context of calls: it outlives ctx by the time to stop.
func (r *Resident) callTime(ctx context.Context) (context.Context, context.CancelFunc) {
	calls, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := cmp.Or(r.Stop, stopTime)
	context.AfterFunc(ctx, func() {
		if n := r.busy.Load(); n > 0 {
			r.Log.Infof("stopping: %s under way, at most %s more", printable.Count(int(n), "call"), stop)
		}
		time.AfterFunc(stop, end)
	})
	return calls, end
}

// maxAcceptPause is the longest pause after a call that could not be accepted.
const maxAcceptPause = time.Second

// accept serves calls under ctx until open ends; the calls under way go on. A
// call that cannot be accepted (no file descriptor is free) waits in the
// socket's line and is tried again.
func (r *Resident) accept(ctx, open context.Context, l *net.UnixListener, leave func()) error {
	build := Stamp()
	var calls sync.WaitGroup
	defer calls.Wait()
	wait := time.Duration(0)
	for {
		conn, err := l.AcceptUnix()
		switch {
		case open.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("cannot accept: %w", err)
		case err != nil:
			if wait == 0 {
				r.Log.WithError(err).Warn("cannot accept a call, trying again")
			}
			wait = min(maxAcceptPause, max(5*time.Millisecond, 2*wait))
			pause(open, wait)
			continue
		}
		wait = 0
		r.busy.Add(1)
		calls.Go(func() {
			defer r.done()
			if err := r.serve(ctx, conn, build); errors.Is(err, errOtherBuild) && r.outdated(build) {
				r.Log.Info("exiting: a caller of another build connected")
				leave()
			} else if err != nil {
				r.Log.WithError(err).Warn("call not served")
			}
		})
	}
}

// outdated tells whether a caller of another build is reason to leave: for a
// developer's host always, for a server's when its program was replaced.
func (r *Resident) outdated(build string) bool { return !r.Server || Stamp() != build }

// done notes the end of a call. A second after the last one, what the calls
// left behind goes back to the system: a resident that waits should be small.
func (r *Resident) done() {
	r.last.Store(time.Now().UnixNano())
	r.busy.Add(-1)
	time.AfterFunc(time.Second, func() {
		if r.busy.Load() == 0 && time.Since(time.Unix(0, r.last.Load())) >= time.Second {
			debug.FreeOSMemory()
		}
	})
}

// serve answers one connection. The context of a call ends when its client
// goes away, so that Ctrl-C at a push stops its lanes.
func (r *Resident) serve(ctx context.Context, conn *net.UnixConn, build string) error {
	defer conn.Close()
	var mu sync.Mutex
	say := func(kind byte, p ...byte) error {
		_, err := frameWriter{&mu, impatient{conn}, kind}.Write(p)
		return err
	}
	if err := samePeer(conn, os.Getuid()); err != nil {
		return err
	}
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	in := bufio.NewReader(conn)
	call, err := readCall(in, build)
	if err != nil {
		return errors.Join(err, say('u'))
	}
	conn.SetReadDeadline(time.Time{})
	if err := say('k'); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { in.ReadByte(); cancel() }() // anything after the call's end is its end
	go beat(ctx, func() error { return say('b') }, cancel)
	to := impatient{conn}
	code := r.Host.Judge(ctx, call, report.Output{Out: frameWriter{&mu, to, 'o'}, Err: frameWriter{&mu, to, 'e'}})
	return say('x', byte(code))
}

// beatEvery is how often a client hears that its call is being judged.
const beatEvery = 5 * time.Second

// beat sends heartbeats until ctx ends; a failed write means that the client has
// disconnected.
func beat(ctx context.Context, say func() error, gone func()) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if say() != nil {
				gone()
			}
		}
	}
}

// impatient is a connection whose client must read: a lane does not hold its
// slot for a client that is stopped.
type impatient struct{ conn *net.UnixConn }

// readTime is how long a client may leave a full socket unread.
const readTime = time.Minute

func (i impatient) Write(p []byte) (int, error) {
	i.conn.SetWriteDeadline(time.Now().Add(readTime))
	return i.conn.Write(p)
}

// samePeer refuses callers that are not the user of that id.
func samePeer(conn *net.UnixConn, uid int) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	if cerr := raw.Control(func(fd uintptr) {
		cred,
			err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); cerr != nil {
		return cerr
	}
	if err == nil && int(cred.Uid) != uid {
		err = fmt.Errorf("cannot serve uid %d: this host belongs to uid %d", cred.Uid, uid)
	}
	return err
}

func (r *Resident) watchIdle(ctx context.Context, leave func()) {
	if r.Idle <= 0 {
		return
	}
	r.last.Store(time.Now().UnixNano())
	tick := time.NewTicker(r.Idle / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			quiet := time.Since(time.Unix(0, r.last.Load()))
			if r.busy.Load() == 0 && quiet >= r.Idle {
				r.Log.Info("exiting: idle")
				leave()
			}
		}
	}
}

// lockState makes the state folder private and takes its lock, which the
// kernel lets go of when this process ends, however it ends.
func lockState(state string) (unlock func(), err error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, fmt.Errorf("cannot create state folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(state, "host.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock state folder: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, ErrRunning
	}
	return func() { f.Close() }, nil
}

// Stamp names this build as pushlane-hook does: size and modification time of
// the program's file.
func Stamp() string {
	exe, err := os.Executable()
	if err != nil {
		return "none"
	}
	info, err := os.Stat(exe)
	if err != nil {
		return "none"
	}
	return strconv.FormatInt(info.Size(), 10) + "." + strconv.FormatInt(info.ModTime().UnixNano(), 10)
}
