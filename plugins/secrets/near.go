package main

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"
)

// What is next to a key that a rule is worth a try: before ends with the key.

// wordAfter requires so many characters of a token after the key: keys of two or
// three letters are in many words.
func wordAfter(n int) func(before, after []byte) bool {
	return func(_, after []byte) bool { return len(after) >= n && wordRun(after[:n]) == n }
}

// wordRun is how many bytes of a token a text begins with.
func wordRun(text []byte) int {
	for i, c := range text {
		if !('0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || c == '_' || c == '-') {
			return i
		}
	}
	return len(text)
}

// hexBefore requires 32 hexadecimal digits before the key "-us".
func hexBefore(before, _ []byte) bool {
	before = bytes.TrimSuffix(before, []byte("-us"))
	if len(before) < 32 {
		return false
	}
	for _, c := range before[len(before)-32:] {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}

// passwordAfter requires a colon and an @ in the text that follows, up to a blank or
// a slash.
func passwordAfter(_, after []byte) bool {
	end := bytes.IndexAny(after, " \t/\"'<>\n")
	if end < 0 {
		end = len(after)
	}
	colon := bytes.IndexByte(after[:end], ':')
	return colon > 0 && bytes.IndexByte(after[colon:end], '@') > 0
}

// authBefore requires the header's name shortly before.
func authBefore(before, _ []byte) bool {
	return bytes.Contains(bytes.ToLower(before[max(0, len(before)-40):]), []byte("authorization"))
}

// assigned requires that the name ends and that a value in quotes is assigned to it.
// "tokenizer" is not a token, and "token_type" is the kind of one.
func assigned(before, after []byte) bool {
	rest := after
	if len(rest) > 0 && isLetter(rest[0]) && !goesOn(before, rest) {
		return false
	}
	n := wordRun(rest)
	rest = skip(skip(rest[n:], "\"'"), " \t")
	cut := skip(rest, ":=>")
	if len(cut) == len(rest) {
		return false
	}
	cut = skip(cut, " \t")
	return len(cut) > 0 && (cut[0] == '"' || cut[0] == '\'' || cut[0] == '`') && !about(string(after[:n]))
}

// skip leaves out bytes of a set at the beginning.
func skip(text []byte, set string) []byte {
	for len(text) > 0 && strings.IndexByte(set, text[0]) >= 0 {
		text = text[1:]
	}
	return text
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// goesOn reports whether a letter behind a key begins another part of the name:
// "tokenValue", or is its plural.
func goesOn(key, after []byte) bool {
	last := key[len(key)-1]
	if last >= 'a' && after[0] < 'a' {
		return true
	}
	return after[0]|0x20 == 's' && (len(after) == 1 || !isLetter(after[1]) || after[0] >= 'a' && after[1] < 'a')
}

// about reports whether what follows a key in a name says that the value is not
// the secret: its kind, its place, its name.
func about(end string) bool {
	lower := strings.ToLower(strings.TrimLeft(end, "_-"))
	for _, word := range []string{"class", "count", "dir", "endpoint", "env", "expires", "expiry", "expiration", "field",
		"file", "format", "header", "hint", "input", "kind", "label", "length", "limit", "location", "mode", "name",
		"param", "path", "pattern", "policy", "prefix",
		"provider", "ref", "regex", "rule", "scope", "size", "suffix", "type", "uri", "url", "usage", "version"} {
		rest, begins := strings.CutPrefix(lower, word)
		if begins && (rest == "" || !isLetter(rest[0])) || strings.HasSuffix(lower, word) {
			return true
		}
	}
	return false
}

// signs are in placeholders: a variable, a template, words to be replaced.
func signs() []string {
	return []string{"${", "$(", "{{", "<", "%(", "%s", "example", "changeme", "change-me", "change_me", "placeholder",
		"replace", "your", "xxxx", "****", "....", "os.environ", "getenv", "process.env", "dummy", "redacted", "notreal",
		"not-real", "fake", "sample", "insert"}
}

// form is a secret with what of its form is around it.
type form struct{ before, secret, after string }

// valueStandIn is a value that is a placeholder.
func valueStandIn(f form) bool {
	lower := strings.ToLower(f.secret)
	return slices.ContainsFunc(signs(), func(sign string) bool { return strings.Contains(lower, sign) })
}

// namedStandIn is one where a name alone speaks for it: also a path, and words.
func namedStandIn(f form) bool {
	return valueStandIn(f) || strings.HasPrefix(f.secret, "/") || strings.HasPrefix(f.secret, "./") ||
		strings.HasPrefix(f.secret, "$") || !strings.ContainsAny(f.secret, "0123456789") || wordOnly(f.secret)
}

// addressStandIn is a password that documentation and tests write: words, the
// same as the user's name, or a mere word for this machine alone.
func addressStandIn(f form) bool {
	user := strings.TrimSuffix(f.before[strings.LastIndexByte(f.before, '/')+1:], ":")
	words := !strings.ContainsAny(f.secret, "0123456789")
	return valueStandIn(f) || wordOnly(f.secret) || user == f.secret || strings.HasPrefix(f.secret, "%") ||
		words && (loopback(f.after) || lastWord(f.secret) != "" && wordOnly(lastWord(f.secret)))
}

// lastWord is the last of the words that hyphens and the like join.
func lastWord(text string) string { return text[strings.LastIndexAny(text, "-_.")+1:] }

// loopback reports whether what follows a password is this machine.
func loopback(after string) bool {
	host := strings.TrimPrefix(after, "@")
	return host == "localhost" || strings.HasPrefix(host, "127.") || strings.HasSuffix(host, ".localhost")
}

// basicStandIn is the user and the password of a header that are placeholders.
func basicStandIn(f form) bool {
	text, err := base64.StdEncoding.DecodeString(f.secret + strings.Repeat("=", (4-len(f.secret)%4)%4))
	user, password, both := strings.Cut(string(text), ":")
	return valueStandIn(f) || err == nil && both && utf8.Valid(text) &&
		addressStandIn(form{before: user + ":", secret: password})
}

// wordOnly reports whether a value is a word for a password, perhaps with a few
// digits or marks behind it.
func wordOnly(value string) bool {
	lower := strings.TrimRight(strings.ToLower(value), "0123456789!*.-_")
	switch lower {
	case "", "pass", "passwd", "password", "passphrase", "mypass", "mypassword", "secret", "mysecret", "supersecret",
		"topsecret", "token", "mytoken", "test", "testing", "tester", "testpass", "testpassword", "user", "username",
		"admin", "adminpass", "administrator",
		"root", "rootpass", "guest", "default", "demo", "local", "letmein", "hunter", "foobar", "foo", "bar", "abc", "qwerty",
		"postgres", "postgresql", "mysql", "mariadb", "mongo", "mongodb", "redis", "rabbitmq", "minio", "minioadmin",
		"pwd", "key":
		return true
	}
	return false
}
