package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// allCommands are the commands below one, itself included.
func allCommands(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, below := range cmd.Commands() {
		all = append(all, allCommands(below)...)
	}
	return all
}

func TestEveryCommandHasAManualPage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var errs bytes.Buffer
	if code := run(t.Context(), program{out: &errs, err: &errs}, []string{"man", dir}); code != 0 {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	pages, _ := filepath.Glob(filepath.Join(dir, "*.1"))
	left := map[string]bool{}
	for _, page := range pages {
		left[filepath.Base(page)] = true
	}
	for _, cmd := range allCommands(rootCommand(&program{})) {
		page := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + ".1"
		if cmd.Hidden || cmd.HasParent() && !cmd.IsAvailableCommand() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, page))
		delete(left, page)
		if err != nil {
			t.Error(err)
			continue
		}
		name := strings.ReplaceAll(strings.TrimSuffix(page, ".1"), "-", `\-`) + ` \- ` + cmd.Short
		if plain := strings.ReplaceAll(string(text), "\n", " "); !strings.HasPrefix(string(text), ".nh\n.TH") &&
			!strings.Contains(plain, name) {
			t.Errorf("%s does not begin with its name and %q:\n%.300s", page, cmd.Short, text)
		}
	}
	for page := range left {
		t.Errorf("%s is a page of no command", page)
	}
}

func TestManualIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	pages := func(epoch string) string {
		dir := t.TempDir()
		var errs bytes.Buffer
		p := program{out: &errs, err: &errs, env: []string{"SOURCE_DATE_EPOCH=" + epoch}}
		if code := run(t.Context(), p, []string{"man", dir}); code != 0 {
			t.Fatalf("exit %d: %s", code, &errs)
		}
		text, _ := os.ReadFile(filepath.Join(dir, "pushlane.1"))
		return string(text)
	}
	if one, two := pages("86400"), pages("86400"); one != two || !strings.Contains(one, `"Jan 1970"`) {
		t.Errorf("two pages of one date differ, or have another:\n%.200s\n%.200s", one, two)
	}
	var errs bytes.Buffer
	p := program{out: &errs, err: &errs, env: []string{"SOURCE_DATE_EPOCH=today"}}
	const want = "pushlane: error: cannot read SOURCE_DATE_EPOCH: \"today\" is not a number of seconds\n"
	if code := run(t.Context(), p, []string{"man", t.TempDir()}); code != 2 || !strings.HasPrefix(errs.String(), want) {
		t.Errorf("exit %d: %s", code, &errs)
	}
}
