// Package hookclient is what git hooks call: it passes the push to the resident
// pushlane over a unix socket and copies its lines back. If there is none it
// executes `pushlane hook`, which judges in its own process and starts a resident
// for the next push.
//
// It is in two programs. pushlane-hook has nothing else and is small on purpose:
// every package that it links costs time at every push (1.3 ms instead of 5 ms for
// the whole program). Where that program is missing, as after `go install`, hooks
// call `pushlane hook` with the client's own arguments, which begin with two
// dashes. host/wire.go describes the frames; both ends send their version.
package hookclient

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

const wireVersion = "2"

// Name is the program that has nothing but this package.
const Name = "pushlane-hook"

// Args are what a hook gives the program bin before the client's own arguments.
func Args(bin string) []string {
	if filepath.Base(bin) == Name {
		return nil
	}
	return []string{"hook"}
}

// Called tells whether the arguments of pushlane, without its name, are those of a
// hook that calls the client, and returns the client's own.
func Called(args []string) (own []string, ok bool) {
	if len(args) < 2 || args[0] != "hook" || !strings.HasPrefix(args[1], "--earlier=") &&
		!strings.HasPrefix(args[1], "--policy=") {
		return nil, false
	}
	return args[1:], true
}

// Run handles one call of a hook and returns the exit status. main is the path of
// pushlane. Args are options, the gate and git's own arguments.
func Run(main string, args []string) int {
	before := readEarlier(args, os.Environ())
	dropTmpdir()
	if args = serverArgs(args); len(args) == 0 {
		return fail("cannot judge: no hook named", "this program is called by git hooks; see: pushlane install")
	}
	if args[0] == "proc-receive" { // a conversation: git waits for our answers
		return become(main, args)
	}
	stdin, err := readStdin(args[0])
	if err != nil {
		return fail("cannot read git's ref lines: "+err.Error(),
			"push fewer refs at once, with shorter names: git push origin main")
	}
	if len(stdin) == 0 && missing(args[0], os.Stdin) {
		return fail("cannot read git's ref lines: there are none (push refused)",
			"push again; what calls the hook must give it git's standard input")
	}
	if code := before.run(args, stdin); code != 0 {
		return code
	}
	if code, served := ask(main, args, stdin); served && (code == 0 || args[0] != "post-receive") {
		return code
	}
	return inline(main, args, stdin)
}

// serverArgs takes the arguments that `pushlane install --server` put before
// the gate. At a server's gate they alone say where the policy and the state
// are: variables come from the pusher.
func serverArgs(args []string) []string {
	set := map[string]string{}
	for len(args) > 0 && strings.HasPrefix(args[0], "--") {
		key, value, _ := strings.Cut(args[0], "=")
		set[key], args = value, args[1:]
	}
	if len(args) == 0 || !receives(args[0]) {
		return args
	}
	for _, pair := range os.Environ() {
		key, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(key, "PUSHLANE_") && key != "PUSHLANE_HOOK" {
			os.Unsetenv(key)
		}
	}
	for key, name := range map[string]string{"--policy": "PUSHLANE_CONFIG", "--state": "PUSHLANE_STATE",
		"--per-ref": "PUSHLANE_PER_REF"} {
		if set[key] != "" {
			os.Setenv(name, set[key])
		}
	}
	os.Setenv("PUSHLANE_PUSH", pushName())
	return args
}

// dropTmpdir leaves a temporary folder out that is not there, or is another
// one in every working folder: then the system's is used.
func dropTmpdir() {
	dir := os.Getenv("TMPDIR")
	if info, err := os.Stat(dir); dir != "" && (!filepath.IsAbs(dir) || err != nil || !info.IsDir()) {
		os.Unsetenv("TMPDIR")
	}
}

// pushName names the push: git's process that runs all of its hooks, and when
// that began. Some servers have a script of their own between it and us.
func pushName() string {
	name := ""
	for pid, up := strconv.Itoa(os.Getppid()), 0; up < 8; up++ {
		stat, _ := os.ReadFile("/proc/" + pid + "/stat")
		before, after, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(after)
		if len(fields) < 20 {
			break
		}
		program := before[strings.IndexByte(before, '(')+1:]
		this := pid + "." + fields[19] // field 22 of the file: ticks since boot
		if program == "git" || strings.HasPrefix(program, "git-receive-pac") {
			return this
		}
		if name == "" {
			name = this
		}
		pid = fields[1]
	}
	return name
}

func receives(gate string) bool {
	return gate == "pre-receive" || gate == "proc-receive" || gate == "post-receive"
}

// readStdin reads what git writes to the hooks that get something.
func readStdin(gate string) ([]byte, error) {
	if reads(gate) {
		return readMost(os.Stdin, maxRefLines)
	}
	return nil, nil
}

// missing tells whether no input is none of git's: it never calls pre-receive
// for nothing, and gives pre-push a pipe also where nothing is pushed.
func missing(gate string, stdin *os.File) bool {
	if gate != "pre-push" {
		return gate == "pre-receive"
	}
	info, err := stdin.Stat()
	return err != nil || info.Mode()&os.ModeCharDevice != 0 // closed, it was opened as /dev/null
}

// reads tells whether git gives the gate's hook ref lines.
func reads(gate string) bool {
	return gate == "pre-push" || gate == "pre-receive" || gate == "post-receive"
}

// maxRefLines is what the ref lines of one push may take, in bytes; see
// hooks.MaxRefLines.
const maxRefLines = 64 << 20

// readMost reads to the end of r. What is longer than most bytes is refused:
// what was not read was not judged.
func readMost(r io.Reader, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(data)) > most {
		return nil, errors.New("they are longer than " + strconv.FormatInt(most>>20, 10) + " MiB")
	}
	return data, err
}

// inline replaces this process by the whole program. The input was read
// already, so it goes through a pipe or, when that is too small, a file.
func inline(main string, args []string, stdin []byte) int {
	in, err := inputFile(stdin)
	if err != nil {
		return fail("cannot hand over git's ref lines: "+err.Error(), "check the space in the temporary folder")
	}
	if err := syscall.Dup2(int(in.Fd()), 0); err != nil {
		return fail("cannot hand over git's ref lines: "+err.Error(), "push again")
	}
	return become(main, args)
}

func become(main string, args []string) int {
	err := syscall.Exec(main, append([]string{main, "hook"}, args...), os.Environ())
	return fail("cannot run "+main+": "+err.Error(), "./install.sh")
}

func inputFile(stdin []byte) (*os.File, error) {
	f, err := os.CreateTemp("", "pushlane-*")
	if err != nil {
		return nil, err
	}
	os.Remove(f.Name())
	if _, err := f.Write(stdin); err != nil {
		return nil, err
	}
	_, err = f.Seek(0, io.SeekStart)
	return f, err
}

// ask hands the call to the resident host; served is false when there is none
// or it will not answer, and nothing was judged.
func ask(main string, args []string, stdin []byte) (code int, served bool) {
	if os.Getenv("PUSHLANE_RESIDENT") == "off" {
		return 0, false
	}
	state := stateFolder()
	if !filepath.IsAbs(state) { // no HOME: a socket below the working folder is not ours
		return 0, false
	}
	wait := usualWaits()
	conn, err := dial(filepath.Join(state, "host.sock"), wait.take)
	if err != nil {
		return 0, false
	}
	defer conn.Close()
	if _, err := conn.Write(request(main, args, stdin)); err != nil {
		return 0, false
	}
	callOff(conn)
	return copyBack(&host{conn: conn, fd: int(conn.Fd()), beat: wait.beat}, args[0])
}

// lastWords is how long a resident has to say what it called off.
const lastWords = 2 * time.Second

// callOff asks the resident to call the run off when this process is told to end;
// what it says of that is still copied back.
func callOff(conn *os.File) {
	told := make(chan os.Signal, 1)
	signal.Notify(told, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		number, _ := (<-told).(syscall.Signal)
		signal.Stop(told) // a second signal ends this process at once
		signal.Reset()
		_, _ = conn.Write([]byte{'.'})
		time.Sleep(lastWords)
		os.Exit(128 + int(number))
	}()
}

// dial connects to the socket and makes sure that its other end runs as us:
// another user's process must not be able to accept a push.
func dial(path string, wait time.Duration) (*os.File, error) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	bound(fd, wait)
	conn := os.NewFile(uintptr(fd), path)
	if err := syscall.Connect(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		conn.Close()
		return nil, err
	}
	cred, err := syscall.GetsockoptUcred(fd, syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	if err == nil && cred.Uid != uint32(os.Getuid()) {
		err = syscall.EPERM
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func request(main string, args []string, stdin []byte) []byte {
	var b []byte
	b = frame(b, 'v', wireVersion+" "+stamp(main))
	for _, arg := range args {
		b = frame(b, 'a', arg)
	}
	dir, _ := os.Getwd()
	b = frame(b, 'd', dir)
	for _, pair := range os.Environ() {
		b = frame(b, 'e', pair)
	}
	b = frame(b, 't', terminal())
	b = frame(b, 'i', string(stdin))
	return frame(b, '.', "")
}

func frame(b []byte, kind byte, payload string) []byte {
	n := len(payload)
	b = append(b, kind, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	return append(b, payload...)
}

// stamp names the build: a resident of another build is not asked.
func stamp(main string) string {
	info, err := os.Stat(main)
	if err != nil {
		return "none"
	}
	return strconv.FormatInt(info.Size(), 10) + "." + strconv.FormatInt(info.ModTime().UnixNano(), 10)
}

// maxFrame is the longest frame that a resident sends, in bytes.
const maxFrame = 1 << 20

// copyBack copies frames to our own output until the exit status comes. A
// connection that ends before it is a gate that cannot decide.
func copyBack(conn io.Reader, gate string) (code int, served bool) {
	head := make([]byte, 5)
	answered := false
	for {
		if _, err := io.ReadFull(conn, head); errors.Is(err, errSilent) {
			return silent(gate)
		} else if err != nil {
			return gone(answered, gate)
		}
		n := int64(head[1])<<24 | int64(head[2])<<16 | int64(head[3])<<8 | int64(head[4])
		if n > maxFrame {
			return gone(answered, gate)
		}
		payload := make([]byte, n)
		if _, err := io.ReadFull(conn, payload); errors.Is(err, errSilent) {
			return silent(gate)
		} else if err != nil {
			return gone(answered, gate)
		}
		switch head[0] {
		case 'k':
			answered = true
		case 'b': // it is still at work
		case 'o':
			write(1, payload)
		case 'e':
			write(2, payload)
		case 'x':
			if len(payload) == 1 {
				return int(payload[0]), true
			}
			return gone(true, gate)
		default: // 'u': not for you; anything else is not ours either
			return gone(answered, gate)
		}
	}
}

// disconnected: before the resident accepted the call nothing was judged, and this
// process judges; after that, the push is refused.
func gone(answered bool, gate string) (code int, served bool) {
	if !answered || gate == "post-receive" { // the push is in already: what comes after it is handed over again
		return 0, false
	}
	return fail("cannot decide: the resident pushlane ended while it judged (push refused)",
		"push again; see: pushlane doctor"), true
}

// terminal describes standard error: "1 120 40" is a terminal of 120 columns and 40
// rows.
func terminal() string {
	var size [4]uint16 // rows, columns, x, y
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, 2, syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return "0 0 0"
	}
	return "1 " + strconv.Itoa(int(size[1])) + " " + strconv.Itoa(int(size[0]))
}

// stateFolder is config's stateFolder, repeated here so that nothing is imported.
func stateFolder() string {
	if dir := os.Getenv("PUSHLANE_STATE"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "pushlane")
	}
	return filepath.Join(os.Getenv("HOME"), ".local", "state", "pushlane")
}

// write writes to an output and ignores errors: the verdict does not depend on
// whether anyone reads the output. A closed pipe ends a process that writes to 1
// or 2 itself.
func write(fd int, p []byte) {
	other, err := syscall.Dup(fd)
	if err != nil {
		return
	}
	out := os.NewFile(uintptr(other), "output")
	defer out.Close()
	_, _ = out.Write(p)
}

func fail(msg, hint string) int {
	write(2, []byte("pushlane: error: "+msg+"\npushlane: hint: "+hint+"\n"))
	return 3
}
