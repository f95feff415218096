// Command commits is a lane plugin that checks the messages of the commits that a
// push adds.
package main

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pushlane/pushlane/sdk"
)

func main() { sdk.Main(check) }

func check(run *sdk.Run) error {
	if !run.Can("repo.history") {
		return errors.New("cannot read commits: capability repo.history is not granted ([lane.grant] history = true)")
	}
	s, err := readSettings(run)
	if err != nil {
		return err
	}
	if len(run.Commits) == 0 {
		return run.Skip("no new commits")
	}
	for _, c := range run.Commits {
		m := parse(c, run.Gate)
		for _, f := range s.look(m) {
			run.Report(sdk.Finding{Rule: f.rule, Message: m.name + ": " + f.text})
		}
	}
	if len(run.Commits) == 1 {
		return run.Pass("1 commit looked at")
	}
	return run.Pass(strconv.Itoa(len(run.Commits)) + " commits looked at")
}

// message is a commit's message in its parts.
type message struct {
	name    string // short id and subject, for a person
	subject string
	second  string   // the line after the subject
	body    []string // the lines after that
	trail   []string // trailers of the last paragraph, "Key: value"
	author  string
	merge   bool
	draft   bool // it is being written: commit-msg
}

func parse(c sdk.Commit, gate string) message {
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(c.Message, "\r\n", "\n"), "\n \t"), "\n")
	for len(lines) > 1 && strings.TrimSpace(lines[0]) == "" { // git shows the first line that is not blank
		lines = lines[1:]
	}
	m := message{subject: lines[0], author: c.Author, merge: len(c.Parents) > 1, draft: gate == "commit-msg"}
	if m.draft && strings.HasPrefix(m.subject, "Merge ") {
		m.merge = true // one that is amended: its parents are not known yet
	}
	if len(lines) > 1 {
		m.second = lines[1]
	}
	if len(lines) > 2 {
		m.body = lines[2:]
		m.trail = trailers(m.body)
	}
	m.name = strconv.Quote(clip(m.subject, 60))
	if !m.draft {
		m.name = c.ID[:min(len(c.ID), 7)] + " " + m.name
	}
	return m
}

// clip cuts a text to n characters.
func clip(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i] + "…"
		}
		n--
	}
	return text
}

// trailers are the lines of the last paragraph that read "Key: value"; a line
// that begins with a blank goes on with the one before.
func trailers(body []string) []string {
	start := len(body)
	for start > 0 && strings.TrimSpace(body[start-1]) != "" {
		start--
	}
	var all []string
	for _, line := range body[start:] {
		key, value, ok := strings.Cut(line, ":")
		switch {
		case len(all) > 0 && (line[0] == ' ' || line[0] == '\t'):
			all[len(all)-1] += " " + strings.TrimSpace(line)
		case ok && isKey(key):
			all = append(all, key+": "+strings.TrimSpace(value))
		}
	}
	return all
}

func isKey(key string) bool {
	for _, c := range []byte(key) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return key != ""
}

func length(text string) int { return utf8.RuneCountInString(text) }
