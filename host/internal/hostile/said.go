package hostile

import (
	"slices"
	"strings"
)

// escapeText moves the cursor, names the window, hides a link behind other
// words and turns the direction of reading.
const escapeText = "\x1b[2J\x1b]0;mine\a\x1b]8;;https://example.org\x1b\\safe\x1b]8;;\x1b\\ \u009b31m " +
	"\u202eklat\u2066 \b\x7f"

// tame is text that does nothing to a terminal.
const tame = `[^\x00-\x09\x0b-\x1f\x7f-\x{9f}\x{200e}\x{200f}\x{202a}-\x{202e}\x{2066}-\x{2069}]*`

// answers are wrong in what they say: the module is as tame as any.
func answers() []Attack {
	return slices.Concat(records(), reports())
}

// saying is a plugin that writes text some times and exits.
func saying(output string, exit, times int, text string) func() []byte {
	return func() []byte {
		p := newProgram(output, "proc_exit")
		return p.main(count(0, int64(times), p.print(1, 0, text)), p.host("proc_exit", exit))
	}
}

func records() []Attack {
	lines := func(exit int, text ...string) func() []byte {
		return saying("jsonl", exit, 1, strings.Join(text, "\n"))
	}
	finding := func(f string) func() []byte { return lines(0, `{"type":"finding","finding":{`+f+`}}`) }
	verdict := func(v string) string { return `{"type":"verdict","verdict":"` + v + `"}` }
	all := []Attack{
		{ID: "answer-garbage", About: "bytes that are not an answer",
			Module: lines(0, "\x00\xff\x1b]0;mine\a{\"type\":\n]]\xed\xa0\x80"),
			Want:   `line 1 of standard output is not a record`, Kind: Broken},
		{ID: "answer-half", About: "an answer that stops in the middle",
			Module: lines(0, verdict("pass"), `{"type":"finding","finding":{"level":"err`),
			Want:   `line 2 of standard output is not a record`, Kind: Broken},
		{ID: "answer-deep", About: "an answer nested 50,000 deep",
			Module: lines(0, `{"type":"progress","x":`+strings.Repeat("[", 50_000)),
			Want:   `line 1 of standard output is not a record`, Kind: Broken},
		{ID: "answer-deep-objects", About: "objects nested 10,000 deep",
			Module: lines(0, `{"type":"progress","x":`+strings.Repeat(`{"a":`, 10_000)),
			Want:   `line 1 of standard output is not a record`, Kind: Broken},
		{ID: "answer-key-twice", About: "a key twice: which one is meant",
			Module: lines(1, `{"type":"verdict","verdict":"fail","verdict":"pass"}`),
			Want:   `line 1 of standard output is not a record`, Kind: Broken},
		{ID: "answer-unknown-type", About: "a record of unknown type", Module: lines(0, `{"type":"approve"}`),
			Want: `unknown record type "approve"`, Kind: Broken},
		{ID: "answer-empty-finding", About: "a finding that says nothing", Module: lines(0, `{"type":"finding"}`),
			Want: `a record of type "finding" without its value`, Kind: Broken},
		{ID: "answer-huge-number", About: "a line number of 400 digits",
			Module: finding(`"path":"a","line":1` + strings.Repeat("0", 400) + `,"level":"error","message":"x"`),
			Want:   `line 1 of standard output is not a record`, Kind: Broken},
		{ID: "answer-negative", About: "a finding at line -1",
			Module: finding(`"path":"a","line":-1,"level":"error","message":"x"`), Want: `line -1|is not a record`,
			Kind: Broken},
		{ID: "answer-level", About: "a level that does not exist",
			Module: finding(`"path":"a","level":"fatal\u001b[2J","message":"x"`),
			Want:   `^cannot use output: a finding of level "fatal` + tame + `$`, Kind: Broken},
		{ID: "answer-path-up", About: "a finding above the tree's top",
			Module: finding(`"path":"../../etc/passwd","level":"error","message":"x"`),
			Want:   `a finding at "../../etc/passwd", want a path below the tree's top`, Kind: Broken},
		{ID: "answer-path-absolute", About: "a finding at an absolute path",
			Module: finding(`"path":"/etc/passwd","level":"error","message":"x"`),
			Want:   `a finding at "/etc/passwd", want a path below the tree's top`, Kind: Broken},
		{ID: "answer-path-crooked", About: "a finding whose path goes down and up",
			Module: finding(`"path":"a/../../x","level":"error","message":"x"`), Want: `want a path below the tree's top`,
			Kind: Broken},
		{ID: "answer-escapes", About: "a finding that would take the terminal over",
			Module: finding(`"path":"a","level":"error","rule":"\u001b[2Jr","message":"` +
				strings.NewReplacer("\x1b", `\u001b`, "\a", `\u0007`, "\b", `\b`, "\\", `\\`).Replace(escapeText) + `"`),
			Want: `^exit 0: 1 findings, error r: ` + tame + `$`, Kind: Harmless},
		{ID: "answer-findings-100k", About: "100,000 findings",
			Module: saying("jsonl", 0, 100, strings.Repeat(`{"type":"finding","finding":{"level":"note","message":"x"}}`+"\n",
				1000)), Want: `exit 0: 10000 findings`, Kind: Harmless},
		{ID: "answer-progress-flood", About: "200,000 lines of progress",
			Module: saying("jsonl", 0, 200, strings.Repeat(`{"type":"progress","message":"still here"}`+"\n", 1000)),
			Want:   `^exit 0: 0 findings`, Kind: Harmless},
		{ID: "answer-empty-lines", About: "eight million empty lines",
			Module: saying("jsonl", 0, 160, strings.Repeat("\n", 50_000)), Want: `^exit 0: 0 findings`, Kind: Harmless},
		{ID: "answer-no-newline", About: "one record of two megabytes", Module: func() []byte {
			p := newProgram("jsonl")
			return p.main(p.print(1, 0, `{"type":"progress","message":"`),
				count(0, 40, p.print(1, 100, strings.Repeat("x", 50_000))), p.print(1, 55_000, `"}`))
		}, Want: `line 1 of standard output is longer than 1048576 bytes`, Kind: Broken},
	}
	for _, c := range []struct {
		id, says string
		exit     int
		want     string
	}{
		{"pass-and-fail", verdict("pass"), 1, `the plugin contradicts itself: it says "pass" and exits with status 1`},
		{"fail-and-pass", verdict("fail"), 0, `the plugin contradicts itself: it says "fail" and exits with status 0`},
		{"skip-and-fail", verdict("skip"), 1, `the plugin contradicts itself: it says "skip" and exits with status 1`},
		{"two-verdicts", verdict("fail") + "\n" + verdict("pass"), 0, `a second verdict`},
		{"verdict-unknown", verdict("PASS"), 0, `a record of type "verdict" without its value`},
	} {
		all = append(all, Attack{ID: "answer-" + c.id, About: "words and exit status that differ: " +
			strings.ReplaceAll(c.id, "-", " "), Module: lines(c.exit, c.says), Want: c.want, Kind: Broken})
	}
	return marked(all)
}

// reports are answers in the formats of other tools.
func reports() []Attack {
	sarif := func(text string) func() []byte { return saying("sarif", 0, 1, text) }
	at := func(uri string) string {
		return `{"runs":[{"results":[{"message":{"text":"x"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"` +
			uri + `"}}}]}]}]}`
	}
	return marked([]Attack{
		{ID: "sarif-garbage", About: "no SARIF", Module: sarif("<xml/>"), Want: `standard output is not SARIF`, Kind: Broken},
		{ID: "sarif-nothing", About: "nothing at all where a log is promised", Module: sarif(" "),
			Want: `standard output is not SARIF`, Kind: Broken},
		{ID: "sarif-deep", About: "SARIF nested 50,000 deep", Module: sarif(`{"runs":` + strings.Repeat("[", 50_000)),
			Want: `standard output is not SARIF`, Kind: Broken},
		{ID: "sarif-path-up", About: "a result above the tree's top, spelled in another way",
			Module: sarif(at("%2e%2e/%2e%2e/etc/passwd")), Want: `a finding at "../../etc/passwd"`, Kind: Broken},
		{ID: "sarif-path-absolute", About: "a result in a file of the machine's", Module: sarif(at("file:///etc/passwd")),
			Want: `a finding at "/etc/passwd"`, Kind: Broken},
		{ID: "sarif-level", About: "a level that does not exist",
			Module: sarif(`{"runs":[{"results":[{"level":"\u001b[2J","message":{"text":"x"}}]}]}`),
			Want:   `^cannot use output: a finding of level "` + tame + `$`, Kind: Broken},
		{ID: "sarif-many", About: "16,001 results in 50 KiB",
			Module: sarif(`{"runs":[{"results":[{}` + strings.Repeat(",{}", 16_000) + `]}]}`), Want: `exit 0: 10000 findings`,
			Kind: Harmless},
		{ID: "gnu-many", About: "100,000 messages of a compiler",
			Module: saying("gnu", 0, 50, strings.Repeat("a:1: x\n", 2000)), Want: `exit 0: 10000 findings`, Kind: Harmless},
		{ID: "gnu-path-up", About: "a compiler's message above the tree's top",
			Module: saying("gnu", 0, 1, "/src/../../etc/passwd:1: error: x\n"), Want: `a finding at "../../etc/passwd"`,
			Kind: Broken},
		{ID: "gnu-slow", About: "a line of a megabyte that is nearly a message",
			Module: saying("gnu", 0, 20, strings.Repeat("a:1:", 12_000)), Want: `^exit 0: `, Kind: Harmless},
		{ID: "gnu-huge-line", About: "a line number of 60 digits",
			Module: saying("gnu", 0, 1, "a:"+strings.Repeat("9", 60)+": error: x\n"),
			Want:   `^exit 0: 1 findings|a finding at line`, Kind: Harmless},
	})
}

// marked says that the harm is in the answer.
func marked(all []Attack) []Attack {
	for i := range all {
		all[i].Answer = true
	}
	return all
}
