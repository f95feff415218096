package main

import "strings"

// service is a form that says nothing by itself: so many characters of an
// alphabet. Only that the service's name is in the name that it is assigned to
// speaks for it.
type service struct {
	id, what string
	body     string
	words    []string
}

// The alphabets of such values.
const (
	hexes32  = `[0-9a-f]{32}`
	alnum    = `[0-9A-Za-z]`
	dashed   = `[0-9A-Za-z_-]`
	dashedEq = `[0-9A-Za-z_=-]`
)

// services leave out what their issuers call public, such as client ids.
func services() []service {
	one := func(id, what, body string, words ...string) service { return service{id, what, body, words} }
	return []service{
		one("adafruit", "Adafruit key", dashed+`{32}`, "adafruit"),
		one("airtable", "Airtable key", alnum+`{17}`, "airtable"),
		one("algolia", "Algolia key", `[0-9a-z]{32}`, "algolia"),
		one("alibaba", "Alibaba Cloud secret", alnum+`{30}`, "alibaba", "aliyun"),
		one("asana", "Asana secret", `[0-9a-z]{32}`, "asana"),
		one("atlassian", "Atlassian token", alnum+`{24}`, "atlassian", "confluence", "jira"),
		one("aws-secret", "AWS secret key", `[0-9A-Za-z/+]{40}`, "aws_secret", "aws-secret", "awssecret", "secretaccesskey",
			"secret_access_key"),
		one("beamer", "Beamer token", `b_`+dashedEq+`{44}`, "beamer"),
		one("bitbucket", "Bitbucket secret", dashedEq+`{64}`, "bitbucket"),
		one("bittrex", "Bittrex key", `[0-9a-z]{32}`, "bittrex"),
		one("cloudflare", "Cloudflare key", dashed+`{40}|[0-9a-f]{37}`, "cloudflare"),
		one("codecov", "Codecov token", `[0-9a-z]{32}|`+uuid, "codecov"),
		one("cohere", "Cohere token", alnum+`{40}`, "cohere", "co_api_key"),
		one("coinbase", "Coinbase token", dashed+`{64}`, "coinbase"),
		one("confluent", "Confluent key", alnum+`{64}|[0-9A-Z]{16}`, "confluent"),
		one("contentful", "Contentful token", dashedEq+`{43}`, "contentful"),
		one("datadog", "Datadog key", alnum+`{40}|`+hexes32, "datadog", "dd_api_key", "dd_app_key"),
		one("discord", "Discord secret", dashedEq+`{32}|[0-9a-f]{64}|`+dashed+`{24,26}\.`+dashed+`{6}\.`+dashed+`{27,38}`,
			"discord"),
		one("drone", "Drone token", alnum+`{32}`, "droneci", "drone_token"),
		one("dropbox", "Dropbox token", `[0-9a-z]{15}|sl\.`+dashedEq+`{130,}|[0-9A-Za-z]{11}AAAAAAAAAA`+dashedEq+`{43}`,
			"dropbox"),
		one("etsy", "Etsy key", `[0-9a-z]{24}`, "etsy"),
		one("facebook", "Facebook secret", hexes32+`|\d{15,16}\|`+dashed+`{27}`, "facebook"),
		one("fastly", "Fastly token", dashedEq+`{32}`, "fastly"),
		one("finicity", "Finicity key", hexes32+`|`+alnum+`{20}`, "finicity"),
		one("finnhub", "Finnhub key", `[0-9a-z]{20}`, "finnhub"),
		one("flickr", "Flickr key", `[0-9a-f]{32}|[0-9a-z]{32}`, "flickr"),
		one("freemius", "Freemius secret", `sk_[^\s"']{29}`, "secret_key"),
		one("freshbooks", "FreshBooks token", `[0-9a-z]{64}`, "freshbooks"),
		one("gitter", "Gitter token", dashed+`{40}`, "gitter"),
		one("gocardless", "GoCardless token", `live_`+dashedEq+`{40}`, "gocardless"),
		one("heroku", "Heroku key", uuid, "heroku"),
		one("hubspot", "HubSpot key", uuid+`|pat-(?:na|eu)\d-`+uuid, "hubspot"),
		one("intercom", "Intercom token", dashedEq+`{60}`, "intercom"),
		one("jfrog", "JFrog token", alnum+`{73}|[0-9a-z]{64}`, "jfrog", "artifactory", "bintray", "xray"),
		one("kraken", "Kraken key", `[0-9A-Za-z/=_+-]{80,90}`, "kraken"),
		one("kucoin", "KuCoin key", `[0-9a-f]{24}|`+uuid, "kucoin"),
		one("launchdarkly", "LaunchDarkly key", dashedEq+`{40}|(?:api|sdk)-`+uuid, "launchdarkly"),
		one("linear", "Linear secret", hexes32, "linear"),
		one("linkedin", "LinkedIn secret", alnum+`{16}`, "linkedin", "linked_in", "linked-in"),
		one("lob", "Lob key", `(?:live|test)_[0-9a-f]{35}`, "lob"),
		one("looker", "Looker secret", alnum+`{24}`, "looker"),
		one("mailgun", "Mailgun signing key", `[0-9a-h]{32}-[0-9a-h]{8}-[0-9a-h]{8}`, "mailgun"),
		one("mattermost", "Mattermost token", `[0-9a-z]{26}`, "mattermost"),
		one("meraki", "Cisco Meraki key", `[0-9a-f]{40}`, "meraki"),
		one("messagebird", "MessageBird token", alnum+`{25}`, "messagebird", "message_bird", "message-bird"),
		one("netlify", "Netlify token", dashedEq+`{40,46}`, "netlify"),
		one("nytimes", "New York Times key", dashedEq+`{32}`, "nytimes", "newyorktimes", "new_york_times", "new-york-times"),
		one("okta", "Okta token", `00`+dashedEq+`{40}`, "okta"),
		one("plaid", "Plaid secret", `[0-9a-z]{30}`, "plaid"),
		one("privateai", "Private AI key", `[0-9a-z]{32}`, "privateai", "private_ai", "private-ai"),
		one("rapidapi", "RapidAPI key", dashed+`{50}`, "rapidapi"),
		one("sendbird", "Sendbird token", `[0-9a-f]{40}`, "sendbird"),
		one("sentry", "Sentry token", `[0-9a-f]{64}`, "sentry"),
		one("snyk", "Snyk token", uuid, "snyk"),
		one("sonar", "Sonar token", `[0-9a-f]{40}|`+dashedEq+`{40}`, "sonar"),
		one("squarespace", "Squarespace token", uuid, "squarespace"),
		one("sumologic", "Sumo Logic key", alnum+`{64}|su`+alnum+`{12}`, "sumo"),
		one("travis", "Travis CI token", dashed+`{22}`, "travis"),
		one("twitch", "Twitch token", `[0-9a-z]{30}`, "twitch"),
		one("twitter", "Twitter secret",
			`[0-9A-Za-z]{25}|[0-9A-Za-z]{45}|[0-9A-Za-z]{50}|\d{15,25}-[0-9A-Za-z]{20,40}|A{22}[0-9A-Za-z%]{80,100}`, "twitter"),
		one("vault", "HashiCorp Vault token", `s\.[0-9A-Za-z]{24}`, "vault"),
		one("yandex", "Yandex Cloud key", `YC`+dashed+`{38}`, "yandex"),
		one("zendesk", "Zendesk secret", `[0-9a-z]{40}`, "zendesk"),
	}
}

// serviceRules are the rules of services.
func serviceRules() []rule {
	var rules []rule
	for _, s := range services() {
		name := `(?i:` + strings.Join(s.words, "|") + `)[\w. -]{0,60}["']?\s*`
		rules = append(rules, rule{id: s.id + "-named", what: s.what, keys: s.words, fold: true, near: assignedValue,
			standIn: namedStandIn, entropy: 3,
			pattern: name + `[=:>,(]+\s*["'` + "`" + `]?((?i:` + s.body + `))(?:["'` + "`" + ` ,;)<\\]|$)`})
	}
	return rules
}

// assignedValue wants a name to go on for no more than the rest of a short
// line, and something to be assigned to it or given in a call.
func assignedValue(_, after []byte) bool {
	n := 0
	for n < min(len(after), 60) && (after[n] == '.' || after[n] == ' ' || wordRun(after[n:n+1]) == 1) {
		n++
	}
	rest := skip(skip(after[n:], "\"'"), " \t")
	value := skip(rest, "=:>,(")
	return len(value) < len(rest) && len(value) >= 15
}
