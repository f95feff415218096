package incus

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestSecretVariables: a secret is a variable of the command, and in nothing that Incus or its host's users see.
func TestSecretVariables(t *testing.T) {
	c := needIncus(t, testConfig(t))
	s := busybox(`echo "$TOKEN" "$MULTI"; cat /run/secrets/TOKEN; env | grep -c pushlane_value; ` +
		`tr '\0' ' ' </proc/self/cmdline; ` +
		`echo; tr '\0' ' ' </proc/$PPID/cmdline`)
	s.Secrets = map[string][]byte{"TOKEN": []byte("hush-hush"), "LINES": []byte("one line\n two lines")}
	s.SecretEnv = map[string]string{"TOKEN": "TOKEN", "MULTI": "LINES"}
	p, err := s.plan()
	if err != nil {
		t.Fatal(err)
	}
	sent, err := json.Marshal([]any{p.argv(), p.env})
	if err != nil || strings.Contains(string(sent), "hush") {
		t.Errorf("sent %s, %v", sent, err)
	}
	ended, out, errOut := run(t, c, s)
	if want := "hush-hush one line\n two lines\nhush-hush0\n"; !strings.HasPrefix(out, want) || ended.Exit != 0 ||
		strings.Contains(out[len(want)-1:], "hush-hush ") {
		t.Errorf("exit %d, stdout %q, stderr %q", ended.Exit, out, errOut)
	}
	s = busybox(`exit 3`)
	s.Secrets, s.SecretEnv = map[string][]byte{"TOKEN": []byte("hush-hush")}, map[string]string{"TOKEN": "TOKEN"}
	if ended, _, _ := run(t, c, s); ended.Exit != 3 {
		t.Errorf("exit %d, want 3", ended.Exit)
	}
}

func TestSecretVariablesThatAreRefused(t *testing.T) {
	t.Parallel()
	for want, vars := range map[string]map[string]string{
		`variable "A B" has no proper name`:              {"A B": "TOKEN"},
		`variable "A=B" has no proper name`:              {"A=B": "TOKEN"},
		`variable "--" has no proper name`:               {"--": "TOKEN"},
		`variable "HERE" is set twice, once as a secret`: {"HERE": "TOKEN"},
		`secret "../etc/passwd" is not a name`:           {"TOKEN": "../etc/passwd"},
	} {
		s := busybox("true")
		s.Env, s.SecretEnv = map[string]string{"HERE": "x"}, vars
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", vars, err, want)
		}
	}
}
