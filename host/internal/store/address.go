package store

import (
	"fmt"
	"strconv"
	"strings"
)

// Address names a run, or one lane of it, as people write it.
type Address struct {
	Number int64  // of the run; 0: not given
	Repo   string // name of the repository; "": the one at hand
	Commit string // 4 to 40 hex digits; "": not given
	Lane   string // ""; all lanes
	Last   bool   // the newest run
}

// ParseAddress reads "#102:lane", "102:lane", "102", "repo@abc1234:lane",
// "repo@abc1234", "@abc1234" or "last", each with or without a lane.
func ParseAddress(text string) (Address, error) {
	var a Address
	head := text
	if repo, rest, ok := cutLast(text, '@'); ok {
		a.Repo = repo
		a.Commit, a.Lane, _ = strings.Cut(rest, ":")
		if !isAbbrev(a.Commit) {
			return Address{}, badAddress(text)
		}
	} else {
		head, a.Lane, _ = strings.Cut(text, ":")
		number, err := strconv.ParseUint(strings.TrimPrefix(head, "#"), 10, 63)
		a.Number, a.Last = int64(number), head == "last"
		if !a.Last && (err != nil || number == 0) {
			return Address{}, badAddress(text)
		}
	}
	if strings.HasSuffix(text, ":") || strings.ContainsAny(a.Lane, ":/# ") {
		return Address{}, badAddress(text)
	}
	return a, nil
}

// String writes the address as ParseAddress reads it.
func (a Address) String() string {
	head := "last"
	switch {
	case a.Commit != "":
		head = a.Repo + "@" + a.Commit
	case a.Number > 0:
		head = "#" + strconv.FormatInt(a.Number, 10)
	}
	if a.Lane == "" {
		return head
	}
	return head + ":" + a.Lane
}

type addressError struct{ text string }

func badAddress(text string) error { return &addressError{text} }

func (e *addressError) Error() string { return fmt.Sprintf("cannot read run %q", e.text) }

func (e *addressError) Hint() string {
	return "write a run as 102, #102:lane, repo@abc1234:lane or last"
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

func isAbbrev(s string) bool {
	return len(s) >= 4 && len(s) <= 40 && strings.Trim(s, "0123456789abcdef") == ""
}
