package main

import (
	"strings"
	"testing"

	"github.com/pushlane/pushlane/sdk"
	"github.com/pushlane/pushlane/sdk/sdktest"
)

const id = "1234567890123456789012345678901234567890"

func TestCommits(t *testing.T) {
	for name, c := range map[string]struct {
		with, message string
		merge         bool
		rule, want    string // of the one finding; empty: pass
	}{
		"an ordinary message": {"", "Add a thing\n\nBecause.\n", false, "", ""},
		"an empty message":    {"", " \n\n", false, "empty", `1234567 "": the message has no subject`},
		"a fixup commit": {"", "fixup! Add a thing", false, "fixup",
			`1234567 "fixup! Add a thing": fixup! commits are not for pushing: git rebase --autosquash folds them in`},
		"a squash commit": {"", "squash! Add", false, "fixup",
			`1234567 "squash! Add": squash! commits are not for pushing: git rebase --autosquash folds them in`},
		"an amend commit": {"", "amend! Add", false, "fixup",
			`1234567 "amend! Add": amend! commits are not for pushing: git rebase --autosquash folds them in`},
		"a fixup where they may be": {`{"fixups":true}`, "fixup! Add", false, "", ""},
		"a word about fixups":       {"", "fixups are fun", false, "", ""},
		"a long subject": {`{"subject_max":10}`, "Grüße, Welt", false, "subject-length",
			`1234567 "Grüße, Welt": the subject has 11 characters, at most 10 are allowed`},
		"a subject just short enough": {`{"subject_max":11}`, "Grüße, Welt", false, "", ""},
		"a very long subject is cut": {`{"subject_max":70}`, strings.Repeat("x", 80), false, "subject-length",
			`1234567 "` + strings.Repeat("x", 60) + `…": the subject has 80 characters, at most 70 are allowed`},
		"a second line": {`{"blank_second_line":true}`, "One\ntwo", false, "second-line",
			`1234567 "One": the line after the subject is not blank`},
		"a blank second line, CR LF": {`{"blank_second_line":true}`, "One\r\n\r\ntwo\r\n", false, "", ""},
		"a long body line": {`{"body_line_max":5}`, "One\n\nok\ntoo long", false, "body-length",
			`1234567 "One": line 4 of the message has 8 characters, at most 5 are allowed`},
		"a long address in the body": {`{"body_line_max":5}`, "One\n\nhttps://example.org/x", false, "", ""},
		"a forbidden word": {`{"forbidden_words":["WIP"]}`, "wip: thing", false, "word",
			`1234567 "wip: thing": the subject says "WIP"`},
		"a word that only contains it": {`{"forbidden_words":["wip"]}`, "Swipe and wipe", false, "", ""},
		"a known type":                 {`{"types":["feat","fix"]}`, "fix: it", false, "", ""},
		"a known type with a scope":    {`{"types":["feat","fix"]}`, "feat(api)!: it", false, "", ""},
		"an unknown type": {`{"types":["feat","fix"]}`, "fixed: it", false, "type",
			`1234567 "fixed: it": unknown type "fixed", want one of feat, fix`},
		"no type": {`{"types":["feat","fix"]}`, "fix it", false, "type",
			`1234567 "fix it": the subject does not read "type: what changes", with one of feat, fix`},
		"an open scope": {`{"types":["feat"]}`, "feat(api: it", false, "type",
			`1234567 "feat(api: it": the scope in "feat(api" is not closed or empty`},
		"a revert has no type":         {`{"types":["feat"]}`, "Revert \"feat: it\"", false, "", ""},
		"a revert of a revert":         {`{"types":["feat"]}`, "Reapply \"feat: it\"", false, "", ""},
		"a revert that a forge merged": {`{"types":["feat"]}`, "Revert \"feat: it\" (#12)", false, "", ""},
		"a revert of nothing": {`{"types":["feat"]}`, "Revert \"", false, "type",
			`1234567 "Revert \"": the subject does not read "type: what changes", with one of feat`},
		"a word like a revert": {`{"types":["feat"]}`, "Reverted it", false, "type",
			`1234567 "Reverted it": the subject does not read "type: what changes", with one of feat`},
		"blank lines before the subject": {`{"subject_max":5,"blank_second_line":true}`, "\n \nOne\n\nbody", false, "", ""},
		"a merge has no type":            {`{"types":["feat"]}`, "Merge branch 'x'", true, "", ""},
		"a merge where there are none": {`{"merges":false}`, "Merge branch 'x'", true, "merge",
			`1234567 "Merge branch 'x'": merge commits are not allowed here: rebase instead`},
		"no sign-off": {`{"sign_off":true}`, "One\n\nbody", false, "sign-off",
			`1234567 "One": there is no "Signed-off-by: A <a@b.c>": git commit --signoff adds it`},
		"another's sign-off": {`{"sign_off":true}`, "One\n\nSigned-off-by: B <b@b.c>", false, "sign-off",
			`1234567 "One": there is no "Signed-off-by: A <a@b.c>": git commit --signoff adds it`},
		"a sign-off": {`{"sign_off":true}`, "One\n\nbody\n\nSigned-off-by: A <a@b.c>\n", false, "", ""},
		"a sign-off outside the end": {`{"sign_off":true}`, "One\n\nSigned-off-by: A <a@b.c>\n\nmore", false, "sign-off",
			`1234567 "One": there is no "Signed-off-by: A <a@b.c>": git commit --signoff adds it`},
		"a trailer that matches":        {`{"trailers":["Ticket: AB-*"]}`, "One\n\nTicket: AB-1/2", false, "", ""},
		"a folded trailer that matches": {`{"trailers":["Ticket: * AB-?"]}`, "One\n\nTicket: see\n  AB-1", false, "", ""},
		"no trailer that matches": {`{"trailers":["Ticket: AB-*"]}`, "One\n\nTicket: CD-1", false, "trailer",
			`1234567 "One": no trailer matches "Ticket: AB-*"`},
	} {
		commit := sdk.Commit{ID: id, Parents: []string{"a"}, Author: "A <a@b.c>", Message: c.message}
		if c.merge {
			commit.Parents = []string{"a", "b"}
		}
		want := sdktest.Case{Name: name, With: c.with, Commits: []sdk.Commit{commit}, WantVerdict: "pass: 1 commit looked at"}
		if c.want != "" {
			want.WantVerdict, want.WantFindings = "fail", []sdk.Finding{{Rule: c.rule, Message: c.want}}
		}
		want.Run(t, check)
	}
}

func TestWithoutCommits(t *testing.T) {
	sdktest.Case{Name: "nothing to look at", WantVerdict: "skip: no new commits"}.Run(t, check)
	sdktest.Case{Name: "no capability", Request: sdk.Request{Granted: []string{}},
		WantVerdict: "broken: cannot read commits: capability repo.history is not granted ([lane.grant] history = true)"}.Run(
		t, check)
	sdktest.Case{Name: "a setting of another type", With: `{"types":"feat"}`,
		Commits:     []sdk.Commit{{ID: id, Message: "x"}},
		WantVerdict: "broken: setting types: want an array, found a string"}.Run(t, check)
}

func TestWhileTheMessageIsWritten(t *testing.T) {
	for name, c := range map[string]struct{ with, message, want string }{
		"a fixup may be committed": {"", "fixup! x", ""},
		"a merge needs no type":    {`{"types":["fix"]}`, "Merge branch 'x'", ""},
		"any sign-off will do":     {`{"sign_off":true}`, "x\n\nSigned-off-by: A <a@b>", ""},
		"no sign-off": {`{"sign_off":true}`, "x",
			`"x": there is no "Signed-off-by: Name <mail>": git commit --signoff adds it`},
		"the name is the subject only": {`{"subject_max":1}`, "xy",
			`"xy": the subject has 2 characters, at most 1 are allowed`},
	} {
		want := sdktest.Case{Name: name, With: c.with, Request: sdk.Request{Gate: "commit-msg"},
			Commits: []sdk.Commit{{ID: strings.Repeat("0", 40), Message: c.message}}}
		if c.want != "" {
			rule := "sign-off"
			if strings.Contains(c.want, "characters") {
				rule = "subject-length"
			}
			want.WantVerdict, want.WantFindings = "fail", []sdk.Finding{{Rule: rule, Message: c.want}}
		}
		want.Run(t, check)
	}
}

func FuzzLook(f *testing.F) {
	f.Add("fix(a)!: b\n\nc\n\nSigned-off-by: A <b>\n d", "T: *?")
	f.Add("\r\n\n", "")
	f.Fuzz(func(t *testing.T, text, word string) {
		s := settings{subjectMax: 5, bodyMax: 5, blankSecond: true, signOff: true, types: []string{"fix"},
			words: []string{word}, trailers: []string{word}}
		for _, gate := range []string{"pre-push", "commit-msg"} {
			s.look(parse(sdk.Commit{ID: "1", Message: text}, gate))
		}
		if strings.TrimSpace(text) == "" && len(settings{}.look(parse(sdk.Commit{Message: text}, ""))) != 1 {
			t.Errorf("%q is not an empty message", text)
		}
	})
}
