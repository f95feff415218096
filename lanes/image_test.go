package lanes

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestRecipe: a recipe with all its keys.
func TestRecipe(t *testing.T) {
	t.Parallel()
	set, err := Load("lanes.toml", []byte(`version = 1
[image.test]
from = "base"
packages = ["make", "postgresql-15"]
run = ["npm ci", "npm run build"]
env = { CI = "1" }
files = ["package*.json"]
network = true
[image.base]
from = "docker.io/library/node:22"
run = "true"
`))
	if err != nil {
		t.Fatal(err)
	}
	r := set.Images["test"]
	if r.Name != "test" || r.From != "base" || !slices.Equal(r.Packages, []string{"make", "postgresql-15"}) ||
		!slices.Equal(r.Run, []string{"npm ci", "npm run build"}) || r.Env["CI"] != "1" ||
		!slices.Equal(r.Files, []string{"package*.json"}) || !r.Network || r.Line != 2 {
		t.Errorf("%+v", r)
	}
	if r := set.Images["base"]; !slices.Equal(r.Run, []string{"true"}) || r.Network {
		t.Errorf("%+v", r)
	}
}

// TestBadRecipes: what a recipe cannot say, with its line.
func TestBadRecipes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"[image.a]\nrun = \"true\"",
			"f:2: image \"a\" has no `from`; write `from = \"docker.io/library/debian:bookworm\"`"},
		{"[image.a]\nfrom = \"\"",
			`f:3: image.a.from: "" is not an image`},
		{"[image.a]\nfrom = \"x y\"",
			`f:3: image.a.from: "x y" is not an image`},
		{"[image.a]\nfrom = 1",
			`f:3: image.a.from must be a string, not a whole number`},
		{"[image.A]\nfrom = \"b\"",
			`f:2: image "A": ` + idRule},
		{"[image.a]\nfrom = \"b\"\npackages = [\"-o\"]",
			`f:4: image.a.packages: "-o" is not the name of a package`},
		{"[image.a]\nfrom = \"b\"\npackages = [\"a;b\"]",
			`f:4: image.a.packages: "a;b" is not the name of a package`},
		{"[image.a]\nfrom = \"b\"\nenv = { \"a-b\" = \"\" }",
			`f:4: image.a.env.a-b is not the name of a variable`},
		{"[image.a]\nfrom = \"b\"\npackage = [\"a\"]",
			`f:4: unknown key "image.a.package"`},
		{"[image.a]\nfrom = \"a\"",
			`f:2: image "a" is made of itself: a from a`},
		{"[image.a]\nfrom = \"b\"\n[image.b]\nfrom = \"a\"",
			`f:2: image "a" is made of itself: a from b from a` + "\n" +
				`f:4: image "b" is made of itself: b from a from b`},
		{"image = 1", `f:2: image must be a table, not a whole number`},
	} {
		_, err := Load("f", []byte("version = 1\n"+c.text+"\n"))
		if err == nil || err.Error() != c.want {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
	var many strings.Builder
	for i := range 51 {
		fmt.Fprintf(&many, "[image.a%d]\nfrom = \"b\"\n", i)
	}
	_, err := Load("f", []byte("version = 1\n"+many.String()))
	if err == nil || !strings.HasSuffix(err.Error(), "51 images, more than the 50 allowed") {
		t.Errorf("51 images: %v", err)
	}
}

// TestLockedImages: pins of images are written and read, and bad ones refused.
func TestLockedImages(t *testing.T) {
	t.Parallel()
	sum := "sha256:" + strings.Repeat("0", 64)
	lock := &Lock{}
	lock.PinImage(LockedImage{"docker.io/library/node:22", "sha256:" + strings.Repeat("1", 64)})
	lock.PinImage(LockedImage{"docker.io/library/node:22", sum})
	lock.PinImage(LockedImage{"docker.io/library/go:1", sum})
	text, err := lock.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	read, err := ReadLock("lanes.lock", text)
	if err != nil || len(read.Images) != 2 || read.Images[0].Name != "docker.io/library/go:1" ||
		read.Image("docker.io/library/node:22") != sum || read.Image("docker.io/library/x:1") != "" {
		t.Errorf("%+v, %v\n%s", read, err, text)
	}
	if !strings.Contains(string(text), "# Images, pinned. Written by: pushlane image pin\n") {
		t.Errorf("%s", text)
	}
	for _, c := range []struct{ bad, want string }{
		{"name = \"\"\ndigest = \"" + sum + "\"",
			"an image has no name, or one of more than 400 bytes"},
		{"name = \"a\"\ndigest = \"sha256:00\"",
			`image "a" has no digest (sha256: and 64 hex digits)`},
		{"name = \"a\"\ndigest = \"" + sum + "\"\n[[image]]\nname = \"a\"\ndigest = \"" + sum + "\"",
			`image "a" is there twice`},
		{"name = \"a\"\ndigests = \"\"", `unknown key "image.digests"`},
	} {
		if _, err := ReadLock("l", []byte("version = 1\n[[image]]\n"+c.bad+"\n")); err == nil ||
			!strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.bad, err, c.want)
		}
	}
}
