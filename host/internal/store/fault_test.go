package store

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// holdTheLock is a process in the middle of a write until its input ends.
func holdTheLock(where string) error {
	ctx := context.Background()
	s, err := Open(ctx, where)
	if err != nil {
		return err
	}
	return s.db.inTx(ctx, func(q *session) error {
		if _, err := q.exec(`UPDATE repositories SET name = 'held'`); err != nil {
			return err
		}
		fmt.Println("held")
		_, err := io.ReadAll(os.Stdin)
		return err
	})
}

// TestALockOfAnotherProcess stays for longer than anybody waits.
func TestALockOfAnotherProcess(t *testing.T) {
	want := map[backend][2]string{
		sqliteBackend: {"database is locked (5) (SQLITE_BUSY)",
			"another process has locked the database for 30 seconds: try again"},
		postgresBackend: {"ERROR: canceling statement due to lock timeout (SQLSTATE 55P03)",
			"another process has locked a row for 5 seconds: try again"},
	}
	onEach(t, func(t *testing.T, on backend) {
		ctx, where := context.Background(), on.where(t)
		begin(t, open(t, where), waiting("/r", 1))
		impatient := where
		if on == postgresBackend {
			impatient += "&lock_timeout=1"
		}
		s := open(t, impatient)
		if on == sqliteBackend {
			if _, err := s.db.write.Exec("PRAGMA busy_timeout = 1"); err != nil { // in place of the thirty seconds
				t.Fatal(err)
			}
		}
		cmd := again("hold", where)
		in, _ := cmd.StdinPipe()
		out, _ := cmd.StdoutPipe()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line, _ := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
			t.Fatalf("it said %q", line)
		}
		_, err := s.Begin(ctx, waiting("/r", 2))
		checkError(t, err, "cannot begin a run of web: "+want[on][0], want[on][1])
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		if runs, err := s.Runs(ctx, Filter{}); err != nil || len(runs) != 1 || runs[0].RepoName != "held" {
			t.Errorf("%+v %v", runs, err)
		}
		if run := begin(t, s, waiting("/r", 2)); run.Number != 2 {
			t.Errorf("the next run is #%d", run.Number)
		}
	})
}

// fillTheDisk is a process that may write no file beyond 2 MiB, or in a file
// separate system of that size, and begins runs until one cannot be stored.
// Where is "limit" or "tmpfs", then a colon and a folder.
func fillTheDisk(where string) error {
	how, dir, _ := strings.Cut(where, ":")
	const room = 2 << 20
	switch how {
	case "limit":
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: room, Max: room}); err != nil {
			return err
		}
	case "tmpfs":
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", room)); err != nil {
			return err
		}
	}
	ctx := context.Background()
	s, err := Open(ctx, filepath.Join(dir, "runs.db"))
	kept := 0
	n := newRun("/r", 1)
	n.Lanes[1].Reason = strings.Repeat("long ", 1000)
	for ; err == nil; kept++ {
		_, err = s.Begin(ctx, n)
	}
	fmt.Println(err)
	if h, ok := err.(interface{ Hint() string }); ok {
		fmt.Println(h.Hint())
	}
	runs, err := s.Runs(ctx, Filter{Limit: 1000})
	for _, r := range runs {
		if len(r.Updates) != 2 || r.Total != 1 {
			err = errors.Join(err, fmt.Errorf("half a run: %+v", r))
		}
	}
	if len(runs) != kept-1 || kept < 5 {
		err = errors.Join(err, fmt.Errorf("%d of %d runs were kept", len(runs), kept-1))
	}
	return err
}

func TestAFullDisk(t *testing.T) {
	tests := map[string]struct{ want, hint string }{
		"limit": {"disk I/O error (778)",
			"the disk of DIR does not take it: look for a quota, a limit on file sizes (ulimit -f) or a failing disk (dmesg)"},
		"tmpfs": {"database or disk is full (13)", "the disk of DIR is full: make room, or name another state folder"},
	}
	for how, test := range tests {
		t.Run(how, func(t *testing.T) {
			dir := t.TempDir()
			cmd := again("fill", how+":"+dir)
			if how == "tmpfs" { // a separate mount namespace
				me, root := os.Getuid(), os.Getgid()
				cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
					UidMappings: []syscall.SysProcIDMap{{HostID: me, Size: 1}},
					GidMappings: []syscall.SysProcIDMap{{HostID: root, Size: 1}}}
			}
			out, err := cmd.Output()
			if how == "tmpfs" && len(out) == 0 && errors.Is(err, syscall.EPERM) ||
				strings.Contains(string(out), "operation not permitted") {
				t.Skip("this machine lets us mount nothing")
			}
			want := "cannot begin a run of web: " + test.want + "\n" + strings.ReplaceAll(test.hint, "DIR", dir) + "\n"
			if err != nil || string(out) != want {
				t.Errorf("\n got %s%v\nwant %s", out, err, want)
			}
		})
	}
}

func TestOpeningPostgresTells(t *testing.T) {
	where := postgresBackend.where(t)
	s := open(t, where)
	for _, statement := range []string{
		"DROP ROLE IF EXISTS store_guest", "CREATE ROLE store_guest LOGIN", "DROP DATABASE IF EXISTS store_closed",
		"CREATE DATABASE store_closed", "REVOKE ALL ON DATABASE store_closed FROM PUBLIC",
	} {
		if _, err := s.db.write.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	with := func(change func(*url.URL)) string {
		u, err := url.Parse(where)
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return u.String()
	}
	newer := postgresBackend.where(t)
	if _, err := open(t,
		newer).db.write.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9, TRUE)"); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ address, want, hint string }{
		"no server": {"postgres://me:secret@127.0.0.1:1/x?sslmode=disable&password=secret2&connect_timeout=5",
			"cannot open postgres://me@127.0.0.1:1/x?connect_timeout=5&sslmode=disable: failed to connect to ",
			"no PostgreSQL server responds there: start it, or fix the address"},
		"no database": {with(func(u *url.URL) { u.Path = "/none" }), `database "none" does not exist`,
			"create the database first"},
		"nobody": {with(func(u *url.URL) { u.User = url.User("nobody_here") }), `role "nobody_here" does not exist`,
			"PostgreSQL rejected the login"},
		"no right to the database": {with(func(u *url.URL) { u.User, u.Path = url.User("store_guest"), "/store_closed" }),
			`permission denied for database "store_closed"`, ""},
		"no right to make tables": {with(func(u *url.URL) {
			u.User, u.RawQuery = url.User("store_guest"), strings.Replace(u.RawQuery, "search_path=", "search_path=public&x.y=",
				1)
		}),
			"permission denied for schema public", "the user must be able to make tables"},
		"an address that is none": {"postgres://me:secret@host:port/x",
			"the address cannot be read: write postgres://user@host/database", ""},
		"a newer schema": {newer, "its schema has version 9, and this pushlane knows up to 7",
			"a newer pushlane has written there"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Open(context.Background(), test.address)
			if err == nil || !strings.HasPrefix(err.Error(), "cannot open ") || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("\n got %v\nwant %s", err, test.want)
			}
			var h interface{ Hint() string }
			if !errors.As(err, &h) || !strings.HasPrefix(h.Hint(), test.hint) {
				t.Errorf("hint of %v, want %s", err, test.hint)
			}
			if strings.Contains(err.Error()+h.Hint(), "secret") {
				t.Errorf("the password is shown: %v", err)
			}
		})
	}
}

func TestAPostgresThatIsReadOnly(t *testing.T) {
	s := postgresBackend.fresh(t)
	where := s.Path()
	ro := open(t, where+"&default_transaction_read_only=on")
	_, err := ro.Begin(context.Background(), newRun("/r", 1))
	checkError(t, err,
		"cannot begin a run of web: ERROR: cannot execute INSERT in a read-only transaction (SQLSTATE 25006)",
		"the server is read-only, perhaps a standby: name the primary")
}

// TestAConnectionThatBreaks: what was being written is not kept by half, and the
// store works again when the server is back.
func TestAConnectionThatBreaks(t *testing.T) {
	ctx, s := context.Background(), postgresBackend.fresh(t)
	begin(t, s, newRun("/r", 1))
	err := s.db.inTx(ctx, func(q *session) error {
		run := newRun("/r", 1).run()
		if _, err := q.insertRun(&run, nil, false, nil); err != nil {
			return err
		}
		var me int
		if err := q.value(&me, `SELECT pg_backend_pid()`); err != nil {
			return err
		}
		other, err := sql.Open("pgx", os.Getenv(serverVar))
		if err != nil {
			return err
		}
		defer other.Close()
		_, err = other.Exec("SELECT pg_terminate_backend($1)", me)
		return err
	})
	if err == nil {
		t.Error("a transaction whose connection broke was kept")
	}
	if run := begin(t, s, newRun("/r", 1)); run.Number != 2 {
		t.Errorf("the next run is #%d", run.Number)
	}
}
