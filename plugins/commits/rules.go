package main

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

// settings are the lane's, see README.md.
type settings struct {
	subjectMax  int64
	bodyMax     int64
	blankSecond bool
	fixups      bool // allowed
	merges      bool // allowed
	signOff     bool
	types       []string
	words       []string
	trailers    []string
}

func readSettings(run *sdk.Run) (settings, error) {
	s := settings{
		subjectMax:  run.With("subject_max").Int(),
		bodyMax:     run.With("body_line_max").Int(),
		blankSecond: run.With("blank_second_line").Bool(),
		fixups:      run.With("fixups").Bool(),
		merges:      run.With("merges").BoolOr(true),
		signOff:     run.With("sign_off").Bool(),
		types:       run.With("types").Strings(),
		words:       run.With("forbidden_words").Strings(),
		trailers:    run.With("trailers").Strings(),
	}
	if s.subjectMax < 0 || s.bodyMax < 0 {
		return s, errors.New("setting: a length is a number above 0")
	}
	return s, nil
}

// fault is what one rule has against a commit.
type fault struct{ rule, text string }

// look returns all that speaks against a commit, in the order of the rules.
func (s settings) look(m message) []fault {
	if strings.TrimSpace(m.subject) == "" {
		return []fault{{"empty", "the message has no subject"}}
	}
	if m.merge {
		if !s.merges {
			return []fault{{"merge", "merge commits are not allowed here: rebase instead"}}
		}
		return nil // git wrote its message
	}
	return slices.Concat(s.subject(m), s.body(m), s.trailer(m))
}

func (s settings) subject(m message) []fault {
	var all []fault
	if prefix := fixup(m.subject); prefix != "" && !s.fixups && !m.draft {
		all = append(all, fault{"fixup", prefix + " commits are not for pushing: git rebase --autosquash folds them in"})
	}
	if n := length(m.subject); s.subjectMax > 0 && int64(n) > s.subjectMax {
		all = append(all, fault{"subject-length", "the subject has " + strconv.Itoa(n) + " characters, at most " +
			strconv.FormatInt(s.subjectMax, 10) + " are allowed"})
	}
	for _, word := range s.words {
		if hasWord(m.subject, word) {
			all = append(all, fault{"word", "the subject says " + strconv.Quote(word)})
		}
	}
	if len(s.types) > 0 && fixup(m.subject) == "" && !reverts(m.subject) {
		if text := s.conventional(m.subject); text != "" {
			all = append(all, fault{"type", text})
		}
	}
	return all
}

// fixup returns the prefix that git commit --fixup and --squash give.
func fixup(subject string) string {
	for _, prefix := range []string{"fixup!", "squash!", "amend!"} {
		if strings.HasPrefix(subject, prefix) {
			return prefix
		}
	}
	return ""
}

// reverts reports whether git revert wrote the subject: Revert "…", and since
// git 2.43 Reapply "…" for what was reverted. Forges add a number after it.
func reverts(subject string) bool {
	for _, prefix := range []string{`Revert "`, `Reapply "`} {
		if rest, ok := strings.CutPrefix(subject, prefix); ok && strings.LastIndexByte(rest, '"') > 0 {
			return true
		}
	}
	return false
}

// conventional says what is wrong with a subject that should read "type: what
// changes", "type(scope): what changes" or either with "!" before the colon.
func (s settings) conventional(subject string) string {
	known := "one of " + strings.Join(s.types, ", ")
	head, text, ok := strings.Cut(subject, ": ")
	if !ok || strings.TrimSpace(text) == "" {
		return `the subject does not read "type: what changes", with ` + known
	}
	head = strings.TrimSuffix(head, "!")
	kind, scope, scoped := strings.Cut(head, "(")
	if scoped && (len(scope) < 2 || strings.IndexByte(scope, ')') != len(scope)-1) {
		return "the scope in " + strconv.Quote(head) + " is not closed or empty"
	}
	if !slices.Contains(s.types, kind) {
		return "unknown type " + strconv.Quote(kind) + ", want " + known
	}
	return ""
}

// hasWord reports whether a text holds a word, not only as part of another;
// small and capital letters are the same.
func hasWord(text, word string) bool {
	text, word = strings.ToLower(text), strings.ToLower(word)
	for at := 0; word != ""; {
		i := strings.Index(text[at:], word)
		if i < 0 {
			break
		}
		from, to := at+i, at+i+len(word)
		if !(from > 0 && letter(text[from-1]) && letter(word[0])) &&
			!(to < len(text) && letter(text[to]) && letter(word[len(word)-1])) {
			return true
		}
		at = from + 1
	}
	return false
}

func letter(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_' || c >= 0x80
}

func (s settings) body(m message) []fault {
	var all []fault
	if s.blankSecond && strings.TrimSpace(m.second) != "" {
		all = append(all, fault{"second-line", "the line after the subject is not blank"})
	}
	for i, line := range m.body {
		// A line without a blank inside, such as an address, cannot be broken.
		if s.bodyMax > 0 && int64(length(line)) > s.bodyMax && strings.ContainsAny(strings.TrimSpace(line), " \t") {
			all = append(all, fault{"body-length", "line " + strconv.Itoa(i+3) + " of the message has " +
				strconv.Itoa(length(line)) +
				" characters, at most " + strconv.FormatInt(s.bodyMax, 10) + " are allowed"})
		}
	}
	return all
}

func (s settings) trailer(m message) []fault {
	var all []fault
	if s.signOff && !m.signed() {
		want := m.author
		if want == "" {
			want = "Name <mail>"
		}
		all = append(all, fault{"sign-off", `there is no "Signed-off-by: ` + want + `": git commit --signoff adds it`})
	}
	for _, pattern := range s.trailers {
		if !slices.ContainsFunc(m.trail, func(t string) bool { return matchText(pattern, t) }) {
			all = append(all, fault{"trailer", "no trailer matches " + strconv.Quote(pattern)})
		}
	}
	return all
}

// signed reports whether the author signed off. While the message is being written
// the author is not known, and any sign-off is accepted.
func (m message) signed() bool {
	return slices.ContainsFunc(m.trail, func(t string) bool {
		key, who, _ := strings.Cut(t, ": ")
		return strings.EqualFold(key, "Signed-off-by") && (who == m.author || m.author == "" && who != "")
	})
}

// matchText matches a whole text: "*" is any run of characters, "?" any one.
func matchText(pattern, text string) bool {
	p, t, star, from := 0, 0, -1, 0
	pr, tr := []rune(pattern), []rune(text)
	for t < len(tr) {
		switch {
		case p < len(pr) && pr[p] == '*':
			star, from = p, t
			p++
		case p < len(pr) && (pr[p] == '?' || pr[p] == tr[t]):
			p++
			t++
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	for p < len(pr) && pr[p] == '*' {
		p++
	}
	return p == len(pr)
}
