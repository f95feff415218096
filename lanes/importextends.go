package lanes

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/lanes/plaintext"
)

// maxExtends is how many files a lefthook file may extend in all.
const maxExtends = 50

// extender reads the files that a lefthook file extends. As there, what an
// extended file says goes before what the file itself says.
type extender struct {
	files   fs.FS // nil: none can be read
	source  string
	seen    map[string]bool
	missing []string
}

func (x *extender) extend(root node) (node, error) {
	for _, pattern := range root.get("extends").texts() {
		names, err := x.names(pattern)
		if err != nil {
			return node{}, err
		}
		for _, name := range names {
			more, err := x.read(name)
			if err != nil {
				return node{}, err
			}
			root = overlaid(root, more)
		}
	}
	return root, nil
}

func (x *extender) names(pattern string) ([]string, error) {
	clean := path.Clean(strings.TrimPrefix(filepath.ToSlash(pattern), "./"))
	if x.files == nil || !fs.ValidPath(clean) {
		x.missing = append(x.missing, pattern)
		return nil, nil
	}
	names, err := fs.Glob(x.files, clean)
	if err != nil || len(names) == 0 {
		x.missing = append(x.missing, pattern)
		return nil, nil
	}
	if len(x.seen)+len(names) > maxExtends {
		return nil, &FormatError{File: x.source, Msg: fmt.Sprintf("it extends more than %d files", maxExtends)}
	}
	return names, nil
}

func (x *extender) read(name string) (node, error) {
	if x.seen[name] {
		return node{}, &FormatError{File: x.source, Msg: fmt.Sprintf("%s is extended twice, or extends itself", Quoted(name))}
	}
	x.seen[name] = true
	data, err := readFile(x.files, name)
	if errors.Is(err, fs.ErrNotExist) {
		x.missing = append(x.missing, name)
		return node{}, nil
	}
	if err != nil {
		return node{}, &FormatError{File: name, Msg: "cannot read it: " + err.Error()}
	}
	n, err := readLefthook(name, data)
	if err != nil {
		return node{}, err
	}
	return x.extend(n)
}

// readFile reads a file of at most MaxFile bytes, as text.
func readFile(files fs.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil, errors.New("it is not a plain file")
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err == nil && len(data) > MaxFile {
		err = fmt.Errorf("it has more than the %d bytes allowed", MaxFile)
	}
	if err != nil {
		return nil, err
	}
	return plaintext.Of(data)
}

// overlaid is a mapping with another laid over it, mappings in each other too.
// Jobs are a list: those of one name are overlaid, others come after.
func overlaid(under, over node) node {
	a, ok := under.v.(mapping)
	b, ok2 := over.v.(mapping)
	if !ok || !ok2 {
		if over.v == nil {
			return under
		}
		return over
	}
	out := slices.Clone(a)
	for _, e := range b {
		i := slices.IndexFunc(out, func(o entry) bool { return o.key == e.key })
		switch {
		case i < 0:
			out = append(out, e)
		case e.key == "extends":
		case e.key == "jobs":
			out[i].value = overlaidJobs(out[i].value, e.value)
		case e.key == "run":
			out[i].value = overlaidRun(out[i].value, e.value)
		default:
			out[i].value = overlaid(out[i].value, e.value)
		}
	}
	return node{out}
}

func overlaidRun(under, over node) node {
	if text := over.text(); text != "" {
		return node{strings.ReplaceAll(text, "{cmd}", under.text())}
	}
	return over
}

func overlaidJobs(under, over node) node {
	out := slices.Clone(under.items())
	for _, job := range over.items() {
		name := job.get("name").text()
		i := slices.IndexFunc(out, func(o node) bool { return name != "" && o.get("name").text() == name })
		if i < 0 {
			out = append(out, job)
			continue
		}
		out[i] = overlaid(out[i], job)
	}
	return node{out}
}
