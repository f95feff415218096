package oci

import "testing"

func TestParse(t *testing.T) {
	t.Parallel()
	const form = "(lower-case letters, digits, dots, dashes, slashes)"
	const sum = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for text, want := range map[string]string{
		"docker.io/library/node:22": "docker.io/library/node:22",
		"docker.io/node:22":         "docker.io/library/node:22",
		"docker.io/node":            "docker.io/library/node:latest",
		"docker.io/acme/app:1":      "docker.io/acme/app:1",
		"localhost:5000/app":        "localhost:5000/app:latest",
		"localhost/app:1":           "localhost/app:1",
		"ghcr.io/a/b/c@" + sum:      "ghcr.io/a/b/c@" + sum,
		"ghcr.io/a/b:1@" + sum:      "ghcr.io/a/b:1@" + sum,
		"[::1]:5000/app:1":          "[::1]:5000/app:1",
		"node:22":                   `cannot use image "node:22": it is not the name of an image in a registry`,
		"default":                   `cannot use image "default": it is not the name of an image in a registry`,
		"ghcr.io/":                  `cannot use image "ghcr.io/": it is not the name of an image in a registry`,
		"ghcr.io/App:1":             `cannot use image "ghcr.io/App:1": "App" is not a repository ` + form,
		"ghcr.io/app:":              `cannot use image "ghcr.io/app:": its tag is empty`,
		"ghcr.io/app:a b":           `cannot use image "ghcr.io/app:a b": "a b" is not a tag`,
		"ghcr.io/app@sha256:12": `cannot use image "ghcr.io/app@sha256:12": ` +
			`"sha256:12" is not a digest (sha256: and 64 hex digits)`,
		"ghcr.io/../app":          `cannot use image "ghcr.io/../app": "../app" is not a repository ` + form,
		"https://ghcr.io/app":     `cannot use image "https://ghcr.io/app": "https:" is not a registry`,
		"user:secret@ghcr.io/app": `cannot use image "user:secret@ghcr.io/app": "user:secret@ghcr.io" is not a registry`,
		"ghcr.io/app:1\x1b[31m":   "cannot use image \"ghcr.io/app:1\\x1b[31m\": \"1\\x1b[31m\" is not a tag",
		"docker.io/a//node:22":    `cannot use image "docker.io/a//node:22": "a//node" is not a repository ` + form,
	} {
		n, err := Parse(text)
		got := n.String()
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q:\n got %s\nwant %s", text, got, want)
		}
	}
}
