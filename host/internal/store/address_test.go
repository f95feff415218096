package store

import "testing"

func TestParseAddress(t *testing.T) {
	tests := map[string]Address{
		"#102:lane":        {Number: 102, Lane: "lane"},
		"102:lane":         {Number: 102, Lane: "lane"},
		"102":              {Number: 102},
		"#1":               {Number: 1},
		"repo@abc1234:go":  {Repo: "repo", Commit: "abc1234", Lane: "go"},
		"repo@abc1234":     {Repo: "repo", Commit: "abc1234"},
		"@abc1234":         {Commit: "abc1234"},
		"my repo@x@abcd:l": {Repo: "my repo@x", Commit: "abcd", Lane: "l"},
		"last":             {Last: true},
		"last:go-test":     {Last: true, Lane: "go-test"},
	}
	for text, want := range tests {
		got, err := ParseAddress(text)
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
		if again, err := ParseAddress(got.String()); err != nil || again != got {
			t.Errorf("%q: written as %q, read as %+v, %v", text, got.String(), again, err)
		}
	}
}

func TestParseAddressRefuses(t *testing.T) {
	for _, text := range []string{"", "#", "0", "-1", "+1", "#+1", "1.5", "x", "102:", "102:a:b", "102:a/b", "repo@",
		"repo@xyz", "repo@abc",
		"repo@ABCDEF1", "repo@abc1234:", "99999999999999999999", "latest", "last:", "#last:", "1:../x"} {
		_, err := ParseAddress(text)
		if err == nil || err.Error() != "cannot read run \""+text+"\"" {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if h, ok := err.(interface{ Hint() string }); !ok ||
			h.Hint() != "write a run as 102, #102:lane, repo@abc1234:lane or last" {
			t.Errorf("%q: no hint", text)
		}
	}
}
