package sdk

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func fullRequest() Request {
	return Request{
		ABI: 1, Run: "web@abc1234:go", Lane: "go", Repository: "web", Gate: "pre-push",
		Update: Update{Ref: "refs/heads/main", Old: strings.Repeat("a", 40), New: strings.Repeat("b", 40),
			Base: strings.Repeat("c", 40), Forced: true},
		Changes: []Change{{Path: "a b\n\"c\\.go", Status: "M", Mode: "100644", OldID: "1", NewID: "2", Commit: "3",
			Merged: []string{"4", "5"}}, {Path: "é/\u2028x", Status: "D", OldID: "3"}},
		History: []Change{{Path: "gone", Status: "A", Mode: "100644", OldID: "8", NewID: "6", Commit: "7",
			Merged: []string{"9"}}},
		Commits: []Commit{{ID: "9", Parents: []string{"7", "8"}, Author: "A <a@b>", Time: 1700000000,
			Message: "subject\n\nbody \x01\t\r end"}},
		With:    RawJSON(`{"a":[1,2.5e3,null,{"b":"\u00e9"}]}`),
		Granted: []string{"repo.read"}, Ops: []string{"container.start@1"},
		Limits: Limits{Memory: 1 << 30, Millis: 600000, Log: 8 << 20, Findings: 10000, Out: -1, Fuel: 7},
		Results: []Result{{ID: "test", Exit: 137, TimedOut: true, Millis: 12, Tail: "no\nyes",
			Artifacts: []string{"out/a.xml"}}},
	}
}

func fullRecord() Record {
	return Record{Type: "container", Message: "m", Path: "p/q", Verdict: "fail",
		Finding: &Finding{Path: "a.go", Line: 3, Col: 4, Level: "error", Rule: "r", Message: "no"},
		Container: &Container{ID: "t", Image: "default", Command: []string{"go", "test"},
			Env: map[string]string{"B": "2", "A": "1"}, Cwd: "/work/src",
			User: "root", CPU: "0.5", Memory: "1GiB", Disk: "5GiB", Processes: 9, Millis: 8, Network: true,
			Caches: []Cache{{Name: "go", Path: "/c"}}, Artifacts: []string{"/x/*"}, Secrets: []string{"TOKEN"},
			Reads: []string{"/r"}, Git: true,
			SecretEnv: map[string]string{"NODE_AUTH_TOKEN": "NPM"}}}
}

func TestCodecAgreesWithEncodingJSON(t *testing.T) {
	request, record := fullRequest(), fullRecord()
	for name, r := range map[string]Request{"every field set": request,
		"nothing set": {Changes: []Change{}, Granted: []string{}}} {
		t.Run("request, "+name, func(t *testing.T) {
			ours := r.AppendJSON(nil)
			var theirs Request
			if err := json.Unmarshal(ours, &theirs); err != nil || !reflect.DeepEqual(theirs, r) {
				t.Fatalf("encoding/json reads %s\nas %+v (%v)", ours, theirs, err)
			}
			text, _ := json.Marshal(r)
			for _, b := range [][]byte{text, ours} {
				if back, err := ParseRequest(b); err != nil || !reflect.DeepEqual(back, r) {
					t.Fatalf("we read %s\nas %+v (%v)", b, back, err)
				}
			}
		})
	}
	for name, r := range map[string]Record{"every field set": record, "nothing set": {}} {
		t.Run("record, "+name, func(t *testing.T) {
			ours := r.AppendJSON(nil)
			text, _ := json.Marshal(r)
			if !bytes.Equal(ours, text) {
				t.Fatalf("got  %s\nwant %s", ours, text)
			}
			if back, err := ParseRecord(ours); err != nil || !reflect.DeepEqual(back, r) {
				t.Fatalf("we read %s\nas %+v (%v)", ours, back, err)
			}
		})
	}
}

// Every field of the wire types must be known to the codec: a new one that is
// forgotten there fails here.
func TestEveryFieldIsCoded(t *testing.T) {
	for _, v := range []any{fullRequest(), fullRecord()} {
		checkSet(t, reflect.ValueOf(v), reflect.TypeOf(v).Name())
	}
}

func checkSet(t *testing.T, v reflect.Value, at string) {
	switch v.Kind() {
	case reflect.Pointer:
		checkSet(t, v.Elem(), at)
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			if f.IsZero() {
				t.Errorf("%s.%s is not set in the full value", at, v.Type().Field(i).Name)
				continue
			}
			checkSet(t, f, at+"."+v.Type().Field(i).Name)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			checkSet(t, v.Index(0), at+"[0]")
		}
	}
}

func TestNamesThatAreNotUTF8(t *testing.T) {
	for name, c := range map[string]struct{ path, text string }{
		"one byte":                    {"a\xff", `"a\udcff"`},
		"the lowest":                  {"\x80", `"\udc80"`},
		"half a rune":                 {"\xc3(", `"\udcc3("`},
		"a surrogate as bytes":        {"\xed\xb3\xbf", `"\udced\udcb3\udcbf"`},
		"the replacement rune":        {"\uFFFD", "\"\uFFFD\""},
		"a line break and a quote":    {"\n\"", `"\n\""`},
		"a rune beyond the first 64K": {"😀", `"😀"`},
	} {
		t.Run(name, func(t *testing.T) {
			r := Record{Type: "artifact", Path: c.path}
			b := r.AppendJSON(nil)
			if want := `{"type":"artifact","path":` + c.text + `}`; string(b) != want {
				t.Errorf("got %s, want %s", b, want)
			}
			if back, err := ParseRecord(b); err != nil || back.Path != c.path {
				t.Errorf("came back as %q (%v), want %q", back.Path, err, c.path)
			}
		})
	}
}

func TestTextThatIsNotUTF8(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"a raw byte":             {"a\xffb", "a\uFFFDb"},
		"the escape of a byte":   {`a\udcffb`, "a\uFFFDb"},
		"half a pair":            {`\ud83dx`, "\uFFFDx"},
		"half a pair and a rune": {`\ud83d\u0041`, "\uFFFDA"},
		"a pair":                 {`\ud83d\ude00`, "😀"},
		"a NUL":                  {`\u0000`, "\x00"},
		"an escaped slash":       {`\/`, "/"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := ParseRecord([]byte(`{"type":"progress","message":"` + c.in + `"}`))
			if err != nil || r.Message != c.want {
				t.Errorf("got %q (%v), want %q", r.Message, err, c.want)
			}
		})
	}
}

func TestWhatIsRefused(t *testing.T) {
	deep := strings.Repeat("[", 64) + strings.Repeat("]", 64)
	for name, c := range map[string]struct{ in, want string }{
		"nothing":                  {"", "want an object, found the end at byte 0"},
		"null":                     {"null", "want an object, found null at byte 0"},
		"a list":                   {"[]", "want an object, found an array at byte 0"},
		"words":                    {"ok: 3 tests", `want an object, found "o" at byte 0`},
		"an unfinished object":     {`{"type":`, "type: want a string, found the end at byte 8"},
		"two objects":              {`{} {}`, "want the end, found more at byte 3"},
		"a key twice":              {`{"type":"a","type":"b"}`, "type: a key that comes twice at byte 18"},
		"an unknown key twice":     {`{"x":1,"x":2}`, "x: a key that comes twice at byte 10"},
		"a key twice further down": {`{"x":{"y":[{"a":1,"a":1}]}}`, "x.y[0].a: a key that comes twice at byte 21"},
		"a number for a string":    {`{"type":5}`, "type: want a string, found a number at byte 8"},
		"a string for a number":    {`{"finding":{"line":"5"}}`, "finding.line: want an integer, found a string at byte 19"},
		"a fraction": {`{"finding":{"line":5.0}}`,
			"finding.line: want an integer of 64 bits, found another number at byte 19"},
		"an exponent": {`{"finding":{"line":5e0}}`,
			"finding.line: want an integer of 64 bits, found another number at byte 19"},
		"too large a number": {`{"finding":{"line":9223372036854775808}}`,
			"finding.line: want an integer of 64 bits, found another number at byte 19"},
		"a leading zero":         {`{"finding":{"line":05}}`, "finding: want , or }, found a number at byte 20"},
		"a lone minus":           {`{"finding":{"line":-}}`, "finding.line: want a digit at byte 20"},
		"a string for an object": {`{"finding":"x"}`, "finding: want an object, found a string at byte 11"},
		"a string in a list": {`{"container":{"command":["a",1]}}`,
			"container.command[1]: want a string, found a number at byte 29"},
		"a number for a boolean": {`{"container":{"network":1}}`,
			"container.network: want a boolean, found a number at byte 24"},
		"a comma too many":           {`{"type":"a",}`, "want a value after the comma at byte 12"},
		"no comma":                   {`{"type":"a" "path":"b"}`, "want , or }, found a string at byte 12"},
		"a raw line break":           {"{\"type\":\"a\nb\"}", "type: a control character in a string at byte 10"},
		"an unknown escape":          {`{"type":"\x"}`, "type: an unknown escape in a string at byte 11"},
		"an unfinished \\u":          {`{"type":"\u12"}`, "type: want four hexadecimal digits at byte 11"},
		"a string without end":       {`{"type":"abc`, "type: a string without end at byte 12"},
		"nested too deep":            {`{"x":` + deep + `}`, "nested deeper than 64"},
		"a word that is not a value": {`{"x":nil}`, "x: want a value at byte 5"},
		"a bare word for a boolean":  {`{"container":{"network":tru}}`, "container.network: want a value at byte 24"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseRecord([]byte(c.in))
			if err == nil || !strings.HasSuffix(err.Error(), c.want) && !strings.Contains(err.Error(), c.want+" at byte") {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	shallow := `{"x":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) +
		`,"message":null,"finding":null,"new":{"k":true}}`
	if r, err := ParseRecord([]byte(shallow)); err != nil || r.Finding != nil {
		t.Errorf("unknown keys and nulls: got %+v, %v", r, err)
	}
}

// oddKey finds keys that encoding/json takes for another one by folding case.
var oddKey = regexp.MustCompile(`"[^"]*[A-Z\\\x{17f}\x{212a}\x80-\xff][^"]*"\s*:`)

func FuzzRecordAgainstEncodingJSON(f *testing.F) {
	full := fullRecord()
	f.Add(full.AppendJSON(nil))
	for _, s := range []string{`{"type":"finding","finding":{"level":"error","message":"\ud83d\ude00\u12"}}`,
		`{"a":[1,-0.5e+7,{}],"b":null}`, "{}", `{"container":{"env":{"a":"b"}}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ours, err := ParseRecord(b)
		var theirs Record
		errTheirs := json.Unmarshal(b, &theirs)
		if err != nil {
			if errTheirs == nil && !oddKey.Match(b) && !tolerated(err) {
				t.Fatalf("only we refuse %q: %v", b, err)
			}
			return
		}
		if !json.Valid(b) {
			t.Fatalf("we take %q, which is not JSON", b)
		}
		if !oddKey.Match(b) && utf8.Valid(b) && !bytes.Contains(b, []byte(`\ud`)) && !bytes.Contains(b, []byte(`\uD`)) {
			if errTheirs != nil || !reflect.DeepEqual(ours, theirs) {
				t.Fatalf("%q: got %+v, want %+v (%v)", b, ours, theirs, errTheirs)
			}
		}
		again, err := ParseRecord(ours.AppendJSON(nil))
		if err != nil || !sameRecord(again, ours) {
			t.Fatalf("%q does not come back: %+v, then %+v (%v)", b, ours, again, err)
		}
	})
}

// sameRecord compares what is written: empty and absent lists are one.
func sameRecord(a, b Record) bool { return bytes.Equal(a.AppendJSON(nil), b.AppendJSON(nil)) }

// tolerated: the rules in which we are stricter.
func tolerated(err error) bool {
	text := err.Error()
	return strings.Contains(text, "twice") || strings.Contains(text, "deeper") || strings.Contains(text, "found null")
}

func FuzzRequest(f *testing.F) {
	full := fullRequest()
	f.Add(full.AppendJSON(nil))
	f.Add([]byte(`{"changes":[{"path":"\udcff\udc7f\ud800"}],"with":{"a":1}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRequest(b)
		if err != nil {
			return
		}
		text := r.AppendJSON(nil)
		again, err := ParseRequest(text)
		if err != nil || !bytes.Equal(again.AppendJSON(nil), text) {
			t.Fatalf("%q does not come back: %s, then %s (%v)", b, text, again.AppendJSON(nil), err)
		}
		for i := range r.Changes {
			if r.Changes[i].Path != again.Changes[i].Path {
				t.Fatalf("%q: path %q became %q", b, r.Changes[i].Path, again.Changes[i].Path)
			}
		}
	})
}

func largeRequest() Request {
	r := fullRequest()
	r.Changes = nil
	for i := range 1000 {
		r.Changes = append(r.Changes, Change{Path: "internal/some/package/file" + string(rune('a'+i%26)) + ".go", Status: "M",
			Mode:  "100644",
			OldID: strings.Repeat("1", 40), NewID: strings.Repeat("2", 40)})
	}
	return r
}

func BenchmarkParseRequest1000Changes(b *testing.B) {
	r := largeRequest()
	text := r.AppendJSON(nil)
	for name, parse := range map[string]func([]byte) (Request, error){
		"sdk": ParseRequest,
		"encoding/json": func(b []byte) (r Request, err error) {
			err = json.Unmarshal(b, &r)
			return r, err
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parse(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendRequest1000Changes(b *testing.B) {
	r := largeRequest()
	for name, write := range map[string]func() []byte{
		"sdk":           func() []byte { return r.AppendJSON(nil) },
		"encoding/json": func() []byte { text, _ := json.Marshal(r); return text },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				write()
			}
		})
	}
}

func FuzzValueAgainstEncodingJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e+7,"x",true,null,{}]}`, `"\u00e9\ud83d\ude00"`, ` [ ] `, "1e", "-",
		`{"a":1,}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := ParseValue(b)
		valid := json.Valid(b)
		switch {
		case err == nil && !valid:
			t.Fatalf("we take %q, which is not JSON", b)
		case err != nil && valid && !tolerated(err):
			t.Fatalf("we refuse %q: %v", b, err)
		case err != nil:
			return
		}
		var theirs any
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		if err := d.Decode(&theirs); err != nil {
			t.Fatal(err)
		}
		if utf8.Valid(b) && !reflect.DeepEqual(plain(v), theirs) {
			t.Fatalf("%q: got %v, want %v", b, plain(v), theirs)
		}
	})
}

// plain turns a value into what encoding/json makes of it.
func plain(v Value) any {
	switch v.kind {
	case '{':
		m := map[string]any{}
		for k, item := range v.Members() {
			m[k] = plain(item)
		}
		return m
	case '[':
		a := []any{}
		for _, item := range v.Items() {
			a = append(a, plain(item))
		}
		return a
	case '"':
		return v.text
	case '0':
		return json.Number(v.text)
	case 't', 'f':
		return v.kind == 't'
	}
	return nil
}
