package main

import (
	"regexp"
	"slices"
)

// rule is one form that secrets have. The pattern's group is the secret. A rule
// is added with a test; an id is never used again for something else.
type rule struct {
	id, what string
	keys     []string // a line without any of them is not matched
	fold     bool     // upper and lower case are one in keys
	pattern  string
	entropy  float64                         // bits per character that the secret needs at least
	near     func(before, after []byte) bool // what is next to a key where the pattern is worth a try; nil: always
	standIn  func(f form) bool               // distinguishes a placeholder from a secret; nil: there are none
	named    bool                            // only its name speaks for it: the lane's entropy counts
	checked  bool                            // its last six characters are a checksum of the rest
	compiled *regexp.Regexp                  // nil: no text had a key yet
}

// regexp is the pattern; most are never needed.
func (r *rule) regexp() *regexp.Regexp {
	if r.compiled == nil {
		r.compiled = regexp.MustCompile(r.pattern)
	}
	return r.compiled
}

// end is what may not follow a token of fixed length.
const end = `(?:[^A-Za-z0-9_-]|$)`

func makeRules() []rule {
	token := tokenRule
	rules := []rule{
		token("private-key", "private key", `(-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----)`, 0, "PRIVATE KEY"),
		token("aws-access-key", "AWS access key id", `\b((?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16})`+end, 3, "AKIA", "ASIA", "ABIA",
			"ACCA"),
		token("gcp-api-key", "Google API key", `\b(AIza[0-9A-Za-z_-]{35})`+end, 3.5, "AIza"),
		token("gcp-oauth-secret", "Google OAuth client secret", `\b(GOCSPX-[0-9A-Za-z_-]{28})`+end, 3, "GOCSPX-"),
		token("azure-storage", "Azure storage key", `AccountKey=([A-Za-z0-9+/]{86}==)`, 4, "AccountKey="),
		token("azure-client-secret", "Microsoft Entra client secret", `\b([A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34})`, 3,
			"Q~"),
		token("github-pat", "GitHub personal access token", `\b(ghp_[0-9A-Za-z]{36})`+end, 3, "ghp_"),
		token("github-fine-grained", "GitHub fine-grained token", `\b(github_pat_[0-9A-Za-z_]{82})`+end, 3, "github_pat_"),
		token("github-oauth", "GitHub OAuth token", `\b(gho_[0-9A-Za-z]{36})`+end, 3, "gho_"),
		token("github-app", "GitHub app token", `\b(gh[us]_[0-9A-Za-z]{36})`+end, 3, "ghu_", "ghs_"),
		token("github-refresh", "GitHub refresh token", `\b(ghr_[0-9A-Za-z]{36,76})`+end, 3, "ghr_"),
		token("gitlab-pat", "GitLab personal access token", `\b(glpat-[0-9A-Za-z_-]{20,})`, 3, "glpat-"),
		token("gitlab-deploy", "GitLab deploy token", `\b(gldt-[0-9A-Za-z_-]{20,})`, 3, "gldt-"),
		token("gitlab-runner", "GitLab runner token", `\b(glrt-[0-9A-Za-z_-]{20,})`, 3, "glrt-"),
		token("gitlab-trigger", "GitLab pipeline trigger token", `\b(glptt-[0-9a-f]{40})`+end, 3, "glptt-"),
		token("slack-token", "Slack token", `\b(xox[abeoprs]-[0-9A-Za-z-]{10,72})`, 2.5, "xox"),
		token("slack-app", "Slack app token", `\b(xapp-\d-[A-Z0-9]+-\d+-[0-9a-f]{64})`+end, 3, "xapp-"),
		token("slack-webhook", "Slack webhook", `(hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9+/]{40,60})`, 3,
			"hooks.slack.com"),
		token("discord-webhook", "Discord webhook", `(discord(?:app)?\.com/api/webhooks/\d{17,20}/[A-Za-z0-9_-]{60,70})`, 3,
			"/api/webhooks/"),
		token("telegram-bot", "Telegram bot token", `\b(\d{8,10}:AA[0-9A-Za-z_-]{33})`+end, 3, ":AA"),
		token("stripe-key", "Stripe secret key", `\b([rs]k_(?:live|test|prod)_[0-9A-Za-z]{16,99})`+end, 3,
			"k_live_", "k_test_",
			"k_prod_"),
		token("stripe-webhook", "Stripe webhook secret", `\b(whsec_[0-9A-Za-z+/]{32,})`, 3, "whsec_"),
		token("square-token", "Square token", `\b((?:EAAA[0-9A-Za-z_-]{60}|sq0csp-[0-9A-Za-z_-]{43}))`+end, 3.5, "EAAA",
			"sq0csp-"),
		token("shopify-token", "Shopify token", `\b(shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32})`+end, 3, "shpat_", "shpca_", "shppa_",
			"shpss_"),
		token("twilio-key", "Twilio API key", `\b(SK[0-9a-f]{32})`+end, 3, "SK"),
		token("sendgrid-key", "SendGrid key", `\b(SG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43})`+end, 3.5, "SG."),
		token("mailgun-key", "Mailgun key", `\b(key-[0-9a-f]{32})`+end, 3, "key-"),
		token("mailchimp-key", "Mailchimp key", `\b([0-9a-f]{32}-us\d{1,2})`+end, 3, "-us"),
		token("npm-token", "npm token", `\b(npm_[0-9A-Za-z]{36})`+end, 3, "npm_"),
		token("pypi-token", "PyPI token", `\b(pypi-AgE[0-9A-Za-z_-]{50,})`, 3, "pypi-AgE"),
		token("rubygems-key", "RubyGems key", `\b(rubygems_[0-9a-f]{48})`+end, 3, "rubygems_"),
		token("crates-token", "crates.io token", `\b(cio[0-9A-Za-z]{32})`+end, 3.5, "cio"),
		token("nuget-key", "NuGet key", `\b(oy2[a-z0-9]{43})`+end, 3, "oy2"),
		token("docker-pat", "Docker Hub token", `\b(dckr_pat_[0-9A-Za-z_-]{27})`+end, 3, "dckr_pat_"),
		token("digitalocean-token", "DigitalOcean token", `\b(do[opr]_v1_[0-9a-f]{64})`+end, 3, "_v1_"),
		token("cloudflare-origin", "Cloudflare origin CA key", `\b(v1\.0-[0-9a-f]{24}-[0-9a-f]{146})`+end, 3, "v1.0-"),
		token("heroku-key", "Heroku token", `\b(HRKU-[0-9A-Za-z_-]{60})`+end, 3, "HRKU-"),
		token("vault-token", "HashiCorp Vault token", `\b(hv[sbr]\.[0-9A-Za-z_-]{24,})`, 3, "hvs.", "hvb.", "hvr."),
		token("terraform-token", "Terraform Cloud token", `\b([0-9A-Za-z]{14}\.atlasv1\.[0-9A-Za-z_-]{60,})`, 3, ".atlasv1."),
		token("databricks-token", "Databricks token", `\b(dapi[0-9a-f]{32}(?:-\d)?)`+end, 3, "dapi"),
		token("grafana-token", "Grafana token", `\b(gl(?:sa|c)_[0-9A-Za-z_+/=]{32,})`, 3, "glsa_", "glc_"),
		token("newrelic-key", "New Relic key", `\b(NRAK-[A-Z0-9]{27})`+end, 3, "NRAK-"),
		token("sentry-token", "Sentry token", `\b(sntry[su]_[0-9A-Za-z+/=_-]{60,})`, 3, "sntrys_", "sntryu_"),
		token("linear-key", "Linear key", `\b(lin_api_[0-9A-Za-z]{40})`+end, 3, "lin_api_"),
		token("notion-token", "Notion token", `\b(ntn_[0-9A-Za-z]{46})`+end, 3, "ntn_"),
		token("openai-key", "OpenAI key", `\b(sk-(?:proj-|svcacct-|admin-)?[0-9A-Za-z_-]{20,}T3BlbkFJ[0-9A-Za-z_-]{20,})`, 3,
			"T3BlbkFJ"),
		token("huggingface-token", "Hugging Face token", `\b(hf_[A-Za-z]{34})`+end, 3, "hf_"),
		token("age-key", "age identity", `\b(AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58})`+end, 3,
			"AGE-SECRET-KEY-1"),
		token("tailscale-key", "Tailscale key", `\b(tskey-[a-z]+-[0-9A-Za-z]{6,}-[0-9A-Za-z]{16,})`, 3, "tskey-"),
		token("jwt", "JSON web token", `\b(eyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{10,})`, 3.5, "eyJ"),
	}
	for i := range rules {
		switch rules[i].id {
		case "github-pat", "github-oauth", "github-app", "npm-token":
			rules[i].checked = true
		case "twilio-key", "mailgun-key", "databricks-token", "crates-token", "huggingface-token":
			rules[i].near = wordAfter(32)
		case "nuget-key", "square-token":
			rules[i].near = wordAfter(40)
		case "mailchimp-key":
			rules[i].near = hexBefore
		case "jwt":
			rules[i].near = wordAfter(10)
		}
	}
	return slices.Concat(rules, cloudRules(), codeRules(), moneyRules(), modelRules(), serviceRules(),
		weakRules())
}

// weakRules are formats that placeholders have as well.
func weakRules() []rule {
	const quotes = `["'` + "`" + `]`
	return []rule{
		{id: "url-password", what: "password in an address", keys: []string{"://"}, entropy: 2.5,
			near: passwordAfter, standIn: addressStandIn,
			pattern: `[a-z][a-z0-9+.-]*://[^\s/:@"'<>{}$]+:([^\s/:@"'<>{}$]{6,})@[A-Za-z0-9.-]+`},
		{id: "basic-auth", what: "basic authorization", keys: []string{"basic"}, fold: true, entropy: 3,
			near: authBefore, standIn: basicStandIn,
			pattern: `(?i)authorization["']?\s*[:=]\s*["']?basic\s+([A-Za-z0-9+/]{16,}={0,2})`},
		{id: "bearer", what: "bearer token", keys: []string{"bearer"}, fold: true, entropy: 3, near: authBefore,
			standIn: valueStandIn,
			pattern: `(?i)authorization["']?\s*[:=]\s*["']?bearer\s+([A-Za-z0-9._~+/=-]{20,})`},
		{id: "named", what: "value of a name that suggests a secret", named: true, fold: true, near: assigned,
			standIn: namedStandIn,
			keys: []string{"password", "passwd", "secret", "token", "api_key", "apikey", "api-key",
				"access_key", "access-key", "accesskey", "auth_key", "auth-key", "authkey", "private_key", "private-key",
				"privatekey"},
			pattern: `(?i)(?:passw(?:or)?d|secret|token|api[_-]?key|access[_-]?key|auth[_-]?key|private[_-]?key)[a-z0-9_-]*[` +
				`"']?\s*(?::=|[:=]|=>)\s*` + quotes + `([^\s"'` + "`" + `]{8,200})` + quotes},
	}
}
