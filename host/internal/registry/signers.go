package registry

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// allowedSigner is a line of an allowed-signers file, read as ssh-keygen reads
// it (OpenSSH's sshsig.c, misc.c and match.c): what that refuses, this does.
type allowedSigner struct {
	principals    string  // patterns, separated by commas
	namespaces    *string // patterns; nil: all
	authority     bool    // it signs certificates, not modules
	after, before int64   // seconds since 1970, both included; 0: no limit
	key           ssh.PublicKey
}

// signerOf finds the first line of an allowed-signers file that allows a key
// for plugins at a time, and gives its principals. A line that cannot be read
// allows no one and is skipped, as ssh-keygen does; the error has the first of
// them. Only a line of a single word is an error of the whole file: that is not
// a file of signers, or one that was cut. Zone is the one of times without Z.
func signerOf(allowed []byte, key ssh.PublicKey, now time.Time, zone *time.Location) (string, error) {
	unread, number := "", 0
	for line := range bytes.SplitSeq(allowed, []byte("\n")) {
		number++
		s, err := parseSigner(string(line), zone)
		switch {
		case errors.Is(err, errOneWord):
			return "", fmt.Errorf("cannot read the allowed signers: line %d: %w", number, err)
		case err != nil && unread == "":
			unread = fmt.Sprintf("; line %d of them cannot be read: %v", number, err)
		case err != nil || s.key == nil:
		case bytes.Equal(s.key.Marshal(), key.Marshal()) && s.allows(now) && s.names():
			return s.principals, nil
		}
	}
	return "", fmt.Errorf("key %s is not an allowed signer's%s", ssh.FingerprintSHA256(key), unread)
}

// allows tells whether the line's options let its key sign plugins at a time.
func (s allowedSigner) allows(now time.Time) bool {
	switch {
	case s.authority, s.namespaces != nil && !matchList(Namespace, *s.namespaces):
		return false
	case s.after != 0 && now.Unix() < s.after, s.before != 0 && now.Unix() > s.before:
		return false
	}
	return true
}

// names reports whether the line's principals name a signer: one of them, read as
// a name, matches all of them together. Git uses ssh-keygen in the same way.
func (s allowedSigner) names() bool {
	for one := range strings.SplitSeq(s.principals, ",") {
		if s.isFor(one) {
			return true
		}
	}
	return false
}

// isFor tells whether the line is about a principal.
func (s allowedSigner) isFor(principal string) bool {
	return principal != "" && matchList(principal, s.principals)
}

// parseSigner reads "principals [options] key [comment]". The key is nil where
// the line is empty or a comment.
func parseSigner(line string, zone *time.Location) (s allowedSigner, err error) {
	line, _, _ = strings.Cut(line, "\x00") // it is a string of C there
	line = strings.TrimLeft(line, " \t")
	if strings.Trim(line, blanks) == "" || line[0] == '#' {
		return s, nil
	}
	if !strings.ContainsAny(strings.Trim(line, blanks), blanks+`"`) {
		return s, fmt.Errorf("%q: %w", strings.Trim(line, blanks), errOneWord)
	}
	principals, rest, ok := cutWord(line)
	if !ok {
		return s, errors.New("a quote has no end")
	}
	s.principals = principals
	key, err := parseKey(rest)
	if err != nil { // perhaps there are options before it
		options, after, err := cutOptions(rest)
		if err != nil {
			return s, fmt.Errorf("%q: %w", principals, err)
		}
		if key, err = parseKey(strings.TrimLeft(after, " \t")); err != nil {
			return s, fmt.Errorf("%q: %w", principals, err)
		}
		if err := s.parseOptions(options, zone); err != nil {
			return s, fmt.Errorf("%q: %w", principals, err)
		}
	}
	s.key = key
	return s, nil
}

var errOneWord = errors.New("it is a single word, without a key")

const blanks = " \t\r\n"

// cutWord takes the first word off a line. A quote, wherever it is in the word,
// ends at the next one, and so does the word.
func cutWord(line string) (word, rest string, ok bool) {
	i := strings.IndexAny(line, blanks+`"`)
	switch {
	case i < 0:
		return "", "", false
	case line[i] != '"':
		return line[:i], strings.TrimLeft(line[i+1:], blanks), true
	}
	quoted, rest, ok := strings.Cut(line[i+1:], `"`)
	return line[:i] + quoted, strings.TrimLeft(rest, blanks), ok
}

// cutOptions takes options off a line: up to a blank outside of quotes.
func cutOptions(line string) (options, rest string, err error) {
	quoted, i := false, 0
	for ; i < len(line) && (quoted || line[i] != ' ' && line[i] != '\t'); i++ {
		if strings.HasPrefix(line[i:], `\"`) {
			i++
		} else if line[i] == '"' {
			quoted = !quoted
		}
	}
	switch {
	case i >= len(line) && quoted:
		return "", "", errors.New("a quote has no end")
	case i >= len(line):
		return "", "", errors.New("it has no key")
	}
	return line[:i], line[i:], nil
}

// parseKey reads "type base64 [comment]".
func parseKey(text string) (ssh.PublicKey, error) {
	i := strings.IndexAny(text, " \t")
	if i < 0 {
		return nil, errors.New("it has no key")
	}
	blob := strings.TrimLeft(text[i:], " \t")
	if end := strings.IndexAny(blob, " \t"); end >= 0 {
		blob = blob[:end]
	}
	data, err := base64.StdEncoding.Strict().DecodeString(strings.Map(dropSpace, blob))
	if err != nil {
		return nil, errors.New("its key is not base64")
	}
	key, err := ssh.ParsePublicKey(data)
	if err != nil {
		return nil, fmt.Errorf("its key cannot be read: %w", err)
	}
	if name := text[:i]; name != key.Type() && !(key.Type() == ssh.KeyAlgoRSA && rsaName(name)) {
		return nil, fmt.Errorf("its key is a %s and not a %q", key.Type(), name)
	}
	return key, nil
}

// rsaName tells whether OpenSSH takes the name of a signature's kind for that
// of an RSA key.
func rsaName(name string) bool { return name == ssh.KeyAlgoRSASHA256 || name == ssh.KeyAlgoRSASHA512 }

// space is what C's isspace is true for.
const space = " \t\n\v\f\r"

func dropSpace(r rune) rune {
	if strings.ContainsRune(space, r) {
		return -1
	}
	return r
}

// parseOptions reads "cert-authority", `namespaces="…"`, `valid-after="…"` and
// `valid-before="…"`, each but the first at most once. Their names may be
// written in capitals.
func (s *allowedSigner) parseOptions(text string, zone *time.Location) (err error) {
	for text != "" {
		if text, err = s.parseOption(text, zone); err != nil {
			return err
		}
		if text == "" {
			break
		}
		if text[0] != ',' {
			return fmt.Errorf("unknown option %q", text)
		}
		if text = text[1:]; text == "" {
			return errors.New("its options end with a comma")
		}
	}
	if s.after != 0 && s.before != 0 && s.before <= s.after {
		return errors.New("valid-before is not after valid-after")
	}
	return nil
}

// parseOption reads one option and gives what is left; of an unknown one, or
// none, all is left.
func (s *allowedSigner) parseOption(text string, zone *time.Location) (rest string, err error) {
	const authority = "cert-authority"
	if len(text) >= len(authority) && strings.EqualFold(text[:len(authority)], authority) {
		s.authority = true
		return text[len(authority):], nil
	}
	name, after, found := strings.Cut(text, "=")
	if !found {
		return text, nil
	}
	switch name = strings.ToLower(name); name {
	case "namespaces", "valid-after", "valid-before":
	default:
		return text, nil
	}
	value, rest, err := unquote(after)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return rest, s.set(name, value, zone)
}

func (s *allowedSigner) set(name, value string, zone *time.Location) error {
	if name == "namespaces" {
		if s.namespaces != nil {
			return errors.New("namespaces is there twice")
		}
		s.namespaces = &value
		return nil
	}
	at := &s.after
	if name == "valid-before" {
		at = &s.before
	}
	if *at != 0 {
		return fmt.Errorf("%s is there twice", name)
	}
	seconds, ok := parseSignerTime(value, zone)
	if !ok {
		return fmt.Errorf("%s: %q is not a time: write YYYYMMDD or YYYYMMDDHHMM[SS], and Z for UTC", name, value)
	}
	*at = seconds
	return nil
}

// unquote takes a quoted text off the front; \" in it is a quote.
func unquote(text string) (value, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		return "", "", errors.New("its value is not quoted")
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return b.String(), text[i+1:], nil
		case strings.HasPrefix(text[i:], `\"`):
			i++
		}
		b.WriteByte(text[i])
	}
	return "", "", errors.New("a quote has no end")
}
