package main

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

// trouble is one error of nix: from a line that begins with "error:" to the
// next one that does.
type trouble struct {
	message string
	before  []place  // places that were named before the message
	after   []place  // and after it
	log     []string // the builder's last lines
}

// place is a position as nix prints it.
type place struct {
	file      string
	line, col int
}

// findings reads nix's errors. metadata tells the flake's own place in the
// store: those of its inputs are called "source" as well.
func findings(run *sdk.Run, output, metadata string) []sdk.Finding {
	t := tree{run: run, store: ownStore(metadata)}
	var all []sdk.Finding
	for _, e := range troubles(output) {
		if f, ok := t.finding(e); ok && !slices.Contains(all, f) {
			all = append(all, f)
		}
	}
	return all
}

func troubles(output string) []trouble {
	var all []trouble
	open := false
	logs := map[string][]string{}
	for line := range strings.Lines(output) {
		line = strings.TrimRight(withoutColours(line), "\r\n")
		if strings.HasPrefix(line, "error:") {
			all = append(all, trouble{log: logs[derivation(line)]})
			open = true
		} else if line != "" && line[0] != ' ' {
			open = false // a build's log, or talk
			if name, text, ok := strings.Cut(line, "> "); ok && !strings.Contains(name, " ") {
				logs[name] = append(logs[name], clip(text))
			}
		}
		if open {
			all[len(all)-1].line(strings.TrimSpace(line))
		}
	}
	return all
}

// derivation is the name of the one that a line speaks of.
func derivation(line string) string {
	_, rest, ok := strings.Cut(line, storeDir)
	name, _, ok2 := strings.Cut(rest, ".drv")
	_, name, ok3 := strings.Cut(name, "-")
	if !ok || !ok2 || !ok3 {
		return ""
	}
	return name
}

func (e *trouble) line(text string) {
	if message, ok := strings.CutPrefix(text, "error:"); ok {
		if message = strings.TrimSpace(message); message != "" {
			e.message, e.before, e.after = message, append(e.before, e.after...), nil
		}
		return
	}
	if reason, ok := strings.CutPrefix(text, "Reason: "); ok {
		e.message += " " + reason
		return
	}
	if line, ok := strings.CutPrefix(text, "> "); ok {
		e.log = append(e.log, clip(line))
		return
	}
	if p, ok := readPlace(text); ok {
		e.after = append(e.after, p)
		if e.message == "" {
			e.before, e.after = append(e.before, p), nil
		}
	}
}

// readPlace reads "at /nix/store/…-source/flake.nix:12:3:".
func readPlace(text string) (place, bool) {
	rest, ok := strings.CutPrefix(text, "at ")
	rest = strings.TrimSuffix(strings.TrimSuffix(rest, ":"), ".")
	j := strings.LastIndexByte(rest, ':')
	if !ok || j < 1 {
		return place{}, false
	}
	i := strings.LastIndexByte(rest[:j], ':')
	if i < 1 {
		return place{}, false
	}
	line, err := strconv.Atoi(rest[i+1 : j])
	col, err2 := strconv.Atoi(rest[j+1:])
	return place{rest[:i], line, col}, err == nil && err2 == nil && line > 0 && col > 0
}

// withoutColours leaves out escape sequences such as "\x1b[31;1m".
func withoutColours(text string) string {
	for {
		before, rest, found := strings.Cut(text, "\x1b[")
		if !found {
			return text
		}
		end := strings.IndexAny(rest, "ABCDHJKfmsu")
		if end < 0 {
			return before
		}
		text = before + rest[end+1:]
	}
}

// tree turns places of the store into places of the pushed tree.
type tree struct {
	run   *sdk.Run
	store string // the flake's own folder in the store; "" where it is not known
}

// ownStore reads the line "Path: /nix/store/…-source".
func ownStore(metadata string) string {
	for line := range strings.Lines(metadata) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(withoutColours(line)), "Path:"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

const storeDir = "/nix/store/"

// file returns a place's path from the tree's top; "" where it is elsewhere.
func (t tree) file(name string) string {
	in := ""
	switch {
	case t.store != "" && strings.HasPrefix(name, t.store+"/"):
		in = name[len(t.store)+1:]
	case strings.HasPrefix(name, source+"/"):
		in = name[len(source)+1:]
	case strings.HasPrefix(name, "«path:"+source):
		_, in, _ = strings.Cut(name, "»/")
	case t.store == "" && strings.HasPrefix(name, storeDir):
		folder, rest, _ := strings.Cut(name[len(storeDir):], "/")
		if strings.HasSuffix(folder, "-source") {
			in = rest
		}
	}
	if in == "" || path.Clean(in) != in {
		return ""
	}
	found, err := sdk.Follow(t.run, in)
	if err != nil || found.Submodule {
		return ""
	}
	return found.Path
}

// finding is what an error means: at the first place after its message that
// is in the tree, else at the last one before it. ok is false where another
// error says more.
func (t tree) finding(e trouble) (f sdk.Finding, ok bool) {
	if e.message == "" || strings.Contains(e.message, "dependencies of derivation") ||
		strings.Contains(e.message, "build of ") {
		return f, false
	}
	f = sdk.Finding{Rule: "nix", Message: clip(e.message)}
	if len(e.log) > 0 {
		f.Rule = "build"
		f.Message += "\n" + strings.Join(e.log[max(0, len(e.log)-8):], "\n")
	}
	reverse := slices.Clone(e.before)
	slices.Reverse(reverse)
	for _, p := range append(slices.Clone(e.after), reverse...) {
		if in := t.file(p.file); in != "" {
			f.Path, f.Line, f.Col = in, p.line, p.col
			break
		}
	}
	return f, true
}
