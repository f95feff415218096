package sdk

import (
	"errors"
	"iter"
	"strconv"
	"strings"
)

// opChanges lists changes, the paths of which one of some globs matches.
const opChanges = "changes.list@1"

// Limits of a query: the run is charged for comparing globs with paths, and one call
// must not take unlimited time.
const (
	MaxGlobs     = 1000
	MaxGlobBytes = 64 << 10 // of all globs together
)

// ChangesQuery is the request of the operations changes.list@1 and
// history.list@1.
type ChangesQuery struct {
	Globs  []string `json:"globs,omitempty"`  // see Match; none: every path
	Status string   `json:"status,omitempty"` // letters of the statuses that are wanted, "AM"; empty: all
	From   int      `json:"from,omitempty"`   // where to go on: Next of the page before
}

// ChangesPage is its response: as many changes as fit.
type ChangesPage struct {
	Changes []Change `json:"changes"`
	Next    int      `json:"next,omitempty"` // 0: there are no more
}

// Changed are the changed files that are in the pushed tree, in the order of
// their paths; with globs (see Match) only those that one of them matches. A
// bad glob makes the run broken.
//
// If the manifest's input does not list "changes", the host filters its own list: a
// plugin that reads ten of ten thousand receives ten.
func (r *Run) Changed(globs ...string) iter.Seq[Change] { return r.changes("AM", globs) }

// Deleted are the files that the push removes; globs as for Changed.
func (r *Run) Deleted(globs ...string) iter.Seq[Change] { return r.changes("D", globs) }

func (r *Run) changes(status string, globs []string) iter.Seq[Change] {
	list := listing{run: r, what: "changes", given: r.Changes, op: opChanges, grant: "repo.read"}
	return list.find(ChangesQuery{Globs: globs, Status: status})
}

// listing is a list of changes: one in the request, or one that the host has.
type listing struct {
	run   *Run
	what  string
	given []Change // nil: the host has it
	op    string   // that lists it
	grant string   // without which the host gives none
}

// find gives what a query finds, page by page.
func (l listing) find(q ChangesQuery) iter.Seq[Change] {
	return func(yield func(Change) bool) {
		for q := q; ; {
			page, err := l.page(q)
			if err != nil {
				l.run.faults.add(err)
				return
			}
			for _, c := range page.Changes {
				if !yield(c) {
					return
				}
			}
			if q.From = page.Next; q.From == 0 {
				return
			}
		}
	}
}

// page gives changes out of the request, or asks the host for them.
func (l listing) page(q ChangesQuery) (ChangesPage, error) {
	if l.given != nil {
		return pageOf(q, l.given)
	}
	if !l.run.offers(l.op) {
		return ChangesPage{}, errors.New("cannot list " + l.what + ": the host gives none to this run (grant " +
			l.grant + ")")
	}
	answer, err := l.run.host.call(l.op, q.AppendJSON(nil))
	if err != nil {
		return ChangesPage{}, err
	}
	return ParseChangesPage(answer)
}

func pageOf(q ChangesQuery, all []Change) (ChangesPage, error) {
	at := func(i int) (Change, bool, error) { return all[i], true, nil }
	return q.Page(len(all), at, len(all), func(int) error { return nil })
}

// Page returns the matching ones of n changes, at most one page; at returns each of
// them, or false if it is not visible. Before a glob is compared with a path, pay is
// called with the number of bytes of both. An error of either ends the page.
func (q ChangesQuery) Page(n int, at func(int) (Change, bool, error), most int,
	pay func(bytes int) error) (ChangesPage, error) {
	if err := q.bounded(); err != nil {
		return ChangesPage{}, err
	}
	match, err := NewMatcher(q.Globs...)
	if err != nil {
		return ChangesPage{}, err
	}
	for _, letter := range q.Status {
		if letter != 'A' && letter != 'M' && letter != 'D' {
			return ChangesPage{}, errors.New("cannot list changes of status " + strconv.QuoteRune(letter) + ": want A, M or D")
		}
	}
	if q.From < 0 || q.From > n {
		return ChangesPage{}, errors.New("cannot list changes from " + strconv.Itoa(q.From) + ": there are " +
			strconv.Itoa(n))
	}
	page := ChangesPage{Changes: []Change{}}
	for i := q.From; i < n; i++ {
		c, seen, err := at(i)
		if err == nil && seen && q.wants(c.Status) {
			seen, err = match.paid(c.Path, pay)
		}
		if err != nil {
			return ChangesPage{}, err
		}
		if !seen || !q.wants(c.Status) {
			continue
		}
		if len(page.Changes) == most {
			page.Next = i
			break
		}
		page.Changes = append(page.Changes, c)
	}
	return page, nil
}

func (q ChangesQuery) bounded() error {
	bytes := 0
	for _, g := range q.Globs {
		bytes += len(g)
	}
	switch {
	case len(q.Globs) > MaxGlobs:
		return errors.New("cannot list changes: " + strconv.Itoa(len(q.Globs)) + " globs, at most " +
			strconv.Itoa(MaxGlobs) + " are allowed")
	case bytes > MaxGlobBytes:
		return errors.New("cannot list changes: globs of " + strconv.Itoa(bytes) + " bytes, at most " +
			strconv.Itoa(MaxGlobBytes) + " are allowed")
	}
	return nil
}

func (q ChangesQuery) wants(status string) bool {
	return q.Status == "" || len(status) == 1 && strings.Contains(q.Status, status)
}

// AppendJSON appends the query as one JSON object.
func (q ChangesQuery) AppendJSON(b []byte) []byte {
	m := object(b)
	m.pathsOpt("globs", q.Globs)
	m.textOpt("status", q.Status)
	m.intOpt("from", int64(q.From))
	return m.end()
}

// ParseChangesQuery reads a query; see ParseRequest.
func ParseChangesQuery(b []byte) (ChangesQuery, error) {
	var q ChangesQuery
	d := decoder{s: string(b)}
	d.top(func() {
		d.object(func(key string) bool {
			switch key {
			case "globs":
				d.paths(&q.Globs)
			case "status":
				d.text(&q.Status)
			case "from":
				d.int(&q.From)
			default:
				return false
			}
			return true
		})
	})
	return q, d.end()
}

// AppendJSON appends the page as one JSON object.
func (p ChangesPage) AppendJSON(b []byte) []byte {
	m := object(b)
	membersList(&m, "changes", p.Changes, appendChange)
	m.intOpt("next", int64(p.Next))
	return m.end()
}

// ParseChangesPage reads a page; see ParseRequest.
func ParseChangesPage(b []byte) (ChangesPage, error) {
	var p ChangesPage
	d := decoder{s: string(b)}
	d.top(func() {
		d.object(func(key string) bool {
			switch key {
			case "changes":
				list(&d, &p.Changes, d.change)
			case "next":
				d.int(&p.Next)
			default:
				return false
			}
			return true
		})
	})
	return p, d.end()
}
