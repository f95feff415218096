package sdk

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"sync"
)

// attributeRule is a line of a .gitattributes file.
type attributeRule struct {
	glob  string // from the folder of the file
	state []attribute
}

// attribute is one name of such a line. Its value is "true" where it is set and
// "false" where it is unset; empty: unspecified again.
type attribute struct{ name, value string }

// maxAttributes is how large a .gitattributes file may be, in bytes; git too
// passes over one that is too large.
const maxAttributes = 1 << 20

// attributeFiles are the .gitattributes files of the pushed tree, each read once.
type attributeFiles struct {
	run *Run

	mu     sync.Mutex                 // guards what follows
	rules  map[string][]attributeRule // by folder, of those that were read
	macros map[string][]attribute     // of the topmost file
}

// Attribute returns the value of a path's attribute in the .gitattributes files of
// the pushed tree: "true" if it is set, "false" if it is unset, its value, or "" if
// it is unspecified. The macro binary and those that the topmost file defines are
// supported. The pusher writes these files: a check that a push must not switch off
// must not use them.
func (r *Run) Attribute(name, attribute string) string { return r.attributes.of(name)[attribute] }

// of are all attributes of a path; nil where no file says anything.
func (a *attributeFiles) of(name string) map[string]string {
	var values map[string]string
	for end := 0; end >= 0; {
		dir, rest := ".", name
		if end > 0 {
			dir, rest = name[:end], name[end+1:]
		}
		for _, rule := range a.rulesIn(dir) {
			if ok, _ := Match(rule.glob, rest); !ok {
				continue
			}
			if values == nil {
				values = map[string]string{}
			}
			for _, a := range rule.state {
				values[a.name] = a.value
			}
		}
		next := strings.IndexByte(rest, '/')
		if end = len(name) - len(rest) + next; next < 0 {
			break
		}
	}
	return values
}

// Handmade reports whether a file was written by hand in this repository, according
// to its attributes: it is not marked linguist-generated or linguist-vendored, nor
// as binary. A folder such as vendor or node_modules is vendored unless its
// attributes say otherwise, as in forges. Rules of style need not check other files.
func (r *Run) Handmade(c Change) bool {
	values := r.attributes.of(c.Path)
	vendored := values["linguist-vendored"] == "true" || values["linguist-vendored"] == "" && inVendored(c.Path)
	return values["linguist-generated"] != "true" && !vendored && values["text"] != "false" && values["diff"] != "false"
}

// inVendored reports whether a folder of a path is called after what others
// wrote.
func inVendored(name string) bool {
	for part := range strings.SplitSeq(path.Dir(name), "/") {
		switch part {
		case "vendor", "vendors", "_vendor", "node_modules", "bower_components", "third_party", "third-party", "3rdparty":
			return true
		}
	}
	return false
}

// rulesIn reads a folder's file once.
func (a *attributeFiles) rulesIn(dir string) []attributeRule {
	a.mu.Lock()
	rules, known := a.rules[dir]
	a.mu.Unlock()
	if known {
		return rules
	}
	text, err := a.read(path.Join(dir, ".gitattributes"))
	if err != nil {
		a.run.faults.add(errors.New("cannot read " + strconv.Quote(path.Join(dir, ".gitattributes")) + ": " + err.Error()))
	}
	var macros map[string][]attribute
	if dir != "." {
		macros = a.topMacros()
	}
	rules, macros = parseAttributes(text, macros)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rules == nil {
		a.rules = map[string][]attributeRule{}
	}
	if a.rules[dir] = rules; dir == "." {
		a.macros = macros
	}
	return rules
}

// topMacros are those of the topmost file, which was read before any other.
func (a *attributeFiles) topMacros() map[string][]attribute {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.macros
}

// read reads a .gitattributes file; one that is a link is none, as to
// git.
func (a *attributeFiles) read(name string) (string, error) {
	info, err := a.run.Stat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.Size() > maxAttributes) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	f, err := a.run.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	return strings.TrimPrefix(string(text), markUTF8), err
}

// parseAttributes reads the lines of a .gitattributes file. macros are those
// that hold in it; it gives them with its own.
func parseAttributes(text string, macros map[string][]attribute) ([]attributeRule, map[string][]attribute) {
	all := map[string][]attribute{"binary": {{"diff", "false"}, {"merge", "false"}, {"text", "false"}}}
	for name, state := range macros {
		all[name] = state
	}
	var rules []attributeRule
	for line := range strings.Lines(text) {
		pattern, rest := cutPattern(strings.TrimSpace(line))
		name, macro := strings.CutPrefix(pattern, "[attr]")
		switch {
		case pattern == "" || pattern[0] == '#' || pattern[0] == '!':
		case macro:
			all[name] = states(rest, all)
		default:
			if glob, ok := attributeGlob(pattern); ok {
				rules = append(rules, attributeRule{glob, states(rest, all)})
			}
		}
	}
	return rules, all
}

// cutPattern cuts the pattern, which may be quoted, off a line.
func cutPattern(line string) (pattern, rest string) {
	if strings.HasPrefix(line, `"`) {
		if quoted, err := strconv.QuotedPrefix(line); err == nil {
			pattern, _ = strconv.Unquote(quoted)
			return pattern, line[len(quoted):]
		}
	}
	i := strings.IndexAny(line, " \t")
	if i < 0 {
		return line, ""
	}
	return line[:i], line[i:]
}

// attributeGlob is a pattern as a glob from its file's folder; a pattern that
// ends in a slash matches nothing.
func attributeGlob(pattern string) (string, bool) {
	if strings.HasSuffix(pattern, "/") {
		return "", false
	}
	if !strings.Contains(pattern, "/") {
		return "**/" + pattern, true
	}
	return strings.TrimPrefix(pattern, "/"), true
}

// states reads the attributes of a line: name, -name, !name or name=value.
func states(text string, macros map[string][]attribute) []attribute {
	var all []attribute
	for word := range strings.FieldsSeq(text) {
		name, value, given := strings.Cut(word, "=")
		switch {
		case given:
		case word[0] == '-':
			name, value = word[1:], "false"
		case word[0] == '!':
			name = word[1:]
		default:
			value = "true"
		}
		if value == "true" {
			all = append(all, macros[name]...)
		}
		all = append(all, attribute{name, value})
	}
	return all
}
