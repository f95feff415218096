package sdk_test

import (
	"testing"

	"github.com/pushlane/pushlane/sdk"
	"github.com/pushlane/pushlane/sdk/sdktest"
)

// TestAttributes: what git check-attr says of the same files.
func TestAttributes(t *testing.T) {
	files := map[string]string{
		".gitattributes": "\xef\xbb\xbf# comment\n[attr]made linguist-generated -diff\n*.pb.go made\nvendor/** " +
			"linguist-vendored\r\n/top.txt a=1\n" +
			"*.png binary\n\"with blank\" a=2\n*.txt b\nours/vendor/** -linguist-vendored\n!not a\ndir/ a\nsub/*.txt c=d\n",
		"sub/.gitattributes":      "*.txt !b a=sub\nkeep.pb.go -linguist-generated\n",
		"sub/deep/.gitattributes": "x.txt -a\n",
	}
	sdktest.Case{Name: "all", Files: files}.Run(t, func(run *sdk.Run) error {
		for _, c := range []struct{ path, name, want string }{
			{"a.pb.go", "linguist-generated", "true"}, {"a.pb.go", "diff", "false"}, {"x/y/a.pb.go", "made", "true"},
			{"sub/keep.pb.go", "linguist-generated", "false"},
			{"vendor/a/b", "linguist-vendored", "true"}, {"x/vendor/a", "linguist-vendored", ""}, {"top.txt", "a", "1"},
			{"x/top.txt", "a", ""},
			{"p.png", "text", "false"}, {"p.png", "binary", "true"}, {"with blank", "a", "2"}, {"n.txt", "b", "true"},
			{"sub/n.txt", "b", ""},
			{"sub/n.txt", "a", "sub"}, {"sub/n.txt", "c", "d"}, {"sub/deep/x.txt", "a", "false"}, {"sub/deep/y.txt", "a", "sub"},
			{"dir/a", "a", ""}, {"not", "a", ""},
		} {
			if got := run.Attribute(c.path, c.name); got != c.want {
				t.Errorf("%s of %s: got %q, want %q", c.name, c.path, got, c.want)
			}
		}
		for path, want := range map[string]bool{"p.png": false, "a.go": true, "x/vendor/a": false, "vendor": true,
			"ours/vendor/a": true, "node_modules/x/a.js": false, "a.pb.go": false} {
			if run.Handmade(sdk.Change{Path: path}) != want {
				t.Errorf("%s: made by hand: %t", path, !want)
			}
		}
		return nil
	})
}
