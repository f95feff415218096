package sdk

// AppendJSON appends the record as one JSON object, without a line break.
func (r *Record) AppendJSON(b []byte) []byte {
	m := object(b)
	m.text("type", r.Type)
	if r.Finding != nil {
		m.key("finding")
		m.b = r.Finding.AppendJSON(m.b)
	}
	if r.Container != nil {
		m.key("container")
		m.b = r.Container.AppendJSON(m.b)
	}
	m.textOpt("message", r.Message)
	m.pathOpt("path", r.Path)
	m.textOpt("verdict", r.Verdict)
	return m.end()
}

// ParseRecord reads one line of a plugin's standard output, as strictly as
// ParseRequest reads a request. The caller must check which field is set for which
// type.
func ParseRecord(line []byte) (Record, error) {
	var r Record
	d := decoder{s: string(line)}
	d.top(func() { d.object(func(key string) bool { return d.record(key, &r) }) })
	return r, d.end()
}

func (d *decoder) record(key string, r *Record) bool {
	switch key {
	case "type":
		d.text(&r.Type)
	case "finding":
		r.Finding = optional(d, d.finding)
	case "container":
		r.Container = optional(d, d.container)
	case "message":
		d.text(&r.Message)
	case "path":
		d.path(&r.Path)
	case "verdict":
		d.text(&r.Verdict)
	default:
		return false
	}
	return true
}

// optional reads a value that null leaves out.
func optional[T any](d *decoder, read func(*T)) *T {
	if d.null() {
		return nil
	}
	v := new(T)
	read(v)
	return v
}

// AppendJSON appends the finding as one JSON object.
func (f *Finding) AppendJSON(b []byte) []byte {
	m := object(b)
	m.pathOpt("path", f.Path)
	m.intOpt("line", int64(f.Line))
	m.intOpt("col", int64(f.Col))
	m.text("level", f.Level)
	m.textOpt("rule", f.Rule)
	m.text("message", f.Message)
	return m.end()
}

func (d *decoder) finding(f *Finding) {
	d.object(func(key string) bool {
		switch key {
		case "path":
			d.path(&f.Path)
		case "line":
			d.int(&f.Line)
		case "col":
			d.int(&f.Col)
		case "level":
			d.text(&f.Level)
		case "rule":
			d.text(&f.Rule)
		case "message":
			d.text(&f.Message)
		default:
			return false
		}
		return true
	})
}

// AppendJSON appends the container as one JSON object.
func (c *Container) AppendJSON(b []byte) []byte {
	m := object(b)
	m.text("id", c.ID)
	m.textOpt("image", c.Image)
	m.texts("command", c.Command)
	m.mapOpt("env", c.Env)
	m.textOpt("cwd", c.Cwd)
	m.textOpt("user", c.User)
	m.textOpt("cpu", c.CPU)
	m.textOpt("memory", c.Memory)
	m.textOpt("disk", c.Disk)
	m.intOpt("processes", int64(c.Processes))
	m.intOpt("millis", c.Millis)
	m.boolOpt("network", c.Network)
	membersListOpt(&m, "caches", c.Caches, appendCache)
	m.textsOpt("artifacts", c.Artifacts)
	m.textsOpt("reads", c.Reads)
	m.boolOpt("git", c.Git)
	m.textsOpt("secrets", c.Secrets)
	m.mapOpt("secret_env", c.SecretEnv)
	return m.end()
}

// ParseContainer reads a container as strictly as ParseRequest reads a
// request: the request of container.start@1.
func ParseContainer(b []byte) (Container, error) {
	var c Container
	d := decoder{s: string(b)}
	d.top(func() { d.container(&c) })
	return c, d.end()
}

func (d *decoder) container(c *Container) {
	d.object(func(key string) bool {
		switch key {
		case "id":
			d.text(&c.ID)
		case "image":
			d.text(&c.Image)
		case "command":
			d.texts(&c.Command)
		case "env":
			d.textMap(&c.Env)
		case "cwd":
			d.text(&c.Cwd)
		case "user":
			d.text(&c.User)
		case "cpu":
			d.text(&c.CPU)
		case "memory":
			d.text(&c.Memory)
		case "disk":
			d.text(&c.Disk)
		case "processes":
			d.int(&c.Processes)
		case "millis":
			d.int64(&c.Millis)
		case "network":
			d.bool(&c.Network)
		case "caches":
			list(d, &c.Caches, d.cache)
		case "artifacts":
			d.texts(&c.Artifacts)
		case "reads":
			d.texts(&c.Reads)
		case "git":
			d.bool(&c.Git)
		case "secrets":
			d.texts(&c.Secrets)
		case "secret_env":
			d.textMap(&c.SecretEnv)
		default:
			return false
		}
		return true
	})
}

func appendCache(b []byte, c Cache) []byte {
	m := object(b)
	m.text("name", c.Name)
	m.text("path", c.Path)
	return m.end()
}

func (d *decoder) cache(c *Cache) {
	d.object(func(key string) bool {
		switch key {
		case "name":
			d.text(&c.Name)
		case "path":
			d.text(&c.Path)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) textMap(into *map[string]string) {
	if d.null() {
		return
	}
	*into = map[string]string{}
	d.object(func(key string) bool {
		var v string
		d.text(&v)
		(*into)[key] = v
		return true
	})
}
