package plaintext

import (
	"testing"
	"unicode/utf16"
)

func utf16Of(text string, big bool) []byte {
	b := []byte{0xff, 0xfe}
	if big {
		b = []byte{0xfe, 0xff}
	}
	for _, u := range utf16.Encode([]rune(text)) {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return b
}

func TestOf(t *testing.T) {
	const not = "the file begins as UTF-16 and is not; save it as UTF-8"
	for name, c := range map[string]struct {
		in        []byte
		want, err string
	}{
		"as it is":             {[]byte("a\nb"), "a\nb", ""},
		"nothing":              {nil, "", ""},
		"a byte order mark":    {[]byte("\ufeffa"), "a", ""},
		"CR LF":                {[]byte("a\r\nb\r\n\r\r\n"), "a\nb\n\r\n", ""},
		"a CR alone":           {[]byte("a\rb"), "a\rb", ""},
		"little UTF-16":        {utf16Of("é\r\n😀", false), "é\n😀", ""},
		"big UTF-16":           {utf16Of("é\r\n😀", true), "é\n😀", ""},
		"UTF-16 of the other":  {[]byte("\xff\xfe\x00a\x00\r\x00\n"), "愀ഀ\u0a00", ""}, // TOML refuses it
		"half a character":     {[]byte("\xff\xfea"), "", not},
		"half a pair":          {[]byte("\xff\xfe\x3d\xd8"), "", not},
		"a pair the wrong way": {[]byte("\xff\xfe\x00\xde\x3d\xd8"), "", not},
		"a NUL in UTF-16":      {[]byte("\xfe\xff\x00a\x00\x00"), "", not},
		"a second mark":        {[]byte("\xff\xfe\xff\xfe"), "", not},
		"the mark turned":      {[]byte("\xff\xfe\xfe\xff"), "", not},
		"UTF-32":               {[]byte("\xff\xfe\x00\x00a\x00\x00\x00"), "", "the file is UTF-32; save it as UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Of(c.in)
			said := ""
			if err != nil {
				said = err.Error()
			}
			if string(got) != c.want || said != c.err {
				t.Errorf("got %q, %q; want %q, %q", got, said, c.want, c.err)
			}
		})
	}
}
