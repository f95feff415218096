package main

import (
	"path"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

// tree turns the names that go prints into paths of the pushed tree.
type tree struct {
	run    *sdk.Run
	dir    string            // where go ran
	module string            // its path
	known  map[string]string // a path as it was printed: where it is; "" for nowhere
}

func newTree(run *sdk.Run, dir string) tree {
	t := tree{run: run, dir: dir, known: map[string]string{}}
	name := strings.TrimPrefix(path.Join(dir, "go.mod"), source+"/")
	found, err := sdk.Follow(run, name)
	if err != nil {
		return t
	}
	text, err := run.Read(found.Path)
	if err != nil {
		return t
	}
	for line := range strings.Lines(string(sdk.DecodeText(text))) {
		line, _, _ = strings.Cut(line, "//")
		if words := strings.Fields(line); len(words) == 2 && words[0] == "module" {
			t.module = strings.Trim(words[1], "\"`")
		}
	}
	return t
}

// file returns a name that go printed, from folder, as a path of the tree
// without symbolic links; "" where it is none.
func (t tree) file(folder, name string) string {
	if !path.IsAbs(name) {
		name = path.Join(t.dir, folder, name)
	}
	in, ok := strings.CutPrefix(path.Clean(name), source+"/")
	if !ok {
		return ""
	}
	at, looked := t.known[in]
	if !looked {
		found, err := sdk.Follow(t.run, in)
		if err == nil && !found.Submodule {
			at = found.Path
		}
		t.known[in] = at
	}
	return at
}

// folder is that of a package, from where go ran.
func (t tree) folder(pkg string) string {
	pkg, _, _ = strings.Cut(pkg, " ")
	pkg = strings.TrimSuffix(pkg, "_test")
	if rest, ok := strings.CutPrefix(pkg, t.module); ok && t.module != "" && (rest == "" || rest[0] == '/') {
		return strings.TrimPrefix(rest, "/")
	}
	return pkg
}

// finding is one at a place of the tree, or without one where the place is
// elsewhere.
func (t tree) finding(folder string, p position, rule, message string) sdk.Finding {
	if in := t.file(folder, p.file); in != "" {
		return sdk.Finding{Path: in, Line: p.line, Col: p.col, Rule: rule, Message: message}
	}
	return sdk.Finding{Rule: rule, Message: p.file + ":" + strconv.Itoa(p.line) + ": " + message}
}

// position is "file.go:3:7".
type position struct {
	file      string
	line, col int
}

// cutPosition takes "file.go:3:7: message" apart; the column may be absent.
func cutPosition(text string) (position, string, bool) {
	i := strings.Index(text, ".go:")
	if i < 1 {
		return position{}, "", false
	}
	p := position{file: text[:i+3]}
	if strings.ContainsAny(p.file, " \t") {
		return position{}, "", false
	}
	var ok bool
	rest := text[i+4:]
	if p.line, rest, ok = cutNumber(rest); !ok {
		return position{}, "", false
	}
	if col, after, ok := cutNumber(rest); ok {
		p.col, rest = col, after
	}
	return p, strings.TrimSpace(rest), true
}

// cutNumber takes a number and the colon after it off a text.
func cutNumber(text string) (int, string, bool) {
	n := 0
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	number, err := strconv.Atoi(text[:n])
	if err != nil || number < 1 || n < len(text) && text[n] != ':' {
		return 0, "", false
	}
	return number, strings.TrimPrefix(text[n:], ":"), true
}

// compiler reads "file.go:3:7: message" at the start of lines, as the
// compiler and go itself print it; what is indented goes on.
func (t tree) compiler(text string) []sdk.Finding {
	var all []sdk.Finding
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if more := strings.TrimSpace(line); len(all) > 0 && strings.HasPrefix(line, "\t") && more != "" {
			all[len(all)-1].Message += "\n" + clip(more)
			continue
		}
		p, message, ok := cutPosition(strings.TrimPrefix(line, "vet: "))
		if ok && message != "" {
			all = append(all, t.finding("", p, "compile", clip(message)))
		}
	}
	return all
}

// vetObjects takes what go vet -json prints apart: objects of package,
// analyzer and list of places, and lines of other kinds.
func vetObjects(text string) ([]sdk.Value, string) {
	var all []sdk.Value
	var object, rest strings.Builder
	inside := false
	for line := range strings.Lines(text) {
		bare := strings.TrimRight(line, "\r\n")
		inside = inside || bare == "{"
		if !inside {
			rest.WriteString(line)
			continue
		}
		object.WriteString(line)
		if bare != "}" {
			continue
		}
		if v, err := sdk.ParseValue([]byte(object.String())); err == nil {
			all = append(all, v)
		}
		object.Reset()
		inside = false
	}
	return all, rest.String()
}

func (t tree) vet(objects []sdk.Value) []sdk.Finding {
	var all []sdk.Finding
	for _, v := range objects {
		all = append(all, t.vetObject(v)...)
	}
	return all
}

func (t tree) vetObject(v sdk.Value) []sdk.Finding {
	var all []sdk.Finding
	for pkg, analyzers := range v.Members() {
		for analyzer, places := range analyzers.Members() {
			if trouble := places.Get("error").String(); trouble != "" {
				all = append(all, sdk.Finding{Rule: analyzer, Message: pkg + ": " + clip(trouble)})
			}
			for _, place := range places.Items() {
				if p, _, ok := cutPosition(place.Get("posn").String()); ok {
					all = append(all, t.finding("", p, analyzer, clip(place.Get("message").String())))
				}
			}
		}
	}
	return all
}
