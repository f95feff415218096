package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// Codes of PostgreSQL that we know what to say about.
const (
	pgNoTable     = "42P01"
	pgLockTimeout = "55P03"
	pgDeadlock    = "40P01"
)

// connectTime is how long a server may take to answer, where the address does
// not say.
const connectTime = 10 * time.Second

func (d *database) openPostgres(ctx context.Context, address string) error {
	d.dialect = &dialect{postgres: true}
	d.path = withoutPassword(address)
	config, err := pgx.ParseConfig(address)
	if err != nil {
		// pgx's words may hold the password
		return errors.New("the address cannot be read: write postgres://user@host/database")
	}
	for name, value := range map[string]string{
		"application_name": "pushlane",
		"lock_timeout":     "5s",
		// A host that hangs in the middle must not keep the others out.
		"idle_in_transaction_session_timeout": "60s",
	} {
		if _, given := config.RuntimeParams[name]; !given {
			config.RuntimeParams[name] = value
		}
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTime
	}
	d.write = stdlib.OpenDB(*config)
	d.write.SetMaxOpenConns(8)
	d.write.SetMaxIdleConns(4)
	d.write.SetConnMaxIdleTime(5 * time.Minute)
	d.read = d.write
	d.bell.listen = listener(config.Copy())
	return d.migratePostgres(ctx)
}

// withoutPassword is an address that may appear in a message.
func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the PostgreSQL database"
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	q := u.Query()
	for _, secret := range []string{"password", "sslpassword"} {
		q.Del(secret)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func (d *database) versionPostgres(ctx context.Context) (int, error) {
	var v sql.NullInt64
	err := d.write.QueryRowContext(ctx, "SELECT max(version_id) FROM goose_db_version WHERE is_applied").Scan(&v)
	if hasPgCode(err, pgNoTable) {
		err = nil
	}
	return int(v.Int64), err
}

// migration is the advisory lock of who lays tables.
const migration = 0x70757368 // "push"

func (d *database) migratePostgres(ctx context.Context) error {
	if done, err := d.migrated(ctx, d.versionPostgres); done || err != nil {
		return err
	}
	lock, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer lock.Rollback()
	for _, set := range []string{
		"SET LOCAL lock_timeout = 0", "SET LOCAL idle_in_transaction_session_timeout = 0",
		fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", migration),
	} {
		if _, err := lock.ExecContext(ctx, set); err != nil {
			return err
		}
	}
	if done, err := d.migrated(ctx, d.versionPostgres); done || err != nil {
		return err
	}
	return d.up(ctx, goose.DialectPostgres, "schema/postgres")
}

func hasPgCode(err error, code string) bool {
	e := (*pgconn.PgError)(nil)
	return errors.As(err, &e) && e.Code == code
}

// queuedChannel is where hosts tell each other that a run was queued.
const queuedChannel = "pushlane_queued"

// listener waits on a separate connection and rings for every notification, until
// the connection breaks.
func listener(config *pgx.ConnConfig) func(context.Context, func()) error {
	return func(ctx context.Context, ring func()) error {
		conn, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		if _, err := conn.Exec(ctx, "LISTEN "+queuedChannel); err != nil {
			return err
		}
		for {
			ring() // the first time for what came before we listened
			if _, err := conn.WaitForNotification(ctx); err != nil {
				return err
			}
		}
	}
}

// postgresHint says what to do about the faults that people meet.
func postgresHint(where string, err error) string {
	if e := (*pgconn.PgError)(nil); errors.As(err, &e) {
		switch {
		case e.Code == pgLockTimeout:
			return "another process has locked a row for 5 seconds: try again"
		case e.Code == "53100":
			return "the disk of the PostgreSQL server is full: make room there"
		case e.Code == "53300":
			return "the PostgreSQL server has no connection left: raise its max_connections; a host needs up to 9"
		case e.Code == "3D000":
			return fmt.Sprintf("create the database first, in UTF-8 (createdb -E UTF8 -T template0); the address is %s", where)
		case e.Code[:2] == "28":
			return "PostgreSQL rejected the login: check the user, the password and pg_hba.conf"
		case e.Code == "42501":
			return "the user must be able to make tables: GRANT CREATE ON SCHEMA public TO the user"
		case e.Code == "25006":
			return "the server is read-only, perhaps a standby: name the primary"
		}
	}
	if e := (*pgconn.ConnectError)(nil); errors.As(err, &e) {
		return "no PostgreSQL server responds there: start it, or fix the address"
	}
	return ""
}

// transientPostgres reports whether the server is away, full or busy: the
// classes of codes are connection, transaction rollback, resources, locks and
// operators.
func transientPostgres(err error) bool {
	if e := (*pgconn.PgError)(nil); errors.As(err, &e) {
		return slices.Contains([]string{"08", "25", "40", "53", "55", "57", "58"}, e.Code[:min(2, len(e.Code))])
	}
	return errors.As(err, new(*pgconn.ConnectError)) || errors.Is(err, driver.ErrBadConn) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, new(net.Error))
}

// tellQueued makes PostgreSQL wake other hosts when the transaction is committed.
func (q *session) tellQueued() error {
	if !q.dialect.postgres {
		return nil
	}
	_, err := q.exec(`SELECT pg_notify(?, '')`, queuedChannel)
	return err
}
