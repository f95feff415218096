package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/pushlane/pushlane/plugins/internal/wasmtest"
	"github.com/pushlane/pushlane/sdk"
	"github.com/pushlane/pushlane/sdk/sdktest"
)

// Tokens are put together here, so that none is in this file.
const (
	mixed = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1bC2dE3fG4hI5jK6lM7nO8pQ9"
	hexes = "0f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff01234567"
	upper = "A2B3C4D5E6F7G2H3I4J5K6L7M2N3O4P5Q6R7S2T3U4V5W6X7Y2Z3"
)

// tokens is a secret of every rule.
var tokens = map[string]string{
	"private-key": "-----BEGIN RSA PRIVATE" + " KEY-----", "aws-access-key": "AKIA" + upper[:16],
	"gcp-api-key": "AIza" + mixed[:35], "gcp-oauth-secret": "GOCSPX-" + mixed[:28],
	"azure-storage": "AccountKey=" + (mixed + mixed)[:86] + "==", "azure-client-secret": "aB3" + "8Q~" + mixed[:31],
	"github-pat":          "ghp_" + mixed[:36],
	"github-fine-grained": "github_pat_" + (mixed + mixed)[:82], "github-oauth": "gho_" + mixed[:36],
	"github-app": "ghs_" + mixed[:36], "github-refresh": "ghr_" + mixed[:40],
	"gitlab-pat": "glpat-" + mixed[:20], "gitlab-deploy": "gldt-" + mixed[:20], "gitlab-runner": "glrt-" + mixed[:20],
	"gitlab-trigger": "glptt-" + hexes[:40],
	"slack-token":    "xoxb-" + mixed[:24], "slack-app": "xapp-1-" + upper[:10] + "-123-" + hexes[:64],
	"slack-webhook":   "https://hooks.slack" + ".com/services/" + mixed[:44],
	"discord-webhook": "https://discord" + ".com/api/webhooks/123456789012345678/" + (mixed + mixed)[:68],
	"telegram-bot":    "123456789:AA" + mixed[:33],
	"stripe-key":      "sk_live_" + mixed[:24], "stripe-webhook": "whsec_" + mixed[:32],
	"square-token": "sq0csp-" + mixed[:43], "shopify-token": "shpat_" + hexes[:32],
	"twilio-key": "SK" + hexes[:32], "sendgrid-key": "SG." + mixed[:22] + "." + mixed[:43],
	"mailgun-key": "key-" + hexes[:32], "mailchimp-key": hexes[:32] + "-us12",
	"npm-token": "npm_" + mixed[:36], "pypi-token": "pypi-AgE" + mixed[:50], "rubygems-key": "rubygems_" + hexes[:48],
	"crates-token": "cio" + mixed[:32],
	"nuget-key":    "oy2" + strings.ToLower(mixed[:43]), "docker-pat": "dckr_pat_" + mixed[:27],
	"digitalocean-token": "dop_v1_" + hexes[:64],
	"cloudflare-origin":  "v1.0-" + hexes[:24] + "-" + (hexes + hexes + hexes)[:146],
	"heroku-key":         "HRKU-" + (mixed + mixed)[:60], "vault-token": "hvs." + mixed[:24],
	"terraform-token": mixed[:14] + ".atlasv1." + (mixed + mixed)[:60], "databricks-token": "dapi" + hexes[:32],
	"grafana-token": "glsa_" + mixed[:40],
	"newrelic-key":  "NRAK-" + upper[:27], "sentry-token": "sntrys_" + (mixed + mixed)[:60],
	"linear-key": "lin_api_" + mixed[:40], "notion-token": "ntn_" + mixed[:46],
	"openai-key":        "sk-proj-" + mixed[:20] + "T3BlbkFJ" + mixed[:20],
	"huggingface-token": "hf_" + strings.Map(letter, mixed)[:34],
	"age-key":           "AGE-SECRET-KEY-1" + strings.Repeat("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 2)[:58],
	"tailscale-key":     "tskey-auth-" + mixed[:12] + "-" + mixed[:30],
	"jwt":               "eyJ" + mixed[:20] + ".eyJ" + mixed[:30] + "." + mixed[:40],
	"url-password":      "postgres://app:" + "s3cr3tPa55" + "@db.example.org/x",
	"basic-auth":        "Authorization: Basic " + mixed[:24], "bearer": "Authorization: Bearer " + mixed[:40],
	"named": `db_password = "` + mixed[:16] + `"`,
}

// letter makes a digit one.
func letter(r rune) rune {
	if r >= '0' && r <= '9' {
		return 'a' + (r-'0')*2
	}
	return r
}

// TestEveryRule: each rule finds its form in the middle of a line, and says no
// more than four characters of it.
func TestEveryRule(t *testing.T) {
	for _, r := range makeRules() {
		t.Run(r.id, func(t *testing.T) {
			text, known := tokens[r.id]
			if !known {
				text, known = forms()[r.id]
			}
			if strings.HasSuffix(r.id, "-named") {
				return // TestEveryService
			}
			if !known {
				t.Fatal("there is no token of this form in the test")
			}
			secret := r.regexp().FindStringSubmatch("value: " + text + " # and more")
			if secret == nil {
				t.Fatalf("%q is not found", text)
			}
			if message := redacted(&r, secret[1]); len(secret[1]) > 8 && strings.Contains(message, secret[1][:5]) {
				t.Errorf("%q says too much", message)
			}
			if entropy(secret[1]) < r.entropy {
				t.Errorf("it has %.2f bits per character, the rule wants %.2f", entropy(secret[1]), r.entropy)
			}
			for _, frame := range []string{"value: %s # and more", "%s", "a\n\n%s\r\n", strings.Repeat("x ", 80_000) + "%s"} {
				if got := ruleOf(t, strings.Replace(frame, "%s", text, 1)); !slices.Contains(got, r.id) {
					t.Errorf("in %.20q the rules %q find it", frame, got)
				}
			}
		})
	}
}

// ruleOf are the rules that find something in a file.
func ruleOf(t *testing.T, text string) (ids []string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/f", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	request := `{"abi":1,"changes":[{"path":"f","status":"A","mode":"100644"}]}`
	exit := sdk.Session{In: strings.NewReader(request), Out: &out, Log: t.Output(), Src: dir}.Serve(check)
	if exit > 1 {
		t.Fatalf("exit status %d", exit)
	}
	for line := range strings.Lines(out.String()) {
		if r, err := sdk.ParseRecord([]byte(line)); err == nil && r.Finding != nil {
			ids = append(ids, r.Finding.Rule)
		}
	}
	return ids
}

// Stand-ins and names that only speak of a secret, next to what is one.
func TestStandIns(t *testing.T) {
	value := mixed[:20]
	for text, want := range map[string]string{
		"postgres://app:changeme@db/app":                                      "",
		"https://username:password@example.org/":                              "",
		"amqp://guest:guest99@mq/":                                            "",
		"redis://default:default@r":                                           "",
		"https://user:%s@host/ https://u:<password>@h":                        "",
		"https://user:your-password@host":                                     "",
		"git clone https://example.org:8080/x@y/z":                            "",
		"http://old-user:old-password@localhost:80/":                          "",
		"http://new-user:new_secret@host":                                     "",
		"http://evil:hacker@localhost":                                        "",
		"http://evil:hackers-word@host.example.org":                           "url-password",
		"Authorization: Basic cHJveHk6c2VjcmV0":                               "",
		"postgres://app:" + value + "@db/app":                                 "url-password",
		"postgres://app:password" + value + "@db/app":                         "url-password",
		`{"tokenizer_class": "Quick2TokenizerFast"}`:                          "",
		`tokenized = "` + value + `"`:                                         "",
		`secretary = "` + value + `"`:                                         "",
		`passwordless: "` + value + `"`:                                       "",
		`token_type = "` + value + `"`:                                        "",
		`"token_endpoint": "` + value + `"`:                                   "",
		`secretKeyRef = "` + value + `"`:                                      "",
		`TOKEN_URL="` + value + `"`:                                           "",
		`token = "` + value + `"`:                                             "named",
		`tokens = ["` + value + `"]`:                                          "",
		`tokens: "` + value + `"`:                                             "named",
		`tokenValue := "` + value + `"`:                                       "named",
		`"SECRET_KEY": "` + value + `"`:                                       "named",
		`db_password1 => '` + value + `'`:                                     "named",
		`myApiKey: "` + value + `"`:                                           "named",
		`password = "Password123!"`:                                           "",
		`password = "insert-your-key-1"`:                                      "",
		"id: AKIA" + "IOSFODNN7EXAMPLE":                                       "",
		"aws_secret_key" + " = wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY": "",
		"id: AKIA" + upper[:9] + "EXAMPLF":                                    "aws-access-key",
		"h1:a/YC" + mixed[:38] + "=":                                          "",
	} {
		if got := strings.Join(ruleOf(t, text), " "); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

// FuzzKeys: the automaton finds a key wherever a search for it does.
func FuzzKeys(f *testing.F) {
	f.Add("xghp_ api_KEY sk SG. -us passwordpasswd")
	rules := makeRules()
	find := newFinder(rules)
	f.Fuzz(func(t *testing.T, text string) {
		got := map[keyEnd]bool{}
		state, n := uint16(0), 0
		for at := 0; at < len(text); {
			n, state = find.next(state, []byte(text[at:]))
			if at += n; at > len(text) {
				break
			}
			for _, k := range find.outs[state] {
				got[k] = true
			}
		}
		folded := strings.Map(func(r rune) rune { return unicode.ToLower(r) }, strings.ToValidUTF8(text, ""))
		for i, r := range rules {
			for _, key := range r.keys {
				k := keyEnd{i, key}
				if has := strings.Contains(folded, strings.ToLower(key)); has && !got[k] &&
					!strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 }) {
					t.Fatalf("%q of %s is not found in %q", key, r.id, text)
				}
			}
		}
	})
}

func found(file string, line, col int, rule, message string) sdk.Finding {
	return sdk.Finding{Path: file, Line: line, Col: col, Rule: rule, Message: message}
}

const fix = ": revoke it, and remove it from the commit (fingerprint "

func cases() []sdktest.Case {
	pat, named := tokens["github-pat"], tokens["named"]
	patSaid := "GitHub personal access token ghp_… (40 characters)" + fix + fingerprint(pat) + ")"
	pastSaid := "GitHub personal access token ghp_… (40 characters): revoke it (fingerprint " + fingerprint(pat) +
		"), in commit 1234567: removing it later does not remove it from the history: rewrite that commit (git rebase " +
		"--interactive)"
	namedSaid := "value of a name that suggests a secret (16 characters)" + fix + fingerprint(mixed[:16]) + ")"
	return []sdktest.Case{
		{Name: "nothing",
			Files: map[string]string{
				"a.go": "token := os.Getenv(\"TOKEN\")\npassword = \"${DB_PASSWORD}\"\nsecret: \"changeme-please\"\napi_key = " +
					"'/run/secrets/key1'\n"}, WantVerdict: "pass: 1 changed file looked at"},
		{Name: "a token", Files: map[string]string{"a.go": "x\nvar t = \"" + pat + "\"\n"}, WantVerdict: "fail",
			WantFindings: []sdk.Finding{found("a.go", 2, 10, "github-pat", patSaid)}},
		{Name: "a name", Files: map[string]string{"a.py": named + "\n"}, WantVerdict: "fail",
			WantFindings: []sdk.Finding{found("a.py", 1, 16, "named", namedSaid)}},
		{Name: "one secret, one finding", Files: map[string]string{"a.py": "token = \"" + pat + "\"\n"}, WantVerdict: "fail",
			WantFindings: []sdk.Finding{found("a.py", 1, 10, "github-pat", patSaid)}},
		{Name: "too long for its form", Files: map[string]string{"a": pat + "tail\n"},
			WantVerdict: "pass: 1 changed file looked at"},
		{Name: "too plain for its form", Files: map[string]string{"a": "ghp_" + strings.Repeat("a", 36) + "\n"},
			WantVerdict: "pass: 1 changed file looked at"},
		{Name: "was there before", Base: map[string]string{"a": pat + "\n"},
			Files: map[string]string{"a": "first\n" + pat + "\n"}, WantVerdict: "pass: 1 changed file looked at"},
		{Name: "looked at", Files: map[string]string{"a": pat + " # pushlane:allow secret\n"},
			WantVerdict: "pass: 1 changed file looked at"},
		{Name: "allowed path", With: `{"allow_paths":["testdata/**"]}`, Files: map[string]string{"testdata/a": pat + "\n"},
			WantVerdict: "pass: 0 changed files looked at"},
		{Name: "allowed rule", With: `{"allow_rules":["github-pat"]}`, Files: map[string]string{"a": pat + "\n"},
			WantVerdict: "pass: 1 changed file looked at"},
		{Name: "allowed fingerprint", With: `{"allow_fingerprints":["` + fingerprint(pat) + `"]}`,
			Files: map[string]string{"a": pat + "\n"}, WantVerdict: "pass: 1 changed file looked at"},
		{Name: "unknown rule", With: `{"allow_rules":["github"]}`, Files: map[string]string{"a": "x\n"},
			WantVerdict: "broken"},
		{Name: "more entropy", With: `{"entropy":6}`, Files: map[string]string{"a.py": named + "\n"},
			WantVerdict: "pass: 1 changed file looked at"},
		{Name: "binary", Files: map[string]string{"a": "\x00" + pat + "\n"},
			WantVerdict: "pass: 0 changed files looked at, 1 binary file not"},
		{Name: "UTF-16", Files: map[string]string{"a": "\xff\xfe" + wide(pat+"\n", false)}, WantVerdict: "fail",
			WantFindings: []sdk.Finding{found("a", 1, 1, "github-pat", patSaid)}},
		{Name: "UTF-16 that lies about its order", Files: map[string]string{"a": "\xff\xfe" + wide("\n"+pat, true)},
			WantVerdict: "fail", WantFindings: []sdk.Finding{found("a", 2, 1, "github-pat", patSaid)}},
		{Name: "UTF-16 without a mark", Files: map[string]string{"a": wide("x = "+pat, true)}, WantVerdict: "fail",
			WantFindings: []sdk.Finding{found("a", 1, 5, "github-pat", patSaid)}},
		{Name: "moved", Base: map[string]string{"a": pat + "\n"}, Files: map[string]string{"b": pat + "\n"},
			WantVerdict: "pass: 1 changed file looked at"},
		{Name: "moved and edited", Base: map[string]string{"x/a": pat + "\n"},
			Files: map[string]string{"y/a": "new\r\n" + pat + "\r\n"}, WantVerdict: "pass: 1 changed file looked at"},
		{Name: "written anew in another encoding", Base: map[string]string{"a.txt": pat + "\n"},
			Files: map[string]string{"b.txt": "\xff\xfe" + wide(pat+"\n", false)}, WantVerdict: "fail",
			WantFindings: []sdk.Finding{found("b.txt", 1, 1, "github-pat", patSaid)}},
		{Name: "moved to where it was not alone", Base: map[string]string{"x/a": pat + "\n"},
			Files: map[string]string{"y/a": pat + "\n" + pat + "\n"}, WantVerdict: "fail",
			WantFindings: []sdk.Finding{found("y/a", 2, 1, "github-pat", patSaid)}},
		{Name: "added and removed again", History: []sdktest.Past{{Commit: "1234567890", Path: "k", Text: "x\n" + pat}},
			WantVerdict: "fail", WantFindings: []sdk.Finding{found("k", 2, 1, "github-pat", pastSaid)}},
		{Name: "an earlier version that was looked at", Files: map[string]string{"a": "x"},
			History:     []sdktest.Past{{Commit: "1234567890", Path: "a", Text: "y"}},
			WantVerdict: "pass: 1 changed file and 1 earlier version looked at"},
		{Name: "an earlier version of what was there", History: []sdktest.Past{
			{Commit: "1234567890", Path: "k", Text: "new\n" + pat + "\n", Had: []string{pat + "\n"}}},
			WantVerdict: "pass: 0 changed files and 1 earlier version looked at"},
		{Name: "a merge of what was there", History: []sdktest.Past{
			{Commit: "1234567890", Path: "k", Text: "new\n" + pat + "\n", Had: []string{"old\n", pat + "\n"}}},
			WantVerdict: "pass: 0 changed files and 1 earlier version looked at"},
		{Name: "without history", With: `{"history":false}`,
			History:     []sdktest.Past{{Commit: "1234567890", Path: "k", Text: pat}},
			WantVerdict: "pass: 0 changed files looked at"},
	}
}

func TestSecrets(t *testing.T) {
	guest := wasmtest.Build(t)
	for _, c := range cases() {
		c.Run(t, check)
		c.Name, c.Serve = c.Name+" (wasm)", guest.Serve
		c.Run(t, check)
	}
}

// wide is a text of ASCII as UTF-16.
func wide(text string, big bool) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if big {
			b.Write([]byte{0, c})
		} else {
			b.Write([]byte{c, 0})
		}
	}
	return b.String()
}

// BenchmarkText: source without a secret in it.
func BenchmarkText(b *testing.B) {
	text := []byte(
		strings.Repeat("\tif err := s.store.Record(ctx, run.ID, Result{LaneRun: l.ID, State: Passed}); err != nil {\n", 700))
	s := &scanner{rules: makeRules(), entropy: usualEntropy}
	s.finder = newFinder(s.rules)
	t := scan{scanner: s, told: map[string]int{}}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		t.block(sdk.Block{Text: text, Line: 1, Start: true, End: true})
	}
}
