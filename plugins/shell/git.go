package main

import (
	"maps"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pushlane/pushlane/sdk"
)

// maxChangedFiles is how much PUSHLANE_CHANGED_FILES holds, in bytes.
const maxChangedFiles = 32 << 10

// setGit tells the command what git knows of the push, for lanes with the setting
// git. Variables that the lane sets itself stay.
func (s *settings) setGit(run *sdk.Run) {
	if !run.With("git").Bool() {
		return
	}
	s.container.Git = true
	env := map[string]string{
		"PUSHLANE_SHA": run.Update.New, "PUSHLANE_REF": run.Update.Ref, "PUSHLANE_BASE": run.Update.Base,
		// git asks who owns the tree: it is the user lane, whoever runs the command.
		"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": source,
	}
	var names []string
	for _, c := range run.Changes {
		names = append(names, lineOf(c.Path))
	}
	if text := strings.Join(names, "\n"); len(text) <= maxChangedFiles {
		env["PUSHLANE_CHANGED_FILES"] = text
	} else {
		run.Note("", 0, "PUSHLANE_CHANGED_FILES is not set: the names of "+count(len(names), "changed file")+" have "+
			strconv.Itoa(len(text))+" bytes, at most "+strconv.Itoa(maxChangedFiles)+
			" fit; use git diff --name-only, or paths of the lane")
	}
	maps.Copy(env, s.container.Env)
	s.container.Env = env
}

// lineOf is a name as one line of UTF-8: others are quoted, as git does.
func lineOf(name string) string {
	if !utf8.ValidString(name) || strings.ContainsAny(name, "\n\r\x00") {
		return strconv.QuoteToASCII(name)
	}
	return name
}
