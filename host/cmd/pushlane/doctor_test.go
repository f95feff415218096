package main

import (
	"bytes"
	"testing"

	"github.com/pushlane/pushlane/host/internal/doctor"
)

func TestChecksAsJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := program{out: &out}
	if err := p.showChecks(true, doctor.Check{Name: "git", OK: true, Message: "git version 2.39.5"},
		doctor.Check{Name: "hooks", Message: "pre-push: not installed", Hint: "pushlane install"}); err != nil {
		t.Fatal(err)
	}
	const want = `{
  "schema": 1,
  "ok": false,
  "checks": [
    {
      "name": "git",
      "ok": true,
      "warn": false,
      "message": "git version 2.39.5"
    },
    {
      "name": "hooks",
      "ok": false,
      "warn": false,
      "message": "pre-push: not installed",
      "hint": "pushlane install"
    }
  ]
}
`
	if out.String() != want || p.exit != 3 {
		t.Errorf("exit %d: %s", p.exit, &out)
	}
}
