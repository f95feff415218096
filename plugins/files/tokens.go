package main

import "bytes"

// token is the shape of a secret that a service gives out: a prefix and so
// many characters of a set.
type token struct {
	kind, prefix string
	min, max     int    // characters after the prefix; max 0: no limit
	marks        string // characters allowed besides letters and digits
	upper        bool   // no small letters
	web          bool   // a JSON web token
}

func shapes() []token {
	return []token{
		{kind: "AWS access key", prefix: "AKIA", min: 16, max: 16, upper: true},
		{kind: "AWS access key", prefix: "ASIA", min: 16, max: 16, upper: true},
		{kind: "GitHub token", prefix: "ghp_", min: 36},
		{kind: "GitHub token", prefix: "gho_", min: 36},
		{kind: "GitHub token", prefix: "ghu_", min: 36},
		{kind: "GitHub token", prefix: "ghs_", min: 36},
		{kind: "GitHub token", prefix: "ghr_", min: 36},
		{kind: "GitHub token", prefix: "github_pat_", min: 50, marks: "_"},
		{kind: "GitLab token", prefix: "glpat-", min: 20, marks: "_-."},
		{kind: "Slack token", prefix: "xoxb-", min: 20, marks: "-"},
		{kind: "Slack token", prefix: "xoxp-", min: 20, marks: "-"},
		{kind: "Slack token", prefix: "xoxa-", min: 20, marks: "-"},
		{kind: "Slack token", prefix: "xoxr-", min: 20, marks: "-"},
		{kind: "Slack token", prefix: "xoxs-", min: 20, marks: "-"},
		{kind: "Slack token", prefix: "xapp-", min: 20, marks: "-"},
		{kind: "Stripe key", prefix: "sk_live_", min: 20},
		{kind: "Stripe key", prefix: "rk_live_", min: 20},
		{kind: "Google API key", prefix: "AIza", min: 35, max: 35, marks: "_-"},
		{kind: "npm token", prefix: "npm_", min: 36, max: 36},
		{kind: "JSON web token", prefix: "eyJ", web: true},
		{kind: "PyPI token", prefix: "pypi-AgEIcHlwaS5vcmc", min: 50, marks: "_-"},
	}
}

// pairs marks the two bytes that tokens begin with.
type pairs [1 << 16]uint8

func pairsOf(shapes []token) *pairs {
	p := new(pairs)
	for _, t := range shapes {
		p[uint(t.prefix[0])<<8|uint(t.prefix[1])] = 1
	}
	return p
}

// next is the next place, from one on, where a token may begin; the text's
// length where there is none. A guest pays for its code each time that it jumps,
// so eight bytes are looked at a jump.
func (p *pairs) next(text []byte, from int) int {
	for ; len(text)-from > 8; from += 8 {
		t := text[from : from+9 : from+9]
		if p[uint(t[0])<<8|uint(t[1])]|p[uint(t[1])<<8|uint(t[2])]|p[uint(t[2])<<8|uint(t[3])]|p[uint(t[3])<<8|uint(t[4])]|
			p[uint(t[4])<<8|uint(t[5])]|p[uint(t[5])<<8|uint(t[6])]|p[uint(t[6])<<8|uint(t[7])]|p[uint(t[7])<<8|uint(
			t[8])] != 0 {
			break
		}
	}
	for ; from+1 < len(text); from++ {
		if p[uint(text[from])<<8|uint(text[from+1])] != 0 {
			return from
		}
	}
	return len(text)
}

// begins reports whether text begins with such a token. The token itself is
// never handed on: a finding is read by more people than the file.
func (t *token) begins(text []byte) bool {
	rest, ok := bytes.CutPrefix(text, []byte(t.prefix))
	if !ok {
		return false
	}
	if t.web {
		return webToken(text)
	}
	n := t.length(rest)
	return n >= t.min && (t.max == 0 || n <= t.max) && plausible(rest[:n])
}

func (t *token) length(text []byte) int {
	n := 0
	for n < len(text) && (isWord(text[n]) && !(t.upper && 'a' <= text[n] && text[n] <= 'z') ||
		bytes.IndexByte([]byte(t.marks), text[n]) >= 0) {
		n++
	}
	return n
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// plausible distinguishes a secret from a placeholder: "xxxx…" or "…EXAMPLE".
func plausible(text []byte) bool {
	var seen [256]bool
	different := 0
	for _, c := range text {
		if !seen[c] {
			seen[c] = true
			different++
		}
	}
	return different >= 7 && !bytes.HasSuffix(text, []byte("EXAMPLE"))
}

// webToken reports whether text begins with a signed JSON web token: three
// parts of base64url joined by dots, the first two of them JSON objects.
func webToken(text []byte) bool {
	part := token{marks: "_-"}
	head := part.length(text)
	body, ok := bytes.CutPrefix(text[head:], []byte(".eyJ"))
	if head < 16 || !ok {
		return false
	}
	n := part.length(body)
	signature, ok := bytes.CutPrefix(body[n:], []byte("."))
	return ok && n >= 13 && part.length(signature) >= 20
}
