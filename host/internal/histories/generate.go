package histories

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maker makes the next push out of choices.
type maker struct {
	Choices
	*world
}

func policyOf(c Choices) Policy {
	lists := [][]string{nil, {"main"}, {"main", "release/*"}, {"release/*"}, {"main", "release/*", "refs/tags/v*"},
		{"main", "refs/tags/v*"}, nil}
	return Policy{Protect: lists[c.n(len(lists))], AllowDelete: c.oneIn(4), AllowForce: c.oneIn(3), PerRef: c.oneIn(4)}
}

// start makes the repository as its owner left it.
func (m maker) start() error {
	m.policy = policyOf(m.Choices)
	m.head = pick(m.Choices, "refs/heads/main", "refs/heads/main", "refs/heads/main", "refs/heads/master",
		"refs/heads/master", "refs/heads/topic", "refs/heads/alias", "")
	for range m.n(3) * m.n(2) {
		name, end, _ := strings.Cut(pick(m.Choices, "refs/heads/alias refs/heads/main", "refs/heads/chain refs/heads/alias",
			"refs/heads/release/9 refs/heads/topic", "refs/heads/lost refs/heads/nowhere", "refs/heads/tohead HEAD",
			"refs/tags/vx refs/heads/topic"), " ")
		m.links[name] = end
	}
	if err := m.seed(); err != nil {
		return err
	}
	if m.head == "" && len(m.commits) == 0 {
		m.head = "refs/heads/main"
	}
	if m.head == "" {
		m.refs["HEAD"] = m.commits[0]
	}
	for ref := range m.refs {
		m.clean[ref] = true
	}
	m.settle(nil, Answer{})
	m.say("policy: protect = %q, allow_delete = %t, allow_force = %t, per ref: %t", m.policy.Protect,
		m.policy.AllowDelete, m.policy.AllowForce, m.policy.PerRef)
	if m.head != "" {
		m.say("HEAD -> %s", m.head)
	}
	for _, name := range slices.Sorted(maps.Keys(m.links)) {
		m.say("%s -> %s", name, m.links[name])
	}
	for _, ref := range slices.Sorted(maps.Keys(m.refs)) {
		m.say("%s = %s", ref, m.refs[ref].name)
	}
	return m.create()
}

// seed pushes nothing: the owner put these refs there.
func (m maker) seed() error {
	if m.n(5) < 2 {
		return nil
	}
	files := map[string]string{"a.txt": "good 0\n"}
	if !m.oneIn(5) {
		files[pick(m.Choices, places...)] = lanesNamed(pick(m.Choices, "files", "guard", "refs", "open", "guard1", "src"))
	}
	c, err := m.add(files, nil)
	if err != nil {
		return err
	}
	m.refs[pick(m.Choices, "refs/heads/main", "refs/heads/main", "refs/heads/main", "refs/heads/release/1",
		"refs/heads/topic")] = c
	for range m.n(3) {
		if c, err = m.child(c); err != nil {
			return err
		}
		if len(lanesOf(c)) < 2 {
			m.refs[pick(m.Choices, "refs/heads/main", "refs/heads/topic", "refs/heads/release/1", "refs/tags/v1")] = c
		}
	}
	if m.oneIn(3) {
		m.packed = maps.Clone(m.refs)
	}
	maps.DeleteFunc(m.refs, func(ref string, _ *object) bool { return m.links[ref] != "" })
	return nil
}

// add makes a commit; without a parent an orphan.
func (m maker) add(files map[string]string, parent *object) (*object, error) {
	name, on := fmt.Sprint("c", len(m.commits)), "orphan"
	var parents []*object
	if parent != nil {
		parents, on = []*object{parent}, "child of "+parent.name
	}
	c, err := m.pool.commit(name, files, 1_700_000_000+len(m.commits), parents...)
	if err != nil {
		return nil, err
	}
	m.commits = append(m.commits, c)
	m.byID[c.id] = c
	m.say("%s: %s, %s", name, on, describe(files))
	return c, nil
}

func describe(files map[string]string) string {
	var words []string
	for _, path := range slices.Sorted(maps.Keys(files)) {
		text := strings.TrimSpace(strings.ReplaceAll(files[path], "\n", " "))
		if r, isLanes := catalogue()[files[path]]; isLanes {
			text = r.name
		}
		words = append(words, path+" = "+text)
	}
	return strings.Join(words, "; ")
}

// edit changes a tree a little.
func (m maker) edit(files map[string]string) {
	for range 1 + m.n(2) {
		path := pick(m.Choices, "a.txt", "src/m.go", "docs/x.md")
		if m.n(3) == 2 {
			files[path] = fmt.Sprintf("%sx\n%d\n=======\ny\n>>>>>>> z\n", conflict, m.n(2))
		} else {
			files[path] = fmt.Sprintf("good %d\n", m.n(4))
		}
	}
	if m.n(3) == 2 {
		m.editLanes(files)
	}
}

func (m maker) editLanes(files map[string]string) {
	names := []string{"files", "open", "open", "guard", "guard0", "guard1", "guard2", "src", "refs", "broken"}
	if !m.oneIn(3) { // in place of those that are there
		for _, place := range places {
			delete(files, place)
		}
	}
	if !m.oneIn(8) {
		files[pick(m.Choices, places...)] = lanesNamed(pick(m.Choices, names...))
	}
}

func (m maker) child(of *object) (*object, error) {
	files := maps.Clone(of.tree)
	m.edit(files)
	return m.add(files, of)
}

// good is a child that no lane refuses.
func (m maker) good(of *object) (*object, error) {
	files := maps.Clone(of.tree)
	for path, text := range files {
		if bad(text) {
			files[path] = "good again\n"
		}
	}
	files["a.txt"] = fmt.Sprintf("good %d\n", 10+len(m.commits))
	return m.add(files, of)
}

func (m maker) orphan() (*object, error) {
	files := map[string]string{}
	if len(m.commits) > 0 && m.n(2) == 1 {
		maps.Copy(files, m.any().tree)
	} else if m.n(6) > 0 {
		files[pick(m.Choices, places...)] = lanesNamed(pick(m.Choices, "open", "files", "guard", "refs", "src"))
	}
	if m.n(2) == 1 {
		m.edit(files)
	} else {
		files["a.txt"] = "good 0\n"
	}
	return m.add(files, nil)
}

// any is a commit that was made before; the caller knows that there is one.
func (m maker) any() *object { return m.commits[m.n(len(m.commits))] }

func (m maker) ref() string {
	names := []string{"refs/heads/main", "refs/heads/main", "refs/heads/main", "refs/heads/topic", "refs/heads/topic",
		"refs/heads/master",
		"refs/heads/release/1", "refs/heads/release/2", "refs/heads/release/frozen", "refs/heads/other", "refs/tags/v1",
		"refs/tags/v2",
		"refs/tags/odd", "refs/heads/Main", "refs/heads/release", "refs/heads/mainx", "refs/odd/x", "refs/heads/a..b", "HEAD"}
	if len(m.links) > 0 && m.oneIn(3) {
		return pick(m.Choices, slices.Sorted(maps.Keys(m.links))...)
	}
	return pick(m.Choices, names...)
}

// push makes one push.
func (m maker) push() (Push, error) {
	p := Push{Dir: m.dir, Policy: m.policy}
	var err error
	switch m.n(8) {
	case 0, 1, 2:
		p.Lines, err = m.honest()
	case 3:
		p.Lines, err = m.twins()
	default:
		for range 1 + m.n(2)*m.n(4) {
			var l Line
			if l, err = m.line(); err != nil {
				return p, err
			}
			p.Lines = append(p.Lines, l)
		}
	}
	p.Cut = len(p.Lines) > 1 && m.oneIn(8)
	return p, err
}

// honest is a good step forward of a branch that is there, the repository's
// first branch, or a new name of what HEAD names.
func (m maker) honest() ([]Line, error) {
	heads := slices.DeleteFunc(slices.Sorted(maps.Keys(m.refs)),
		func(ref string) bool { return !strings.HasPrefix(ref, "refs/heads/") })
	if len(heads) == 0 {
		c, err := m.orphan()
		return []Line{m.to(pick(m.Choices, m.resolve("HEAD"), "refs/heads/main"), c)}, err
	}
	if tip := m.refs[m.resolve("HEAD")]; tip != nil && m.oneIn(4) {
		return []Line{m.to(m.ref(), tip)}, nil
	}
	ref := pick(m.Choices, heads...)
	c, err := m.good(m.refs[ref])
	return []Line{m.to(ref, c)}, err
}

// to is an honest line.
func (m maker) to(ref string, o *object) Line {
	return Line{m.value(m.resolve(ref)), o.id, ref}
}

// twins bring one new commit to two refs.
func (m maker) twins() ([]Line, error) {
	if len(m.refs) == 0 {
		return m.honest()
	}
	tip := m.refs[pick(m.Choices, slices.Sorted(maps.Keys(m.refs))...)]
	if !tip.commit || tip.tag {
		return m.honest()
	}
	make := pick(m.Choices, m.good, m.good, m.child)
	c, err := make(tip)
	if err != nil {
		return nil, err
	}
	second := pick(m.Choices, "refs/heads/release/frozen", "refs/heads/release/frozen", m.ref())
	return []Line{m.to(pick(m.Choices, "refs/heads/release/1", "refs/heads/release/2", m.ref()), c), m.to(second, c)}, nil
}

// line is one ref line, true or not.
func (m maker) line() (Line, error) {
	ref := m.ref()
	o, err := m.target(m.refs[m.resolve(ref)])
	if err != nil {
		return Line{}, err
	}
	l := Line{m.value(m.resolve(ref)), zeroID, ref}
	if o != nil {
		l.New = o.id
	}
	if m.oneIn(5) {
		lies := []string{zeroID, l.New}
		if len(m.commits) > 0 {
			lies = append(lies, m.any().id, m.any().id)
		}
		for _, other := range slices.Sorted(maps.Keys(m.refs)) {
			lies = append(lies, m.refs[other].id)
		}
		l.Old = pick(m.Choices, lies...)
	}
	return l, nil
}

// target is what a ref at tip is to be; nil: nothing.
func (m maker) target(tip *object) (*object, error) {
	if tip != nil && (!tip.commit || tip.tag) || tip == nil && len(m.commits) == 0 {
		return m.orphan()
	}
	from := tip
	if from == nil {
		from = m.any()
	}
	switch m.n(10) {
	case 0, 1:
		return m.child(from)
	case 2:
		return m.back(from), nil
	case 3, 4:
		return m.child(m.back(from))
	case 5:
		return m.orphan()
	case 6:
		return nil, nil
	case 7:
		return m.special(from)
	}
	return m.any(), nil
}

// back is a commit before another.
func (m maker) back(from *object) *object {
	for range 1 + m.n(2) {
		if len(from.parents) > 0 {
			from = from.parents[0]
		}
	}
	return from
}

// special is an object that is not a commit.
func (m maker) special(of *object) (o *object, err error) {
	name := fmt.Sprint(pick(m.Choices, "tag", "tag", "tree", "blob"), len(m.byID))
	switch name[:3] {
	case "tag":
		o, err = m.pool.annotated(name, of)
	case "tre":
		o, err = m.pool.plain(name, of.tree)
	default:
		o, err = m.pool.plain(name, nil)
	}
	if err != nil {
		return nil, err
	}
	if known := m.byID[o.id]; known != nil {
		return known, nil
	}
	m.byID[o.id] = o
	m.say("%s: of %s", name, of.name)
	return o, nil
}
