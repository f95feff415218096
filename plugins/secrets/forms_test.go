package main

import (
	"hash/crc32"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// sampleID is a UUID.
const sampleID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"

// small are letters and digits without capitals.
var small = strings.ToLower(mixed + mixed)

// forms is a secret of each of the other rules by a mark, put together here.
func forms() map[string]string {
	long := strings.Repeat(mixed, 8)
	return map[string]string{
		"alibaba-key": "LTAI" + mixed[:20], "aws-bedrock-key": "ABSK" + long[:109],
		"aws-bedrock-session": "bedrock-api" + "-key-" + long[:40], "clickhouse-key": "4b1d" + mixed[:38],
		"cloudflare-token": "cfut" + "_" + mixed[:40] + hexes[:8],
		"defined-key":      "dnkey" + "-" + mixed[:26] + "-" + long[:52],
		"doppler-token":    "dp" + ".pt." + mixed[:43],
		"dynatrace-token":  "dt0" + "c01." + upper[:24] + "." + (upper + upper)[:64],
		"fly-token":        "fo1" + "_" + mixed[:43], "google-token": "ya29" + "." + mixed[:40],
		"harness-key":   "pat" + "." + mixed[:22] + "." + hexes[:24] + "." + mixed[:20],
		"infracost-key": "ico" + "-" + mixed[:32], "netlify-token": "nfp" + "_" + mixed[:36],
		"octopus-key": "API" + "-" + upper[:26], "openshift-token": "sha256" + "~" + mixed[:43],
		"planetscale-token": "pscale" + "_tkn_" + mixed[:40], "pulumi-token": "pul" + "-" + hexes[:40],
		"prefect-key": "pnu" + "_" + small[:36], "render-key": "rnd" + "_" + mixed[:32],
		"scalingo-token":   "tk-us" + "-" + mixed[:48],
		"settlemint-token": "sm_aat" + "_" + mixed[:16],
		"supabase-token":   "sbp" + "_" + hexes[:40], "yandex-key": "AQVN" + mixed[:38],
		"gitlab-ci": "glcbt" + "-64_" + mixed[:20], "gitlab-feature": "glffct" + "-" + mixed[:20],
		"gitlab-feed": "glft" + "-" + mixed[:20], "gitlab-mail": "glimt" + "-" + mixed[:25],
		"gitlab-agent": "glagent" + "-" + mixed[:50], "gitlab-oauth": "gloas" + "-" + long[:64],
		"gitlab-scim": "glsoat" + "-" + mixed[:20], "gitlab-registration": "GR13" + "48941" + mixed[:20],
		"gitlab-session": "_gitlab" + "_session=" + hexes[:32],
		"1password-key": "A3" + "-" + upper[:6] + "-" + upper[6:17] + "-" +
			upper[17:22] + "-" + upper[22:27] + "-" + upper[27:32],
		"1password-service": "ops" + "_eyJ" + long[:260], "artifactory-key": "AKCp" + long[:69],
		"artifactory-token": "cmVmd" + long[:59], "atlassian-token": "ATATT3" + long[:186],
		"buildkite-token": "bkua" + "_" + hexes[:40], "circleci-token": "CCIPAT" + "_" + mixed[:22] + "_" + hexes[:40],
		"clojars-token": "CLOJARS" + "_" + small[:60], "docker-oat": "dckr" + "_oat_" + mixed[:32],
		"figma-token": "figd" + "_" + mixed[:40], "linear-oauth": "lin" + "_oauth_" + hexes[:64],
		"newrelic-insert": "NRII" + "-" + mixed[:32], "newrelic-browser": "NRJS" + "-" + hexes[:19],
		"nuget-password": `<add key="ClearText` + `Password" value="` + mixed[:12] + `"`,
		"postman-key":    "PMAK" + "-" + hexes[:24] + "-" + hexes[:34], "readme-key": "rdme" + "_" + small[:70],
		"sonar-token": "squ" + "_" + hexes[:40], "sourcegraph-token": "sgp" + "_" + hexes[:16] + "_" + hexes[:40],
		"typeform-token": "tfp" + "_" + long[:59], "wakatime-key": "waka" + "_" + sampleID,
		"curl-password": "curl -u deploy" + ":" + mixed[:12],
		"adobe-secret":  "p8e" + "-" + mixed[:32], "airtable-token": "pat" + mixed[:14] + "." + hexes[:64],
		"adafruit-key": "aio" + "_abCD12" + mixed[:22], "authress-key": "sc" + "_" + mixed[:10] + "." + mixed[:4] + ".acc_" +
			mixed[:12] + "." + mixed[:40],
		"contentful-pat": "CFPAT" + "-" + mixed[:43], "duffel-token": "duffel" + "_live_" + mixed[:43],
		"easypost-key": "EZAK" + mixed[:54], "facebook-token": "EAAM" + long[:100],
		"flutterwave-key": "FLWSECK" + "_TEST-" + hexes[:12], "frameio-token": "fio-u" + "-" + long[:64],
		"grafana-key": "eyJr" + "Ijoi" + long[:80], "huggingface-org": "api_org" + "_" + strings.Map(letter, mixed)[:34],
		"intra42-secret": "s-s4t2" + "ud-" + hexes[:64], "jwt-base64": "ZXlK" + long[:100],
		"mailgun-public": "pubkey" + "-" + hexes[:32], "mapbox-token": "sk" + "." + small[:60] + "." + mixed[:22],
		"maxmind-key": mixed[:6] + "_" + mixed[6:35] + "_mmk", "plaid-token": "access" + "-sandbox-" + sampleID,
		"posthog-key": "phx" + "_" + mixed[:43], "brevo-key": "xkeysib" + "-" + hexes[:64] + "-" + mixed[:16],
		"shippo-token":   "shippo" + "_live_" + hexes[:40],
		"sidekiq-secret": "BUNDLE_ENTERPRISE__" + "CONTRIBSYS__COM=" + hexes[:8] + ":" + hexes[8:16],
		"square-access":  "sq0atp" + "-" + mixed[:22],
		"teams-webhook": "https://x.webhook" + ".office.com/webhookb2/" + sampleID + "@" + sampleID + "/IncomingWebhook/" +
			hexes[:32] + "/" + sampleID,
		"anthropic-key": "sk-ant" + "-api03-" + long[:95], "groq-key": "gsk" + "_" + mixed[:52],
		"langsmith-key":   "lsv2" + "_pt_" + hexes[:32] + "_" + hexes[:10],
		"perplexity-key":  "pplx" + "-" + mixed[:48],
		"replicate-token": "r8" + "_" + mixed[:37],
		"xai-key":         "xai" + "-" + long[:80],
	}
}

// values is a secret of each service, that a name with the service's assigns.
func values() map[string]string {
	long := strings.Repeat(mixed, 4)
	return map[string]string{
		"adafruit": mixed[:32], "airtable": mixed[:17], "algolia": small[:32], "alibaba": mixed[:30], "asana": small[:32],
		"atlassian": mixed[:24], "aws-secret": mixed[:40], "beamer": "b_" + mixed[:44], "bitbucket": long[:64],
		"bittrex": small[:32], "cloudflare": mixed[:40], "codecov": small[:32], "cohere": mixed[:40], "coinbase": long[:64],
		"confluent": long[:64], "contentful": mixed[:43], "datadog": mixed[:40], "discord": mixed[:32], "drone": mixed[:32],
		"dropbox": small[:15], "etsy": small[:24], "facebook": hexes[:32], "fastly": mixed[:32], "finicity": hexes[:32],
		"finnhub": small[:20], "flickr": small[:32], "freemius": "sk_" + mixed[:29], "freshbooks": small[:64],
		"gitter": mixed[:40], "gocardless": "live_" + mixed[:40], "heroku": sampleID, "hubspot": sampleID,
		"intercom": long[:60], "jfrog": long[:73], "kraken": long[:85], "kucoin": sampleID, "launchdarkly": mixed[:40],
		"linear": hexes[:32], "linkedin": mixed[:16], "lob": "live_" + hexes[:35], "looker": mixed[:24],
		"mailgun": hexes[:32] + "-" + hexes[:8] + "-" + hexes[8:16], "mattermost": small[:26], "meraki": hexes[:40],
		"messagebird": mixed[:25], "netlify": mixed[:43], "nytimes": mixed[:32],
		"okta": "00" + mixed[:40], "plaid": small[:30],
		"privateai": small[:32], "rapidapi": mixed[:50], "sendbird": hexes[:40], "sentry": hexes[:64], "snyk": sampleID,
		"sonar": hexes[:40], "squarespace": sampleID, "sumologic": long[:64], "travis": mixed[:22], "twitch": small[:30],
		"twitter": mixed[:50], "vault": "s." + mixed[:24], "yandex": "YC" + mixed[:38], "zendesk": small[:40],
	}
}

// TestEveryService: in each way to write it, the value is found; it is not under
// a name without the service, when it is shorter, or longer.
func TestEveryService(t *testing.T) {
	for _, s := range services() {
		value, known := values()[s.id]
		if !known {
			t.Errorf("%s: there is no value in the test", s.id)
			continue
		}
		for _, frame := range []string{"%s_key = \"%v\"", "export %s_KEY=%v", `"%s": "%v"`, "%s: '%v',", "%sClient(\"%v\")"} {
			text := strings.NewReplacer("%s", s.words[0], "%v", value).Replace(frame)
			if got := ruleOf(t, text); !slices.Contains(got, s.id+"-named") {
				t.Errorf("in %q the rules %q find it", text, got)
			}
		}
		for _, text := range []string{"colour_id=" + value, s.words[0] + "_key=" + value[:len(value)/3],
			s.words[0] + "_key=" + value + strings.Repeat("_x0", 100)} {
			if got := ruleOf(t, text); slices.Contains(got, s.id+"-named") {
				t.Errorf("%s is found in %q", s.id, text)
			}
		}
	}
}

// TestNearMisses: no form is found with a character outside of its alphabet, or
// cut off behind its mark.
func TestNearMisses(t *testing.T) {
	all := forms()
	maps.Copy(all, tokens)
	free := []string{"private-key", "nuget-password", "curl-password"} // of any character
	for _, r := range makeRules() {
		text, known := all[r.id]
		if !known || r.standIn != nil || slices.Contains(free, r.id) {
			continue
		}
		match := r.regexp().FindStringSubmatch(text)
		if match == nil {
			t.Errorf("%s is not found in %q", r.id, text)
			continue
		}
		secret := match[1]
		mark := strings.Index(text, secret)
		for _, at := range []int{len(secret) / 4, len(secret) / 2, len(secret) - 3} {
			for _, miss := range []string{secret[:at] + "!" + secret[at+1:], secret[:len(secret)/4] + "\u00e4"} {
				if got := ruleOf(t, text[:mark]+miss+text[mark+len(secret):]); slices.Contains(got, r.id) && at < len(secret)-3 {
					t.Errorf("%s is found in %q", r.id, miss)
				}
			}
		}
	}
}

func TestChecksums(t *testing.T) {
	right := "ghp" + "_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + "0mLq17" // of GitHub's own example
	if !checksumRight(right) || checksumRight(right[:len(right)-1]+"8") || checksumRight("ghp"+"_0mLq17") {
		t.Error("a checksum is not what GitHub makes it")
	}
	low := "npm" + "_" + strings.Repeat("a", 30)
	low += base62(crc32.ChecksumIEEE([]byte(low[4:])))
	if got := ruleOf(t, low); !slices.Contains(got, "npm-token") {
		t.Errorf("a token of one letter with its checksum: %q", got)
	}
	r := rule{checked: true, entropy: 3}
	if got := redacted(&r, right); got != "ghp_… (40 characters, its checksum is right)" {
		t.Errorf("got %q", got)
	}
}

// TestFormatsAreListed: each rule has its line in FORMATS.md.
func TestFormatsAreListed(t *testing.T) {
	text, err := os.ReadFile("FORMATS.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range makeRules() {
		if !strings.Contains(string(text), "| `"+r.id+"` |") {
			t.Errorf("%s is not listed", r.id)
		}
	}
}
