package lanes

import (
	"reflect"
	"strings"
	"testing"
)

func TestLockRoundTrip(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	lock := &Lock{Version: 1}
	lock.Put(Locked{Name: "todo", Source: "oci:example.org/todo:1", Resolved: "oci:example.org/todo@sha256:1", SHA256: sum,
		PluginVer: "1.2", Signer: "ann@example.org",
		Capabilities: []Granted{{Name: "repo.read", Why: "reads \"files\"", Scope: []string{"**/*.go"}}, {Name: "kv"}},
		Held:         &HeldVersion{SHA256: sum, Capabilities: []Granted{{Name: "http", Scope: []string{"*"}}}}})
	lock.Put(Locked{Name: "a", Source: "./a.wasm", SHA256: sum})
	text, err := lock.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadLock("lanes.lock", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if !reflect.DeepEqual(lock, again) {
		t.Errorf("got %+v\nwant %+v\n%s", again, lock, text)
	}
	if again.Plugins[0].Name != "a" || !again.Drop("a") || again.Drop("a") {
		t.Error("plugins are kept by name, and dropped once")
	}
	if p, found := again.Find("todo"); !found || p.Signer != "ann@example.org" {
		t.Errorf("todo: %+v, %v", p, found)
	}
}

func TestLockFaults(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	for text, want := range map[string]string{
		"version = 2":                  "lanes.lock: version is 2, this pushlane knows version 1",
		"":                             "lanes.lock: version is 0, this pushlane knows version 1",
		"version = 1\n[[plugin]]\nx=1": `lanes.lock:3: unknown key "plugin.x"`,
		"version = 1\n[[plugin]]\nname = \"../x\"\nsource=\"a\"\nsha256=\"" + sum +
			"\"": `lanes.lock: bad plugin name "../x": ` + idRule,
		"version = 1\n[[plugin]]\nname = \"x\"\nsource=\"a\"\nsha256=\"" + sum[1:] +
			"\"": `lanes.lock: plugin "x" has no sha256 of 64 hex digits`,
		"version = 1\n[[plugin]]\nname = \"x\"\nsha256=\"" + sum +
			"\"": `lanes.lock: plugin "x" has no source`,
		"version = 1\n" + strings.Repeat("[[plugin]]\nname = \"x\"\nsource=\"a\"\nsha256=\""+sum+"\"\n",
			2): `lanes.lock: plugin "x" is there twice`,
		"version = 'one'": `lanes.lock:1: cannot decode TOML string into struct field lanes.Lock.Version of type int`,
	} {
		if _, err := ReadLock("lanes.lock", []byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q:\ngot  %v\nwant %s", text, err, want)
		}
	}
	if _, err := ReadLock("lanes.lock", make([]byte, MaxFile+1)); err == nil ||
		!strings.Contains(err.Error(), "at most 1048576 are allowed") {
		t.Errorf("too long: %v", err)
	}
}

func TestMore(t *testing.T) {
	read := func(scope ...string) Granted { return Granted{Name: "repo.read", Scope: scope} }
	http := func(scope ...string) Granted { return Granted{Name: "http", Why: "asks", Scope: scope} }
	tests := []struct {
		granted, asked []Granted
		want           []string
	}{
		{nil, nil, nil},
		{nil, []Granted{http("a", "b")}, []string{"+ http (a, b): asks"}},
		{[]Granted{http("a")}, []Granted{http("a", "b")}, []string{"+ http now reaches b as well"}},
		{[]Granted{http("*")}, []Granted{http("a", "b")}, nil},
		{[]Granted{http("a")}, []Granted{http("*")}, []string{"+ http now reaches * as well"}},
		{[]Granted{read("a/**")}, []Granted{read()}, []string{"+ repo.read now reaches every file as well"}},
		{[]Granted{read()}, []Granted{read("a/**")}, nil},
		{[]Granted{http("a"), read()}, []Granted{read()}, nil},
	}
	for _, test := range tests {
		if got := More(test.granted, test.asked); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%v to %v: got %q, want %q", test.granted, test.asked, got, test.want)
		}
	}
	got := Difference([]Granted{http("a", "b"), {Name: "kv", Why: "keeps"}}, []Granted{http("b", "c")})
	want := []string{"+ http now reaches c as well", "- http no longer reaches a", "- kv: keeps"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
