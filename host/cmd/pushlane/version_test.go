package main

import (
	"bytes"
	"regexp"
	"testing"
)

func TestVersion(t *testing.T) {
	want := regexp.MustCompile(`^pushlane \S+, plugin ABI 1, go\S+ linux/\w+\n$`)
	for _, args := range [][]string{{"version"}, {"--version"}} {
		var out bytes.Buffer
		if exit := run(t.Context(), program{out: &out, err: &out}, args); exit != 0 || !want.MatchString(out.String()) {
			t.Errorf("%q: exit %d, %q", args, exit, out.String())
		}
	}
}
