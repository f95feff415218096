package main

import (
	"strings"
	"testing"

	"github.com/pushlane/pushlane/plugins/internal/wasmtest"
	"github.com/pushlane/pushlane/sdk"
	"github.com/pushlane/pushlane/sdk/sdktest"
)

// Tokens are put together here, so that none stands in this file.
const (
	mixed = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1bC2dE3fG4hI5jK6lM7nO8pQ9"
	hexes = "0f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff01234567"
	upper = "A2B3C4D5E6F7G2H3I4J5K6L7M2N3O4P5Q6R7S2T3U4V5W6X7Y2Z3"
)

// tokens is a secret of every rule.
var tokens = map[string]string{
	"private-key": "-----BEGIN RSA PRIVATE" + " KEY-----", "aws-access-key": "AKIA" + upper[:16], "gcp-api-key": "AIza" + mixed[:35], "gcp-oauth-secret": "GOCSPX-" + mixed[:28],
	"azure-storage": "AccountKey=" + (mixed + mixed)[:86] + "==", "azure-client-secret": "aB3" + "8Q~" + mixed[:31], "github-pat": "ghp_" + mixed[:36],
	"github-fine-grained": "github_pat_" + (mixed + mixed)[:82], "github-oauth": "gho_" + mixed[:36], "github-app": "ghs_" + mixed[:36], "github-refresh": "ghr_" + mixed[:40],
	"gitlab-pat": "glpat-" + mixed[:20], "gitlab-deploy": "gldt-" + mixed[:20], "gitlab-runner": "glrt-" + mixed[:20], "gitlab-trigger": "glptt-" + hexes[:40],
	"slack-token": "xoxb-" + mixed[:24], "slack-app": "xapp-1-" + upper[:10] + "-123-" + hexes[:64], "slack-webhook": "https://hooks.slack" + ".com/services/" + mixed[:44],
	"discord-webhook": "https://discord" + ".com/api/webhooks/123456789012345678/" + (mixed + mixed)[:68], "telegram-bot": "123456789:AA" + mixed[:33],
	"stripe-key": "sk_live_" + mixed[:24], "stripe-webhook": "whsec_" + mixed[:32], "square-token": "sq0csp-" + mixed[:43], "shopify-token": "shpat_" + hexes[:32],
	"twilio-key": "SK" + hexes[:32], "sendgrid-key": "SG." + mixed[:22] + "." + mixed[:43], "mailgun-key": "key-" + hexes[:32], "mailchimp-key": hexes[:32] + "-us12",
	"npm-token": "npm_" + mixed[:36], "pypi-token": "pypi-AgE" + mixed[:50], "rubygems-key": "rubygems_" + hexes[:48], "crates-token": "cio" + mixed[:32],
	"nuget-key": "oy2" + strings.ToLower(mixed[:43]), "docker-pat": "dckr_pat_" + mixed[:27], "digitalocean-token": "dop_v1_" + hexes[:64],
	"cloudflare-origin": "v1.0-" + hexes[:24] + "-" + (hexes + hexes + hexes)[:146], "heroku-key": "HRKU-" + (mixed + mixed)[:60], "vault-token": "hvs." + mixed[:24],
	"terraform-token": mixed[:14] + ".atlasv1." + (mixed + mixed)[:60], "databricks-token": "dapi" + hexes[:32], "grafana-token": "glsa_" + mixed[:40],
	"newrelic-key": "NRAK-" + upper[:27], "sentry-token": "sntrys_" + (mixed + mixed)[:60], "linear-key": "lin_api_" + mixed[:40], "notion-token": "ntn_" + mixed[:46],
	"openai-key": "sk-proj-" + mixed[:20] + "T3BlbkFJ" + mixed[:20], "huggingface-token": "hf_" + strings.Map(letter, mixed)[:34],
	"age-key": "AGE-SECRET-KEY-1" + strings.Repeat("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 2)[:58], "tailscale-key": "tskey-auth-" + mixed[:12] + "-" + mixed[:30],
	"jwt": "eyJ" + mixed[:20] + ".eyJ" + mixed[:30] + "." + mixed[:40], "url-password": "postgres://app:" + "s3cr3tPa55" + "@db.example.org/x",
	"basic-auth": "Authorization: Basic " + mixed[:24], "bearer": "Authorization: Bearer " + mixed[:40], "named": `db_password = "` + mixed[:16] + `"`,
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
				t.Fatal("there is no token of this form in the test")
			}
			secret := r.pattern.FindStringSubmatch("value: " + text + " # and more")
			if secret == nil {
				t.Fatalf("%q is not found", text)
			}
			if message := redacted(r, secret[1]); len(secret[1]) > 8 && strings.Contains(message, secret[1][:5]) {
				t.Errorf("%q says too much", message)
			}
			if entropy(secret[1]) < r.entropy {
				t.Errorf("it has %.2f bits per character, the rule wants %.2f", entropy(secret[1]), r.entropy)
			}
		})
	}
}

func found(file string, line, col int, rule, message string) sdk.Finding {
	return sdk.Finding{Path: file, Line: line, Col: col, Rule: rule, Message: message}
}

const mend = ": take it out of the commit and make it invalid (fingerprint "

func cases() []sdktest.Case {
	pat, named := tokens["github-pat"], tokens["named"]
	patSaid := "GitHub personal access token ghp_… (40 characters)" + mend + fingerprint(pat) + ")"
	namedSaid := "value of a name that speaks of a secret (16 characters)" + mend + fingerprint(mixed[:16]) + ")"
	return []sdktest.Case{
		{Name: "nothing", Files: map[string]string{"a.go": "token := os.Getenv(\"TOKEN\")\npassword = \"${DB_PASSWORD}\"\nsecret: \"changeme-please\"\napi_key = '/run/secrets/key1'\n"}, WantVerdict: "pass: 1 changed files looked at"},
		{Name: "a token", Files: map[string]string{"a.go": "x\nvar t = \"" + pat + "\"\n"}, WantVerdict: "fail", WantFindings: []sdk.Finding{found("a.go", 2, 10, "github-pat", patSaid)}},
		{Name: "a name", Files: map[string]string{"a.py": named + "\n"}, WantVerdict: "fail", WantFindings: []sdk.Finding{found("a.py", 1, 16, "named", namedSaid)}},
		{Name: "one secret, one finding", Files: map[string]string{"a.py": "token = \"" + pat + "\"\n"}, WantVerdict: "fail", WantFindings: []sdk.Finding{found("a.py", 1, 10, "github-pat", patSaid)}},
		{Name: "too long for its form", Files: map[string]string{"a": pat + "tail\n"}, WantVerdict: "pass: 1 changed files looked at"},
		{Name: "too plain for its form", Files: map[string]string{"a": "ghp_" + strings.Repeat("a", 36) + "\n"}, WantVerdict: "pass: 1 changed files looked at"},
		{Name: "was there before", Base: map[string]string{"a": pat + "\n"}, Files: map[string]string{"a": "first\n" + pat + "\n"}, WantVerdict: "pass: 1 changed files looked at"},
		{Name: "looked at", Files: map[string]string{"a": pat + " # pushlane:allow secret\n"}, WantVerdict: "pass: 1 changed files looked at"},
		{Name: "allowed path", With: `{"allow_paths":["testdata/**"]}`, Files: map[string]string{"testdata/a": pat + "\n"}, WantVerdict: "pass: 0 changed files looked at"},
		{Name: "allowed rule", With: `{"allow_rules":["github-pat"]}`, Files: map[string]string{"a": pat + "\n"}, WantVerdict: "pass: 1 changed files looked at"},
		{Name: "allowed fingerprint", With: `{"allow_fingerprints":["` + fingerprint(pat) + `"]}`, Files: map[string]string{"a": pat + "\n"}, WantVerdict: "pass: 1 changed files looked at"},
		{Name: "unknown rule", With: `{"allow_rules":["github"]}`, Files: map[string]string{"a": "x\n"}, WantVerdict: "broken"},
		{Name: "more entropy", With: `{"entropy":6}`, Files: map[string]string{"a.py": named + "\n"}, WantVerdict: "pass: 1 changed files looked at"},
		{Name: "binary", Files: map[string]string{"a": "\x00" + pat + "\n"}, WantVerdict: "pass: 1 changed files looked at"},
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

// BenchmarkLines: ten megabytes of source without a secret in it.
func BenchmarkLines(b *testing.B) {
	line := sdk.Line{Number: 1, Text: "	if err := s.store.Record(ctx, run.ID, Result{LaneRun: l.ID, State: Passed}); err != nil {"}
	s := &scanner{rules: makeRules(), entropy: usualEntropy}
	b.SetBytes(int64(len(line.Text)))
	for b.Loop() {
		s.line("a.go", line)
	}
}
