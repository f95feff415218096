package sdk

import "slices"

// MarshalJSON lets encoding/json write a RawJSON as the value it is.
func (r RawJSON) MarshalJSON() ([]byte, error) {
	if len(r) == 0 {
		return []byte("null"), nil
	}
	return r, nil
}

// UnmarshalJSON lets encoding/json store a value as its bytes.
func (r *RawJSON) UnmarshalJSON(b []byte) error {
	*r = append((*r)[:0], b...)
	return nil
}

// AppendJSON appends the request as one JSON object. With must be valid JSON
// or empty.
func (r *Request) AppendJSON(b []byte) []byte {
	const perChange = 192 // bytes, a good guess
	m := object(slices.Grow(b, 1024+len(r.With)+perChange*len(r.Changes)))
	m.int("abi", int64(r.ABI))
	m.text("run", r.Run)
	m.text("lane", r.Lane)
	m.text("repository", r.Repository)
	m.text("gate", r.Gate)
	m.key("update")
	m.b = r.Update.appendJSON(m.b)
	if r.Changes == nil {
		m.null("changes")
	} else {
		membersList(&m, "changes", r.Changes, appendChange)
	}
	if r.History != nil {
		membersList(&m, "history", r.History, appendChange)
	}
	membersListOpt(&m, "commits", r.Commits, appendCommit)
	if len(r.With) > 0 {
		m.key("with")
		m.b = append(m.b, r.With...)
	}
	m.texts("granted", r.Granted)
	m.textsOpt("ops", r.Ops)
	m.key("limits")
	m.b = r.Limits.appendJSON(m.b)
	membersListOpt(&m, "results", r.Results, appendResult)
	return m.end()
}

// ParseRequest reads a request. A wrong type, a key that appears twice and nesting
// deeper than 64 are errors (*SyntaxError); unknown keys are ignored and null means
// absent.
func ParseRequest(b []byte) (Request, error) {
	var r Request
	d := decoder{s: string(b)}
	d.top(func() { d.object(func(key string) bool { return d.request(key, &r) }) })
	return r, d.end()
}

// top reads the outermost value, which must be there.
func (d *decoder) top(read func()) {
	if c := d.peek(); c != '{' {
		d.want("an object")
		return
	}
	read()
}

func (d *decoder) request(key string, r *Request) bool {
	switch key {
	case "abi":
		d.int(&r.ABI)
	case "run":
		d.text(&r.Run)
	case "lane":
		d.text(&r.Lane)
	case "repository":
		d.text(&r.Repository)
	case "gate":
		d.text(&r.Gate)
	case "update":
		d.update(&r.Update)
	case "changes":
		list(d, &r.Changes, d.change)
	case "history":
		list(d, &r.History, d.change)
	case "commits":
		list(d, &r.Commits, d.commit)
	case "with":
		r.With = d.raw()
	case "granted":
		d.texts(&r.Granted)
	case "ops":
		d.texts(&r.Ops)
	case "limits":
		d.limits(&r.Limits)
	case "results":
		list(d, &r.Results, d.result)
	default:
		return false
	}
	return true
}

// raw keeps any value as its bytes; null is absent.
func (d *decoder) raw() RawJSON {
	if d.err != nil || d.null() {
		return nil
	}
	d.peek()
	start := d.pos
	d.skip()
	return RawJSON(d.s[start:d.pos])
}

func (u *Update) appendJSON(b []byte) []byte {
	m := object(b)
	m.text("ref", u.Ref)
	m.text("old", u.Old)
	m.text("new", u.New)
	m.text("base", u.Base)
	m.boolOpt("forced", u.Forced)
	return m.end()
}

func (d *decoder) update(u *Update) {
	d.object(func(key string) bool {
		switch key {
		case "ref":
			d.text(&u.Ref)
		case "old":
			d.text(&u.Old)
		case "new":
			d.text(&u.New)
		case "base":
			d.text(&u.Base)
		case "forced":
			d.bool(&u.Forced)
		default:
			return false
		}
		return true
	})
}

func appendChange(b []byte, c Change) []byte {
	m := object(b)
	m.key("path")
	m.b = appendPath(m.b, c.Path)
	m.text("status", c.Status)
	m.textOpt("mode", c.Mode)
	m.textOpt("old", c.OldID)
	m.textOpt("new", c.NewID)
	m.textOpt("commit", c.Commit)
	m.textsOpt("merged", c.Merged)
	return m.end()
}

func (d *decoder) change(c *Change) {
	d.object(func(key string) bool {
		switch key {
		case "path":
			d.path(&c.Path)
		case "status":
			d.text(&c.Status)
		case "mode":
			d.text(&c.Mode)
		case "old":
			d.text(&c.OldID)
		case "new":
			d.text(&c.NewID)
		case "commit":
			d.text(&c.Commit)
		case "merged":
			d.texts(&c.Merged)
		default:
			return false
		}
		return true
	})
}

func appendCommit(b []byte, c Commit) []byte {
	m := object(b)
	m.text("id", c.ID)
	m.textsOpt("parents", c.Parents)
	m.text("author", c.Author)
	m.int("time", c.Time)
	m.text("message", c.Message)
	return m.end()
}

func (d *decoder) commit(c *Commit) {
	d.object(func(key string) bool {
		switch key {
		case "id":
			d.text(&c.ID)
		case "parents":
			d.texts(&c.Parents)
		case "author":
			d.text(&c.Author)
		case "time":
			d.int64(&c.Time)
		case "message":
			d.text(&c.Message)
		default:
			return false
		}
		return true
	})
}

func (l *Limits) appendJSON(b []byte) []byte {
	m := object(b)
	m.int("memory", l.Memory)
	m.int("millis", l.Millis)
	m.int("log", l.Log)
	m.int("findings", int64(l.Findings))
	m.int("out", l.Out)
	m.int("fuel", l.Fuel)
	return m.end()
}

func (d *decoder) limits(l *Limits) {
	d.object(func(key string) bool {
		switch key {
		case "memory":
			d.int64(&l.Memory)
		case "millis":
			d.int64(&l.Millis)
		case "log":
			d.int64(&l.Log)
		case "findings":
			d.int(&l.Findings)
		case "out":
			d.int64(&l.Out)
		case "fuel":
			d.int64(&l.Fuel)
		default:
			return false
		}
		return true
	})
}

// AppendJSON appends the result as one JSON object.
func (r *Result) AppendJSON(b []byte) []byte { return appendResult(b, *r) }

// ParseResult reads a result as strictly as ParseRequest reads a request.
func ParseResult(b []byte) (Result, error) {
	var r Result
	d := decoder{s: string(b)}
	d.top(func() { d.result(&r) })
	return r, d.end()
}

func appendResult(b []byte, r Result) []byte {
	m := object(b)
	m.text("id", r.ID)
	m.int("exit", int64(r.Exit))
	m.boolOpt("timed_out", r.TimedOut)
	m.int("millis", r.Millis)
	m.text("tail", r.Tail)
	m.pathsOpt("artifacts", r.Artifacts)
	return m.end()
}

func (d *decoder) result(r *Result) {
	d.object(func(key string) bool {
		switch key {
		case "id":
			d.text(&r.ID)
		case "exit":
			d.int(&r.Exit)
		case "timed_out":
			d.bool(&r.TimedOut)
		case "millis":
			d.int64(&r.Millis)
		case "tail":
			d.text(&r.Tail)
		case "artifacts":
			d.paths(&r.Artifacts)
		default:
			return false
		}
		return true
	})
}
