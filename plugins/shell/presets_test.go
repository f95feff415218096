package main

import (
	"fmt"
	"testing"

	"github.com/pushlane/pushlane/sdk"
)

func TestPresets(t *testing.T) {
	t.Parallel()
	c := sdk.Container{Env: map[string]string{"GOCACHE": "/mine"}}
	if err := addPresets(&c, []string{"npm", "go", "pip", "cargo", "apt"}); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(c.Caches, c.Env)
	want := "[{npm /var/cache/npm} {go-build /var/cache/go-build} {go-mod /var/cache/go-mod} {pip /var/cache/pip} " +
		"{cargo /var/cache/cargo} {apt /var/cache/apt/archives}] map[CARGO_HOME:/var/cache/cargo GOCACHE:/mine " +
		"GOMODCACHE:/var/cache/go-mod PIP_CACHE_DIR:/var/cache/pip npm_config_cache:/var/cache/npm]"
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	err := addPresets(&sdk.Container{}, []string{"gem"})
	if err == nil || err.Error() != `setting cache: there is no preset "gem", want npm, go, pip, cargo or apt` {
		t.Error(err)
	}
}
