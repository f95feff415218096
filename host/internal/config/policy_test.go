package config

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func load(t *testing.T, text string, env map[string]string) (Policy, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"PUSHLANE_CONFIG": file, "HOME": t.TempDir()}
	for name, value := range env {
		all[name] = value
	}
	return Load(func(name string) string { return all[name] })
}

// A variable names a key with underscores for its dots, is above the files, and
// separates a list with commas. One that is empty, of tables or of no key says
// nothing.
func TestVariables(t *testing.T) {
	t.Parallel()
	p, err := load(t, "parallel = 2\n[incus]\npool = \"file\"\nproject = \"file\"\n", map[string]string{
		"PUSHLANE_INCUS_POOL": "variable", "PUSHLANE_INCUS_SERVER_CERT": "/cert=1", "PUSHLANE_INCUS_PROJECT": "",
		"PUSHLANE_PUSH_OPTIONS": "lane.skip,priority", "PUSHLANE_LIMITS_TIME": "5m", "PUSHLANE_ALLOW_SKIP": "false",
		"PUSHLANE_WEBHOOK": "https://evil.example", "PUSHLANE_SKIP": "1", "PUSHLANE_NONSENSE": "1",
	})
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Base(p.File()) != "config.toml" || p.File() == PolicyFile {
		t.Errorf("it is from %q", p.File())
	}
	if p.Parallel != 2 || p.IncusPool != "variable" || p.IncusProject != "file" || p.IncusServerCert != "/cert=1" ||
		!slices.Equal(p.PushOptions, []string{"lane.skip", "priority"}) || p.MaxTime.String() != "5m0s" || p.AllowSkip ||
		len(p.Webhooks) != 0 {
		t.Errorf("got %+v", p)
	}
}

func TestBadVariables(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ value, want string }{
		"PUSHLANE_PARALLEL": {"0", "cannot read the policy: parallel is 0, want 1 to 1024"},
		"PUSHLANE_NO_LANES": {"maybe", `cannot read the policy: no_lanes is "maybe", want refuse or accept`},
	} {
		if _, err := load(t, "", map[string]string{name: c.value}); err == nil || err.Error() != c.want {
			t.Errorf("%s:\ngot  %v\nwant %s", name, err, c.want)
		}
	}
	if _, err := load(t, "", map[string]string{"PUSHLANE_PARALLEL": "many"}); err == nil {
		t.Error("a word is taken for a number")
	}
}

// A log that cannot be is refused with the file and the line that say it.
func TestLogKeys(t *testing.T) {
	t.Parallel()
	p, err := load(t, "[log]\nlevel = \"warning\"\nformat = \"json\"\n", nil)
	if err != nil || p.LogLevel != "warning" || p.LogFormat != "json" {
		t.Errorf("got %s, %s, %v", p.LogLevel, p.LogFormat, err)
	}
	for text, want := range map[string]string{
		"parallel = 1\n[log]\nlevel = \"loud\"": `line 3: log.level is "loud", want error, warning or info`,
		"[log]\nformat = \"xml\"":               `line 2: log.format is "xml", want text or json`,
		"\n\nlog.format = \"\"":                 `line 3: log.format is "", want text or json`,
		"[log]\nlevel = 5":                      `line 2: log.level is "5", want error, warning or info`,
		"[log]\ncolour = true":                  `unknown key "log.colour"`,
	} {
		file := filepath.Join(t.TempDir(), "config.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(func(name string) string { return map[string]string{"PUSHLANE_CONFIG": file}[name] })
		if err == nil || err.Error() != "cannot read policy "+file+": "+want {
			t.Errorf("%q:\ngot  %v\nwant %s", text, err, want)
		}
	}
	for name, want := range map[string]string{
		"PUSHLANE_LOG_LEVEL":  `cannot read the policy: log.level is "x", want error, warning or info`,
		"PUSHLANE_LOG_FORMAT": `cannot read the policy: log.format is "x", want text or json`,
	} {
		if _, err := load(t, "", map[string]string{name: "x"}); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}
