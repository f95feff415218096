package config

import (
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/zone"
)

func TestAllowsImage(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"docker.io/library/* docker.io/library/node":              true,
		"docker.io/library/* docker.io/library/node/x":            false,
		"docker.io/library/* docker.io/acme/node":                 false,
		"ghcr.io/acme/** ghcr.io/acme/a/b":                        true,
		"ghcr.io/acme/** ghcr.io/acme":                            false,
		"ghcr.io/acme/** ghcr.io/acmeevil/a":                      false,
		"ghcr.io/acme/app ghcr.io/acme/app":                       true,
		"ghcr.io/acme/app ghcr.io/acme/app2":                      false,
		"* evil.example/x":                                        true,
		"docker.io/library/* docker.io.evil.example/library/node": false,
	} {
		allowed, name, _ := strings.Cut(text, " ")
		if got := AllowsImage([]string{allowed}, name); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
	if NamesImage([]string{"*"}, "a/b") || !NamesImage([]string{"*", "a/*"}, "a/b") {
		t.Error("the star counts as a name")
	}
}

// TestImageKeys: keys that could not have their effect are refused.
func TestImageKeys(t *testing.T) {
	t.Parallel()
	const form = ` is not a name with its registry; write it like "docker.io/library/*" or "ghcr.io/acme/**"; "*" for all`
	for text, want := range map[string]string{
		"pull = \"never\"":   `cannot read the policy: images.pull is "never", want push or add`,
		"refresh = \"-1h\"":  `cannot read the policy: images.refresh is below zero`,
		"names = [\"node\"]": `cannot read the policy: images: "node"` + form,
		"names = [\"a/[\"]":  `cannot read the policy: images: "a/["` + form,
		"short = [\"node\"]": `cannot read the policy: images.short: "node" is not a short name; ` +
			`write it like "node=docker.io/library/node"`,
		"mirrors = [\"a=https://b\"]": `cannot read the policy: images.mirrors: "a=https://b" is not a mirror; ` +
			`write it like "docker.io=mirror.example.org/dockerhub"`,
		"total = \"much\"":  `cannot read the policy: images.total: "much" is not a size such as 512MiB or 2GiB`,
		"max_size = \"-1\"": `cannot read the policy: images.max_size: "-1" is not a size such as 512MiB or 2GiB`,
	} {
		_, err := load(t, "[images]\n"+text+"\n", nil)
		got := ""
		if err != nil {
			if got = err.Error(); problem.Hint(err) != "" {
				got += "; " + problem.Hint(err)
			}
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
	p, err := load(t, "", map[string]string{"PUSHLANE_IMAGES_NAMES": "docker.io/library/*,ghcr.io/a/b"})
	if err != nil || len(p.ImageNames) != 2 {
		t.Errorf("a variable: %q, %v", p.ImageNames, err)
	}
}

// TestWhoPulls: which runs may pull an image at a push.
func TestWhoPulls(t *testing.T) {
	t.Parallel()
	allow := Allow{Repository: "*", Images: []string{"docker.io/library/*"}}
	open := allow
	open.Unprotected = true
	for name, c := range map[string]struct {
		allows []Allow
		trust  zone.Trust
		strict bool
		want   bool
	}{
		"one's own machine":                    {nil, zone.Local, false, true},
		"a protected ref":                      {nil, zone.Protected, false, true},
		"a protected ref, tables that name it": {[]Allow{allow}, zone.Protected, false, true},
		"a protected ref, tables of other":     {[]Allow{{Repository: "*"}}, zone.Protected, false, false},
		"a branch":                             {nil, zone.Unprotected, false, false},
		"a branch, tables of protected refs":   {[]Allow{allow}, zone.Unprotected, false, false},
		"a branch, tables for branches":        {[]Allow{open}, zone.Unprotected, false, true},
		"the first push, tables for branches":  {[]Allow{open}, zone.Unprotected, true, false},
	} {
		p := Policy{Allows: c.allows}.Within(zone.Zone{Repository: "/r", Trust: c.trust}, "l", c.strict)
		if got := p.Lets("image", "docker.io/library/node"); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
