package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// dialect is all that SQLite and PostgreSQL do not have in common below the
// opening of a database. Queries are written once: with ? for values, with
// RETURNING for ids, and with PostgreSQL's row locks, which SQLite needs none
// of since its transactions begin with the lock on the whole file.
type dialect struct {
	postgres bool
	marks    string   // folder of the marks of hosts, see package alive; "" not known
	texts    sync.Map // queries as written -> as this database reads them
}

var noLocks = strings.NewReplacer(" FOR UPDATE SKIP LOCKED", "", " FOR UPDATE", "")

func (d *dialect) query(written string) string {
	if q, ok := d.texts.Load(written); ok {
		return q.(string)
	}
	q := noLocks.Replace(written)
	if d.postgres {
		q = numbered(written)
	}
	d.texts.Store(written, q)
	return q
}

// numbered turns ? into $1, $2 and so on. No query has one in a literal.
func numbered(query string) string {
	var b strings.Builder
	for i, part := range strings.Split(query, "?") {
		if i > 0 {
			b.WriteString("$" + strconv.Itoa(i))
		}
		b.WriteString(part)
	}
	return b.String()
}

// args makes text fit: see bytes.go.
func (d *dialect) args(args []any) []any {
	if !d.postgres {
		return args
	}
	fit := slices.Clone(args)
	for i, a := range fit {
		if s, ok := a.(string); ok {
			fit[i] = escape(s)
		}
	}
	return fit
}

// runner is a database or a transaction in it.
type runner interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}

// session asks and tells one database or transaction.
type session struct {
	ctx      context.Context
	dialect  *dialect
	on       runner
	prepared map[string]*sql.Stmt // of a transaction in SQLite; PostgreSQL's driver keeps its own
}

// exec returns how many rows a statement touched.
func (q *session) exec(query string, args ...any) (int64, error) {
	text := q.dialect.query(query)
	stmt, err := q.prepare(text)
	if err != nil {
		return 0, err
	}
	var res sql.Result
	if stmt != nil {
		res, err = stmt.ExecContext(q.ctx, args...)
	} else {
		res, err = q.on.ExecContext(q.ctx, text, q.dialect.args(args)...)
	}
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (q *session) rows(query string, args ...any) (*rows, error) {
	text := q.dialect.query(query)
	stmt, err := q.prepare(text)
	if err != nil {
		return nil, err
	}
	var found *sql.Rows
	if stmt != nil {
		found, err = stmt.QueryContext(q.ctx, args...)
	} else {
		found, err = q.on.QueryContext(q.ctx, text, q.dialect.args(args)...)
	}
	return &rows{found, q.dialect.postgres}, err
}

// row reads the first row that a query gives into dest. There is none:
// sql.ErrNoRows.
func (q *session) row(dest []any, query string, args ...any) error {
	found, err := q.rows(query, args...)
	if err != nil {
		return err
	}
	defer found.Close()
	if !found.Next() {
		if err := found.Err(); err != nil {
			return err
		}
		return sql.ErrNoRows
	}
	if err := found.Scan(dest...); err != nil {
		return err
	}
	return found.Close()
}

// value is row for one value.
func (q *session) value(into any, query string, args ...any) error {
	return q.row([]any{into}, query, args...)
}

// prepare keeps a transaction's statements, which are closed with it.
func (q *session) prepare(text string) (*sql.Stmt, error) {
	if q.prepared == nil {
		return nil, nil
	}
	if s, ok := q.prepared[text]; ok {
		return s, nil
	}
	s, err := q.on.(*sql.Tx).PrepareContext(q.ctx, text)
	if err == nil {
		q.prepared[text] = s
	}
	return s, err
}

// rows reads back what args wrote.
type rows struct {
	*sql.Rows
	escaped bool
}

func (r *rows) Scan(dest ...any) error {
	err := r.Rows.Scan(dest...)
	if r.escaped {
		for _, d := range dest {
			if s, ok := d.(*string); ok {
				*s = unescape(*s)
			}
		}
	}
	return err
}

// collect reads all rows of a query.
func collect[T any](found *rows, err error, scan func(*rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var list []T
	for found.Next() {
		one, err := scan(found)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, found.Err()
}

func scanID(r *rows) (id int64, err error) {
	err = r.Scan(&id)
	return id, err
}

// reading asks the database outside of any transaction.
func (d *database) reading(ctx context.Context) *session {
	return &session{ctx: ctx, dialect: d.dialect, on: d.read}
}

// inTx does something all or not at all.
func (d *database) inTx(ctx context.Context, do func(*session) error) error {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	q := &session{ctx: ctx, dialect: d.dialect, on: tx}
	if !d.dialect.postgres {
		q.prepared = map[string]*sql.Stmt{}
	}
	if err := do(q); err != nil {
		return err
	}
	return tx.Commit()
}

// where gathers the conditions of a query.
type where struct {
	conditions []string
	args       []any
}

func (w *where) and(condition string, args ...any) {
	w.conditions = append(w.conditions, condition)
	w.args = append(w.args, args...)
}

func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}

// stamp reads a time out of milliseconds.
type stamp struct{ into *time.Time }

func (s stamp) Scan(v any) error {
	ms, ok := v.(int64)
	if !ok {
		return fmt.Errorf("cannot read a time out of %T", v)
	}
	*s.into = fromMillis(ms)
	return nil
}

// tell runs one statement in its own transaction.
func (d *database) tell(ctx context.Context, verb, query string, args ...any) error {
	_, err := d.touch(ctx, verb, query, args...)
	return err
}

// touch is tell where it matters how many rows there were.
func (d *database) touch(ctx context.Context, verb, query string, args ...any) (touched int64, err error) {
	err = d.inTx(ctx, func(q *session) (err error) {
		touched, err = q.exec(query, args...)
		return err
	})
	return touched, d.writeError(verb, err)
}

// now is the clock that leases go by: the server's, where machines share one.
func (q *session) now() (time.Time, error) {
	if !q.dialect.postgres {
		return time.Now(), nil
	}
	var now time.Time
	err := q.value(stamp{&now}, `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint`)
	return now, err
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func orNow(t time.Time) time.Time {
	if t.IsZero() {
		return time.Now()
	}
	return t
}
