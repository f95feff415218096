package main

import (
	"strings"
	"testing"

	"github.com/pushlane/pushlane/sdk"
	"github.com/pushlane/pushlane/sdk/sdktest"
)

// TestGit: lanes with git = true are told what git knows, others nothing.
func TestGit(t *testing.T) {
	var long []sdk.Change
	for range 400 {
		long = append(long, sdk.Change{Path: strings.Repeat("x", 100), Status: "A"})
	}
	for name, c := range map[string]struct {
		with    string
		changes []sdk.Change
		want    map[string]string
		note    string
	}{
		"without": {`{"run":"x"}`, []sdk.Change{{Path: "a"}}, nil, ""},
		"false":   {`{"run":"x","git":false}`, []sdk.Change{{Path: "a"}}, nil, ""},
		"true": {`{"run":"x","git":true}`, []sdk.Change{{Path: "a b"}, {Path: "c\nd"}, {Path: "\xff"}}, map[string]string{
			"PUSHLANE_SHA": "2", "PUSHLANE_REF": "refs/heads/main", "PUSHLANE_BASE": "1",
			"PUSHLANE_CHANGED_FILES": "a b\n\"c\\nd\"\n\"\\xff\"",
			"GIT_CONFIG_COUNT":       "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "/work/src"}, ""},
		"its own": {`{"run":"x","git":true,"env":{"PUSHLANE_REF":"mine","A":"b"}}`, nil, map[string]string{
			"PUSHLANE_SHA": "2", "PUSHLANE_REF": "mine", "PUSHLANE_BASE": "1", "PUSHLANE_CHANGED_FILES": "", "A": "b",
			"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "/work/src"}, ""},
		"too many": {`{"run":"x","git":true}`, long, map[string]string{
			"PUSHLANE_SHA": "2", "PUSHLANE_REF": "refs/heads/main", "PUSHLANE_BASE": "1",
			"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "/work/src"},
			"PUSHLANE_CHANGED_FILES is not set: the names of 400 changed files have 40399 bytes, at most 32768 fit; " +
				"use git diff --name-only, or paths of the lane"},
	} {
		want := sdk.Container{ID: "command", Env: c.want, Git: c.want != nil,
			Command: []string{"/bin/sh", "-c", starter, "pushlane", "x", bashTrap, shTrap, ""}}
		var notes []sdk.Finding
		if c.note != "" {
			notes = []sdk.Finding{{Level: "note", Message: c.note}}
		}
		sdktest.Case{Name: name, With: c.with, Request: sdk.Request{Changes: c.changes,
			Update: sdk.Update{Ref: "refs/heads/main", New: "2", Base: "1"}},
			Containers: map[string]sdk.Result{"command": {}}, WantContainers: []sdk.Container{want},
			WantFindings: notes}.Run(t, check)
	}
}
