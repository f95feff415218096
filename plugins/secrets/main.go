// Command secrets is a lane plugin that keeps tokens, keys and passwords out
// of a repository: by the forms that services give them, and by names that
// speak of a secret with a value that looks like one. What it finds it does
// not repeat.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

func main() { sdk.Main(check) }

// allowMark on a line says that somebody looked at it.
const allowMark = "pushlane:allow secret"

// usualEntropy is what a value needs that only its name speaks for.
const usualEntropy = 3.5

// scanner holds lines against the rules.
type scanner struct {
	run     *sdk.Run
	rules   []rule
	skip    []string // fingerprints
	entropy float64
	files   int
}

func check(run *sdk.Run) error {
	s, err := newScanner(run)
	if err != nil {
		return err
	}
	paths := run.With("allow_paths").Strings()
	for c := range run.Changed() {
		if matches(paths, c.Path) {
			continue
		}
		s.files++
		lines, err := run.Added(c)
		if err != nil {
			return errors.New("cannot check " + strconv.Quote(c.Path) + ": " + err.Error())
		}
		for _, line := range lines {
			s.line(c.Path, line)
		}
	}
	return run.Pass(strconv.Itoa(s.files) + " changed files looked at")
}

func newScanner(run *sdk.Run) (*scanner, error) {
	s := &scanner{run: run, rules: makeRules(), skip: run.With("allow_fingerprints").Strings(), entropy: usualEntropy}
	if text, given := run.With("entropy").Number(); given {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, err
		}
		s.entropy = n
	}
	for _, id := range run.With("allow_rules").Strings() {
		if !slices.ContainsFunc(s.rules, func(r rule) bool { return r.id == id }) {
			return nil, errors.New("setting allow_rules: there is no rule " + strconv.Quote(id))
		}
		s.rules = slices.DeleteFunc(s.rules, func(r rule) bool { return r.id == id })
	}
	return s, nil
}

func matches(globs []string, path string) bool {
	return slices.ContainsFunc(globs, func(g string) bool { ok, _ := sdk.Match(g, path); return ok })
}

// maxLine is how much of a line is looked at, bytes: more is data.
const maxLine = 64 << 10

func (s *scanner) line(path string, line sdk.Line) {
	if strings.Contains(line.Text, allowMark) {
		return
	}
	text := line.Text[:min(len(line.Text), maxLine)]
	lower := strings.ToLower(text)
	told := ""
	for _, r := range s.rules {
		if !slices.ContainsFunc(r.keys, func(k string) bool { return strings.Contains(lower, k) }) {
			continue
		}
		for _, at := range r.pattern.FindAllStringSubmatchIndex(text, -1) {
			secret := text[at[2]:at[3]]
			if strings.Contains(told, "\x00"+secret+"\x00") || !s.counts(r, secret) {
				continue
			}
			told += "\x00" + secret + "\x00"
			s.report(path, line.Number, at[2]+1, r, secret)
		}
	}
}

// counts tells a secret from an example of one.
func (s *scanner) counts(r rule, secret string) bool {
	least := r.entropy
	if r.named {
		least = s.entropy
	}
	return entropy(secret) >= least && !(r.named && placeholder(secret)) && !slices.Contains(s.skip, fingerprint(secret))
}

// placeholder is a value that stands for one: a variable, a path, words.
func placeholder(value string) bool {
	lower := strings.ToLower(value)
	for _, sign := range []string{"${", "$(", "{{", "<", "%(", "example", "changeme", "placeholder", "your", "xxxx", "****", "...", "os.environ", "getenv", "process.env"} {
		if strings.Contains(lower, sign) {
			return true
		}
	}
	return strings.HasPrefix(value, "/") || strings.HasPrefix(value, "./") || strings.HasPrefix(value, "$") || !strings.ContainsAny(value, "0123456789")
}

func (s *scanner) report(path string, line, col int, r rule, secret string) {
	s.run.Report(sdk.Finding{Path: path, Line: line, Col: col, Rule: r.id,
		Message: r.what + " " + redacted(r, secret) + ": take it out of the commit and make it invalid (fingerprint " + fingerprint(secret) + ")"})
}

// redacted shows of a secret its first four characters, which say what it is,
// and its length. Of one that only its name speaks for it shows nothing.
func redacted(r rule, secret string) string {
	if r.named || r.entropy == 0 || len(secret) < 16 {
		return "(" + strconv.Itoa(len(secret)) + " characters)"
	}
	return secret[:4] + "… (" + strconv.Itoa(len(secret)) + " characters)"
}

// fingerprint names a secret without saying it. It is short, and of no use to
// somebody who would guess a weak one: too many others have it too.
func fingerprint(secret string) string {
	sum := sha256.Sum256([]byte("pushlane secret\x00" + secret))
	return hex.EncodeToString(sum[:6])
}

// entropy is Shannon's, in bits per byte.
func entropy(text string) float64 {
	var counts [256]int
	for _, c := range []byte(text) {
		counts[c]++
	}
	bits := 0.0
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(text))
			bits -= p * math.Log2(p)
		}
	}
	return bits
}
