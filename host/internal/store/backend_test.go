package store

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// backend is a kind of database that every test of behaviour runs against.
type backend string

const (
	sqliteBackend   backend = "sqlite"
	postgresBackend backend = "postgres"
)

// onEach runs a test against SQLite and, where a server is found, PostgreSQL.
func onEach(t *testing.T, test func(t *testing.T, on backend)) {
	for _, on := range []backend{sqliteBackend, postgresBackend} {
		t.Run(string(on), func(t *testing.T) { test(t, on) })
	}
}

// where is the place of a new, empty database.
func (on backend) where(t testing.TB) string {
	t.Helper()
	if on == sqliteBackend {
		return filepath.Join(t.TempDir(), "state", "runs.db")
	}
	return newDatabase(t)
}

func (on backend) fresh(t testing.TB) *Store {
	t.Helper()
	return open(t, on.where(t))
}

// Variables by which TestMain tells the tests about the server, and a test
// tells this binary, started again, what to do.
const (
	serverVar  = "STORE_TEST_POSTGRES"
	doVar      = "STORE_TEST_DO"
	whereVar   = "STORE_TEST_WHERE"
	requireVar = "PUSHLANE_REQUIRE_POSTGRES"
)

// TestMain starts one PostgreSQL server for all tests, and lets the tests
// start this binary again as a process to be killed.
func TestMain(m *testing.M) {
	if do := os.Getenv(doVar); do != "" {
		os.Exit(helper(do, os.Getenv(whereVar)))
	}
	os.Exit(withServer(m))
}

func withServer(m *testing.M) int {
	address, stop, err := startPostgres()
	if err != nil && os.Getenv(requireVar) == "1" {
		fmt.Fprintln(os.Stderr, "cannot start PostgreSQL:", err)
		return 1
	}
	if err == nil {
		defer stop()
		os.Setenv(serverVar, address)
	}
	return m.Run()
}

// again is this binary as a helper process.
func again(do, where string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), doVar+"="+do, whereVar+"="+where)
	return cmd
}

func helper(do, where string) int {
	helpers := map[string]func(string) error{
		"write": writeUntilKilled, "claim": claimAndStay, "hold": holdTheLock, "fill": fillTheDisk, "take": takeAll,
	}
	if err := helpers[do](where); err != nil {
		fmt.Println("error", err)
		return 1
	}
	return 0
}

// newDatabase is a separate schema in the one database.
func newDatabase(t testing.TB) string {
	t.Helper()
	server := os.Getenv(serverVar)
	if server == "" {
		t.Skip("no PostgreSQL server is installed; " + requireVar + "=1 makes this a failure")
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("t%d_%d", os.Getpid(), time.Now().UnixNano())
	db, err := sql.Open("pgx", server)
	if err == nil {
		defer db.Close()
		_, err = db.Exec("CREATE SCHEMA " + name)
	}
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// startPostgres makes a cluster in a temporary folder and serves it on a unix
// socket there, as another user where this one is root: the server insists.
func startPostgres() (address string, stop func(), err error) {
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(bins) == 0 {
		return "", nil, fmt.Errorf("there is no /usr/lib/postgresql/*/bin")
	}
	bin := slices.MaxFunc(bins, func(a, b string) int { return version(a) - version(b) })
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		return "", nil, err
	}
	remove := func() { os.RemoveAll(dir) }
	as, err := unprivileged(dir)
	if err == nil {
		err = runAs(as, filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "pushlane", "-A", "trust",
			"-E", "UTF8", "--locale=C", "--no-sync")
	}
	if err != nil {
		remove()
		return "", nil, err
	}
	server := exec.Command(filepath.Join(bin, "postgres"), "-D", filepath.Join(dir, "data"), "-k", dir, "-h", "",
		"-F", "-c", "max_connections=200", "-c", "full_page_writes=off")
	server.SysProcAttr = &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGQUIT}
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	runtime.LockOSThread() // the signal above is sent when this thread ends
	if err := server.Start(); err != nil {
		remove()
		return "", nil, err
	}
	stop = func() { server.Process.Signal(syscall.SIGQUIT); server.Wait(); remove() }
	address = "postgres://pushlane@/postgres?host=" + url.QueryEscape(dir)
	if err := answers(address); err != nil {
		stop()
		return "", nil, fmt.Errorf("%w\n%s", err, log.String())
	}
	return address, stop, nil
}

func version(bin string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	return n
}

// unprivileged gives the folder to a user who may run a server: nil is us.
func unprivileged(dir string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, uid, gid)
}

func runAs(as *syscall.Credential, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Credential: as}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// answers waits until the server takes connections.
func answers(address string) error {
	db, err := sql.Open("pgx", address)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		if err = db.PingContext(ctx); err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}
