// Command secrets is a lane plugin that refuses tokens, keys and passwords: by the
// formats of services, and by names that suggest a secret with a value that looks
// like one. Its output never contains the secret.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

func main() { sdk.Main(check) }

// allowMark on a line means that someone reviewed it.
const allowMark = "pushlane:allow secret"

// usualEntropy is what a value needs that only its name speaks for.
const usualEntropy = 3.5

// scanner holds texts against the rules.
type scanner struct {
	run     *sdk.Run
	rules   []rule
	finder  *finder
	skip    []string // fingerprints
	entropy float64
}

func check(run *sdk.Run) error {
	s, err := newScanner(run)
	if err != nil {
		return err
	}
	files := run.Changed()
	if run.With("history").BoolOr(true) {
		files = run.Additions()
	}
	var seen tally
	for c, content := range run.Contents(without(files, run.With("allow_paths").Strings())) {
		if err := s.text(c, content); err != nil {
			return errors.New("cannot check " + strconv.Quote(c.Path) + ": " + err.Error())
		}
		seen.add(c, content)
	}
	return run.Pass(seen.String())
}

// without leaves out paths that a glob matches.
func without(files iter.Seq[sdk.Change], globs []string) iter.Seq[sdk.Change] {
	return func(yield func(sdk.Change) bool) {
		for c := range files {
			if !matches(globs, c.Path) && !yield(c) {
				return
			}
		}
	}
}

// tally counts what was checked.
type tally struct{ files, past, binary int }

func (t *tally) add(c sdk.Change, content *sdk.Content) {
	switch {
	case content.Binary():
		t.binary++
	case c.Commit != "":
		t.past++
	default:
		t.files++
	}
}

// String says it; what is binary was not read.
func (t tally) String() string {
	text := count(t.files, "changed file")
	if t.past > 0 {
		text += " and " + count(t.past, "earlier version")
	}
	if text += " looked at"; t.binary > 0 {
		text += ", " + count(t.binary, "binary file") + " not"
	}
	return text
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
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
	s.finder = newFinder(s.rules)
	return s, nil
}

func matches(globs []string, path string) bool {
	return slices.ContainsFunc(globs, func(g string) bool { ok, _ := sdk.Match(g, path); return ok })
}

// counts tells a secret from an example of one; f is its whole form.
func (s *scanner) counts(r *rule, f form) bool {
	least := r.entropy
	if r.named {
		least = s.entropy
	}
	if isExample(f.secret) || r.standIn != nil && r.standIn(f) || slices.Contains(s.skip, fingerprint(f.secret)) {
		return false
	}
	return entropy(f.secret) >= least || r.checked && checksumRight(f.secret)
}

// isExample reports whether a secret says of itself that it is one to be shown,
// as those of AWS' manual do.
func isExample(secret string) bool {
	return strings.HasSuffix(secret, "EXAMPLE") || strings.HasSuffix(secret, "EXAMPLEKEY")
}

func finding(c sdk.Change, line, col int, r *rule, secret string) sdk.Finding {
	todo := ": revoke it, and remove it from the commit (fingerprint "
	if c.Commit != "" {
		todo = ": revoke it (fingerprint "
	}
	return sdk.Finding{Path: c.Path, Line: line, Col: col, Rule: r.id,
		Message: r.what + " " + redacted(r, secret) + todo + fingerprint(secret) + ")" + c.InCommit()}
}

// redacted shows of a secret its first four characters, which say what it is,
// and its length. Of one that only its name speaks for it shows nothing.
func redacted(r *rule, secret string) string {
	if r.named || r.entropy == 0 || len(secret) < 16 {
		return "(" + strconv.Itoa(len(secret)) + " characters)"
	}
	length := strconv.Itoa(len(secret)) + " characters"
	if r.checked && checksumRight(secret) {
		length += ", its checksum is right"
	}
	return secret[:4] + "… (" + length + ")"
}

// fingerprint names a secret without saying it. It is short, and of no use to
// someone who would guess a weak one: too many others have it too.
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
