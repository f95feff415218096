package incus

import (
	"strings"
	"testing"
	"time"

	"github.com/pushlane/pushlane/sdk"
)

func TestRefusedIntents(t *testing.T) {
	caches := func(pairs ...string) func(*Spec) {
		return func(s *Spec) {
			for i := 0; i < len(pairs); i += 2 {
				s.Caches = append(s.Caches, sdk.Cache{Name: pairs[i], Path: pairs[i+1]})
			}
		}
	}
	for name, test := range map[string]struct {
		edit func(*Spec)
		want string
	}{
		"no id":                {func(s *Spec) { s.ID = "" }, `its id "" is not of the form`},
		"an id that is a path": {func(s *Spec) { s.ID = "../x" }, `its id "../x" is not of the form`},
		"no command":           {func(s *Spec) { s.Command = nil }, "it has no command"},
		"an empty command":     {func(s *Spec) { s.Command = []string{""} }, "it has no command"},
		"a NUL in the command": {func(s *Spec) { s.Command = []string{"a\x00b"} }, "its command holds a NUL byte"},
		"a command without end": {func(s *Spec) { s.Command = []string{strings.Repeat("x", 200<<10)} },
			"its command is too long: 1 words, 204801 bytes (at most 4096 and 120 KiB)"},
		"a relative folder": {func(s *Spec) { s.Cwd = "src" }, `cwd "src" is not a clean absolute path`},
		"a folder with dots": {func(s *Spec) { s.Cwd = "/work/../etc" },
			`cwd "/work/../etc" is not a clean absolute path`},
		"a user by name": {func(s *Spec) { s.User = "daemon" },
			`user "daemon" is not lane, root or a number below 65534`},
		"a user out of range": {func(s *Spec) { s.User = "65534" },
			`user "65534" is not lane, root or a number below 65534`},
		"a negative user": {func(s *Spec) { s.User = "-1" },
			`user "-1" is not lane, root or a number below 65534`},
		"a variable without a name": {func(s *Spec) { s.Env = map[string]string{"": "x"} },
			`variable "" has no proper name`},
		"a variable with an equals sign": {func(s *Spec) { s.Env = map[string]string{"A=B": "x"} },
			`variable "A=B" has no proper name`},
		"a NUL in a variable": {func(s *Spec) { s.Env = map[string]string{"A": "\x00"} },
			`variable "A" has no proper name or holds a NUL byte`},
		"more cpu than allowed": {func(s *Spec) { s.CPU = "2.001" }, "it asks for cpu 2.001, the policy allows 2"},
		"a cpu that is none": {func(s *Spec) { s.CPU = "0-3" },
			`cpu: "0-3" is not a number of cores such as 2 or 0.5`},
		"more memory than allowed": {func(s *Spec) { s.Memory = "1025MiB" },
			"it asks for memory 1025MiB, the policy allows 1GiB"},
		"memory in percent": {func(s *Spec) { s.Memory = "50%" },
			`memory: "50%" is not a size such as 512MiB or 2GiB`},
		"memory that overflows": {func(s *Spec) { s.Memory = "999999999999999TiB" },
			`memory: "999999999999999TiB" is more than a pebibyte`},
		"too little memory": {func(s *Spec) { s.Memory = "1MiB" },
			"it asks for memory 1MiB, which is too little to start"},
		"more disk than allowed": {func(s *Spec) { s.Disk = "5GiB" }, "it asks for disk 5GiB, the policy allows 4GiB"},
		"more processes than allowed": {func(s *Spec) { s.Processes = 501 },
			"it asks for 501 processes, the policy allows 4 to 500"},
		"a negative count": {func(s *Spec) { s.Processes = -1 },
			"it asks for -1 processes, the policy allows 4 to 500"},
		"negative time": {func(s *Spec) { s.Millis = -1 },
			"its time of -1 ms is not one of 1 ms to 168h0m0s"},
		"time that overflows": {func(s *Spec) { s.Millis = 1 << 62 }, "is not one of 1 ms to 168h0m0s"},
		"a network where there is none": {func(s *Spec) { s.Network = true },
			"this host does not allow network access"},
		"an image with an option": {func(s *Spec) { s.Image = "-x" }, `image "-x" is neither an alias nor a fingerprint`},
		"an image that climbs": {func(s *Spec) { s.Image = "a/../b" },
			`image "a/../b" is neither an alias nor a fingerprint`},
		"a cache over the source": {caches("a", "/work/src/node_modules"),
			"cache a: /work/src/node_modules cannot be a cache"},
		"a cache over programs":   {caches("a", "/usr/bin"), "cache a: /usr/bin cannot be a cache"},
		"a cache over everything": {caches("a", "/"), "cache a: / cannot be a cache"},
		"a cache with an option": {caches("a", "/c,ro"),
			`cache a: "/c,ro" contains characters that a mount does not accept`},
		"a cache of a strange name": {caches("A b", "/c"), `cache "A b": its name is not of the form`},
		"the same cache twice": {caches("a", "/c", "a", "/d"),
			`cache "a": its name is not of the form [a-z0-9][a-z0-9-]* or appears twice`},
		"a cache in a cache": {caches("a", "/c", "b", "/c/d"), "cache b: /c/d is inside another cache"},
		"artifacts that no one takes": {func(s *Spec) { s.Artifacts = []string{"/a"} },
			"it names artifacts, but nothing receives them"},
		"an artifact that is relative": {func(s *Spec) { s.Artifacts, s.Keep = []string{"a"}, kept{} },
			`artifact "a" is not a clean absolute path`},
		"an artifact of the kernel": {func(s *Spec) { s.Artifacts, s.Keep = []string{"/proc/1/environ"}, kept{} },
			"begins with a pattern or in /proc, /sys or /dev"},
		"an artifact of a bad pattern": {func(s *Spec) { s.Artifacts, s.Keep = []string{"/a/[x"}, kept{} },
			`artifact "/a/[x" is not a valid pattern`},
		"a policy that says nothing": {func(s *Spec) { s.Max = Limits{} },
			`the policy's limit on cpu: "" is not a number of cores`},
	} {
		t.Run(name, func(t *testing.T) {
			s := busybox("true")
			test.edit(&s)
			_, err := s.plan()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("err = %v, want %q", err, test.want)
			}
			if !strings.HasPrefix(err.Error(), "cannot start container ") || err.(*Error).Hint() == "" {
				t.Errorf("%v: wrong form, or no hint", err)
			}
		})
	}
}

func TestPlanFillsIn(t *testing.T) {
	p, err := Spec{Container: sdk.Container{ID: "a", Command: []string{"x"}}, Max: testLimits()}.plan()
	if err != nil {
		t.Fatal(err)
	}
	if p.Image != "default" || p.uid != 1000 || p.cwd != "/work/src" || p.millicores != 2000 || p.memory != 1<<30 ||
		p.disk != 4<<30 || p.processes != 500 {
		t.Errorf("%+v", p)
	}
	if left := time.Until(p.Deadline); left < 59*time.Minute || left > time.Hour {
		t.Errorf("deadline in %s", left)
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"1": 1, "1B": 1, "1kB": 1000, "1KiB": 1024, "2GiB": 2 << 30, "3TB": 3e12} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%s = %d, %v, want %d", text, got, err, want)
		}
	}
	for text, want := range map[string]int64{"1": 1000, "0.5": 500, "12.34": 12340} {
		if got, err := parseCPU(text); err != nil || got != want {
			t.Errorf("%s cores = %d, %v, want %d", text, got, err, want)
		}
	}
}

func TestInstanceNames(t *testing.T) {
	for address, id := range map[string]string{"repo@abc1234:go-test": "unit", "x": "y", "": "_",
		strings.Repeat("ä", 90): strings.Repeat("q", 63)} {
		name := instanceName(address, id, 1000)
		if len(name) > 63 || !strings.HasPrefix(name, "pl-") || strings.Contains(name, "--") ||
			strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("%q", name)
		}
		if name == instanceName(address, id, 1000) {
			t.Errorf("%q twice", name)
		}
	}
}
