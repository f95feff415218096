package main

// The forms that services give their secrets, by a prefix or another mark in
// them. FORMATS.md says where each is documented. A pattern is made when a text
// has one of its keys.

// tokenRule is a form: a rule is added with a line in FORMATS.md and a sample
// in the tests.
func tokenRule(id, what, pattern string, entropy float64, keys ...string) rule {
	return rule{id: id, what: what, keys: keys, pattern: pattern, entropy: entropy}
}

// after is a rule whose key is in many words: so many characters of a token have
// to follow it before its pattern is tried.
func after(n int, r rule) rule {
	r.near = wordAfter(n)
	return r
}

// cloudRules are forms of clouds, their tools and infrastructure.
func cloudRules() []rule {
	return []rule{
		after(15, tokenRule("alibaba-key", "Alibaba Cloud access key id", `\b(LTAI[0-9A-Za-z]{16,20})`+end, 3, "LTAI")),
		tokenRule("aws-bedrock-key", "Amazon Bedrock API key", `\b(ABSK[0-9A-Za-z+/]{109,269}={0,2})`, 3.5, "ABSK"),
		tokenRule("aws-bedrock-session", "short-lived Amazon Bedrock key", `(bedrock-api-key-[0-9A-Za-z+/=]{28,})`, 3,
			"bedrock-api-key-"),
		tokenRule("clickhouse-key", "ClickHouse Cloud secret", `\b(4b1d[0-9A-Za-z]{38})`+end, 3.5, "4b1d"),
		tokenRule("cloudflare-token", "Cloudflare token", `\b(cf(?:ut|at)_[0-9A-Za-z]{40}[0-9a-f]{8})`+end, 3.5, "cfut_",
			"cfat_"),
		tokenRule("defined-key", "Defined Networking key", `\b(dnkey-[0-9A-Za-z_=-]{26}-[0-9A-Za-z_=-]{52})`, 3.5, "dnkey-"),
		tokenRule("doppler-token", "Doppler token",
			`\b(dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[0-9A-Za-z]{40,44})`+end, 3, "dp.pt.", "dp.st.", "dp.ct.",
			"dp.sa.", "dp.scim.", "dp.audit."),
		tokenRule("dynatrace-token", "Dynatrace token", `\b(dt0[a-z]\d\d\.[A-Z0-9]{24}\.[A-Z0-9]{64})`+end, 3.5, "dt0"),
		tokenRule("fly-token", "Fly.io token", `\b(fo1_[0-9A-Za-z_-]{43}|fm[12][ar]?_[0-9A-Za-z+/_-]{100,}={0,3})`, 3.5,
			"fo1_", "fm1", "fm2_"),
		tokenRule("google-token", "Google OAuth access token", `\b(ya29\.[0-9A-Za-z_-]{30,})`, 3.5, "ya29."),
		tokenRule("harness-key", "Harness key", `\b([ps]at\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z]{24}\.[0-9A-Za-z]{20})`+end, 3.5,
			"pat.", "sat."),
		tokenRule("infracost-key", "Infracost key", `\b(ico-[0-9A-Za-z]{32})`+end, 3.5, "ico-"),
		tokenRule("netlify-token", "Netlify token", `\b(nf[pcoub]_[0-9A-Za-z]{36})`+end, 3.5, "nfp_", "nfc_", "nfo_", "nfu_",
			"nfb_"),
		tokenRule("octopus-key", "Octopus Deploy key", `\b(API-[A-Z0-9]{26,32})`+end, 3.3, "API-"),
		tokenRule("openshift-token", "OpenShift user token", `\b(sha256~[0-9A-Za-z_-]{43})`+end, 3.5, "sha256~"),
		tokenRule("planetscale-token", "PlanetScale token", `\b(pscale_(?:tkn|oauth|pw)_[0-9A-Za-z_=.-]{32,64})`, 3,
			"pscale_"),
		tokenRule("pulumi-token", "Pulumi token", `\b(pul-[0-9a-f]{40})`+end, 3, "pul-"),
		tokenRule("prefect-key", "Prefect key", `\b(pn[ub]_[0-9A-Za-z]{36})`+end, 3, "pnu_", "pnb_"),
		tokenRule("render-key", "Render key", `\b(rnd_[0-9A-Za-z]{28,32})`+end, 3.5, "rnd_"),
		tokenRule("scalingo-token", "Scalingo token", `\b(tk-us-[0-9A-Za-z_-]{48})`+end, 3, "tk-us-"),
		tokenRule("settlemint-token", "SettleMint token", `\b(sm_[aps]at_[0-9A-Za-z]{16})`+end, 3, "sm_aat_", "sm_pat_",
			"sm_sat_"),
		tokenRule("supabase-token", "Supabase token", `\b(sbp_(?:oauth_|v0_)?[0-9a-f]{40})`+end, 3, "sbp_"),
		tokenRule("yandex-key", "Yandex Cloud key",
			`\b(AQVN[0-9A-Za-z_-]{35,38}|t1\.[0-9A-Z][0-9A-Za-z_-]*={0,2}\.[0-9A-Za-z_-]{86}={0,2})`, 3.5,
			"AQVN", "t1."),
	}
}

// codeRules are forms of forges, registries and what developers use.
func codeRules() []rule {
	return []rule{
		tokenRule("gitlab-ci", "GitLab job token", `\b(glcbt-[0-9A-Za-z]{1,5}_[0-9A-Za-z_-]{20,})`, 3, "glcbt-"),
		tokenRule("gitlab-feature", "GitLab feature flag token", `\b(glffct-[0-9A-Za-z_-]{20,})`, 3, "glffct-"),
		tokenRule("gitlab-feed", "GitLab feed token", `\b(glft-[0-9A-Za-z_-]{20,})`, 3, "glft-"),
		tokenRule("gitlab-mail", "GitLab incoming mail token", `\b(glimt-[0-9A-Za-z_-]{25,})`, 3, "glimt-"),
		tokenRule("gitlab-agent", "GitLab agent token", `\b(glagent-[0-9A-Za-z_-]{50,})`, 3, "glagent-"),
		tokenRule("gitlab-oauth", "GitLab OAuth application secret", `\b(gloas-[0-9A-Za-z_-]{64})`+end, 3, "gloas-"),
		tokenRule("gitlab-scim", "GitLab SCIM token", `\b(glsoat-[0-9A-Za-z_-]{20,})`, 3, "glsoat-"),
		tokenRule("gitlab-registration", "GitLab runner registration token", `\b(GR1348941[0-9A-Za-z_-]{20,})`, 3,
			"GR1348941"),
		tokenRule("gitlab-session", "GitLab session", `_gitlab_session=([0-9a-z]{32})`+end, 3, "_gitlab_session="),
		tokenRule("1password-key", "1Password secret key",
			`\b(A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3})`+end, 3.3, "A3-"),
		tokenRule("1password-service", "1Password service account token", `\b(ops_eyJ[0-9A-Za-z+/]{250,}={0,3})`, 4,
			"ops_eyJ"),
		after(60, tokenRule("artifactory-key", "Artifactory key", `\b(AKCp[0-9A-Za-z]{69})`+end, 3.5, "AKCp")),
		after(55, tokenRule("artifactory-token", "Artifactory reference token", `\b(cmVmd[0-9A-Za-z]{59})`+end, 3.5,
			"cmVmd")),
		tokenRule("atlassian-token", "Atlassian token", `\b(AT[AC]TT3[0-9A-Za-z_=-]{180,200})`, 3.5, "ATATT3", "ATCTT3"),
		tokenRule("buildkite-token", "Buildkite token", `\b(bkua_[0-9a-f]{40})`+end, 3, "bkua_"),
		tokenRule("circleci-token", "CircleCI token", `\b(CCI(?:PAT|PRJ)_[0-9A-Za-z]{22}_[0-9a-f]{40})`+end, 3, "CCIPAT_",
			"CCIPRJ_"),
		tokenRule("clojars-token", "Clojars token", `(?i)\b(CLOJARS_[0-9a-z]{60})`+end, 3, "CLOJARS_", "clojars_"),
		tokenRule("docker-oat", "Docker organization token", `\b(dckr_oat_[0-9A-Za-z_-]{32})`+end, 3, "dckr_oat_"),
		tokenRule("figma-token", "Figma token", `\b(fig[dou]r?_[0-9A-Za-z_-]{40,})`, 3, "figd_", "figo_", "figu_", "figor_",
			"figur_"),
		tokenRule("linear-oauth", "Linear OAuth token", `\b(lin_oauth_[0-9a-f]{64})`+end, 3, "lin_oauth_"),
		tokenRule("newrelic-insert", "New Relic insert key", `\b(NRII-[0-9A-Za-z-]{32})`+end, 3, "NRII-"),
		tokenRule("newrelic-browser", "New Relic browser key", `\b(NRJS-[0-9a-f]{19})`+end, 3, "NRJS-"),
		tokenRule("nuget-password", "password of a NuGet source",
			`(?i)<add\s+key=["'](?:cleartext)?password["']\s+value=["']([^"'%$]{8,})["']`, 2.5, "<add key="),
		tokenRule("postman-key", "Postman key", `\b(PMAK-[0-9a-fA-F]{24}-[0-9a-fA-F]{34})`+end, 3, "PMAK-"),
		tokenRule("readme-key", "ReadMe key", `\b(rdme_[a-z0-9]{70})`+end, 3, "rdme_"),
		tokenRule("sonar-token", "SonarQube token", `\b(sq[uap]_[0-9a-f]{40})`+end, 3, "squ_", "sqa_", "sqp_"),
		tokenRule("sourcegraph-token", "Sourcegraph token", `\b(sgp_(?:[0-9a-f]{16}_|local_)?[0-9a-f]{40})`+end, 3, "sgp_"),
		tokenRule("typeform-token", "Typeform token", `\b(tfp_[0-9A-Za-z_.=-]{59})`, 3, "tfp_"),
		tokenRule("wakatime-key", "WakaTime key", `\b(waka_`+uuid+`)`+end, 3, "waka_"),
		{id: "curl-password", what: "password of a curl command", keys: []string{"curl"}, entropy: 2.5,
			standIn: addressStandIn,
			pattern: `\bcurl\b.*?\s(?:-u|--user)[ =]?\s*["']?[^\s:"'$]+:([^\s"'$<{]{6,})`},
	}
}

// uuid is the form of a UUID.
const uuid = `[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`

// moneyRules are forms of payment, mail, chat and other services.
func moneyRules() []rule {
	return []rule{
		tokenRule("adobe-secret", "Adobe client secret", `\b(p8e-[0-9A-Za-z_-]{32})`+end, 3, "p8e-"),
		after(14, tokenRule("airtable-token", "Airtable token", `\b(pat[0-9A-Za-z]{14}\.[0-9a-f]{64})`+end, 3.3, "pat")),
		tokenRule("adafruit-key", "Adafruit IO key", `\b(aio_[A-Za-z]{4}\d{2}[0-9A-Za-z]{22})`+end, 3.3, "aio_"),
		tokenRule("authress-key", "Authress service key",
			`\b((?:sc|ext|scauth|authress)_[0-9A-Za-z]{5,30}\.[0-9A-Za-z]{4,6}`+
				`\.acc[_-][0-9A-Za-z-]{10,32}\.[0-9A-Za-z+/_=-]{30,120})`,
			3, ".acc_", ".acc-"),
		tokenRule("contentful-pat", "Contentful token", `\b(CFPAT-[0-9A-Za-z_-]{43})`+end, 3, "CFPAT-"),
		tokenRule("duffel-token", "Duffel token", `\b(duffel_(?:test|live)_[0-9A-Za-z_=-]{43})`, 3, "duffel_"),
		after(50, tokenRule("easypost-key", "EasyPost key", `\b(EZ[AT]K[0-9A-Za-z]{54})`+end, 3, "EZAK", "EZTK")),
		after(60, tokenRule("facebook-token", "Facebook token", `\b(EAA[MC][0-9A-Za-z]{60,})`, 3.5, "EAAM", "EAAC")),
		tokenRule("flutterwave-key", "Flutterwave key", `\b(FLWSECK(?:_TEST)?-[0-9a-h]{12}(?:[0-9a-h]{20}-X)?)`+end, 2.5,
			"FLWSECK"),
		tokenRule("frameio-token", "Frame.io token", `\b(fio-u-[0-9A-Za-z_=-]{64})`, 3, "fio-u-"),
		tokenRule("grafana-key", "Grafana key", `\b(eyJrIjoi[0-9A-Za-z+/]{70,400}={0,3})`, 3.5, "eyJrIjoi"),
		tokenRule("huggingface-org", "Hugging Face organization token", `\b(api_org_[A-Za-z]{34})`+end, 3, "api_org_"),
		tokenRule("intra42-secret", "Intra 42 secret", `\b(s-s4t2(?:ud|af)-[0-9a-f]{64})`+end, 3, "s-s4t2"),
		tokenRule("jwt-base64", "JSON web token in base64", `\b(ZXlK[0-9A-Za-z+/_-]{60,}={0,2})`, 4, "ZXlK"),
		tokenRule("mailgun-public", "Mailgun public key", `\b(pubkey-[0-9a-f]{32})`+end, 3, "pubkey-"),
		tokenRule("mapbox-token", "Mapbox secret token", `\b(sk\.[0-9A-Za-z]{60,}\.[0-9A-Za-z_-]{22})`+end, 3.5, "sk."),
		tokenRule("maxmind-key", "MaxMind licence key", `\b([0-9A-Za-z]{6}_[0-9A-Za-z]{29}_mmk)`+end, 3.3, "_mmk"),
		tokenRule("plaid-token", "Plaid access token", `\b(access-(?:sandbox|development|production)-`+uuid+`)`+end, 3,
			"access-sandbox-", "access-development-", "access-production-"),
		tokenRule("posthog-key", "PostHog personal key", `\b(phx_[0-9A-Za-z]{43,})`, 3.5, "phx_"),
		tokenRule("brevo-key", "Brevo key", `\b(xkeysib-[0-9a-f]{64}-[0-9A-Za-z]{16})`+end, 3, "xkeysib-"),
		tokenRule("shippo-token", "Shippo token", `\b(shippo_(?:live|test)_[0-9a-f]{40})`+end, 3, "shippo_"),
		tokenRule("sidekiq-secret", "Sidekiq secret",
			`\bBUNDLE_(?:ENTERPRISE|GEMS)__CONTRIBSYS__COM["']?\s*[:=]\s*["']?`+
				`([0-9a-f]{8}:[0-9a-f]{8})`+end,
			2.5, "CONTRIBSYS__COM"),
		tokenRule("square-access", "Square access token", `\b(sq0atp-[0-9A-Za-z_-]{22})`+end, 3, "sq0atp-"),
		tokenRule("teams-webhook", "Microsoft Teams webhook",
			`(webhook\.office\.com/webhookb2/`+uuid+`@`+uuid+`/IncomingWebhook/[0-9a-zA-Z]{32}/`+uuid+`)`, 3,
			"webhook.office.com"),
	}
}

// modelRules are forms of services for language models.
func modelRules() []rule {
	return []rule{
		tokenRule("anthropic-key", "Anthropic key", `\b(sk-ant-[a-z]+\d{2}-[0-9A-Za-z_-]{80,120})`, 3.5, "sk-ant-"),
		tokenRule("groq-key", "Groq key", `\b(gsk_[0-9A-Za-z]{52})`+end, 3.5, "gsk_"),
		tokenRule("langsmith-key", "LangSmith key", `\b(lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10})`+end, 3, "lsv2_"),
		tokenRule("perplexity-key", "Perplexity key", `\b(pplx-[0-9A-Za-z]{48})`+end, 3.5, "pplx-"),
		tokenRule("replicate-token", "Replicate token", `\b(r8_[0-9A-Za-z]{37})`+end, 3.5, "r8_"),
		tokenRule("xai-key", "xAI key", `\b(xai-[0-9A-Za-z]{80})`+end, 3.5, "xai-"),
	}
}
