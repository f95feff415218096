package main

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/plugins/internal/wasmtest"
	"github.com/pushlane/pushlane/sdk"
	"github.com/pushlane/pushlane/sdk/sdktest"
)

const (
	mit = `MIT License

Copyright (c) 2020 Someone

Permission is hereby granted, free of charge, to any person obtaining a copy of
this software and associated documentation files (the "Software"), to deal in it.
The above copyright notice and this permission notice shall be included.
THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND.
`
	isc = `Copyright 2020 Someone
Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted,
provided that the above copyright notice and this permission notice appear in all copies.
`
)

func said(file string, line int, rule, message string) sdk.Finding {
	return sdk.Finding{Path: file, Line: line, Rule: rule, Message: message}
}

func goCases() []sdktest.Case {
	list := "# example.org/a v1.0.0\n## explicit; go 1.20\nexample.org/a\nexample.org/a/b\n# example.org/unused " +
		"v1.0.0\n# example.org/c v0.1.0 => ../c\nexample.org/c/d\n"
	return []sdktest.Case{
		{Name: "vendored modules that may be", With: `{"allow":["MIT","ISC"]}`,
			Files: map[string]string{"vendor/modules.txt": list, "vendor/example.org/a/LICENSE": mit,
				"vendor/example.org/c/COPYING.md": isc},
			WantVerdict: "pass: 2 dependencies looked at"},
		{Name: "vendored modules that may not", With: `{"allow":["ISC"]}`,
			Files: map[string]string{"vendor/modules.txt": list, "vendor/example.org/a/LICENSE": mit,
				"vendor/example.org/c/x.go": ""},
			WantVerdict: "fail", WantFindings: []sdk.Finding{
				said("vendor/modules.txt", 1, "licence", "example.org/a v1.0.0: licence MIT: MIT is not allowed"),
				said("vendor/modules.txt", 6, "unknown",
					"example.org/c v0.1.0: its licence is unknown: there is no LICENSE file in vendor/example.org/c")}},
		{Name: "two texts count both", With: `{"deny":["ISC"]}`,
			Files: map[string]string{"vendor/modules.txt": "# m v1\nm\n", "vendor/m/LICENSE-MIT": mit,
				"vendor/m/LICENSE-ISC": isc},
			WantVerdict: "fail", WantFindings: []sdk.Finding{
				said("vendor/modules.txt", 1, "licence", "m v1: licence ISC AND MIT: ISC is denied")}},
		{Name: "a person knows", With: `{"deny":["ISC"],"known":{"m":"MIT OR ISC"}}`,
			Files: map[string]string{"vendor/modules.txt": "# m v1\nm\n"}, WantVerdict: "pass: 1 dependency looked at"},
		{Name: "a text with more in it", With: `{"allow":["MIT"],"unknown":"warning"}`,
			Files: map[string]string{"vendor/modules.txt": "# m v1\nm\n",
				"vendor/m/LICENSE": mit + "\"Commons Clause\" applies.\n"},
			WantVerdict: "pass: 1 dependency looked at", WantFindings: []sdk.Finding{
				{Path: "vendor/modules.txt", Line: 1, Level: "warning", Rule: "unknown",
					Message: `m v1: its licence is unknown: vendor/m/LICENSE: its text mentions "commons clause"`}}},
		{Name: "modules that are not vendored", With: `{"allow":["MIT"]}`,
			Files: map[string]string{
				"go.mod": "module x\nrequire (\n\ta.org/b v1.2.3 // indirect\n)\nrequire c.org/d v1.0.0\n"},
			WantVerdict: "fail", WantFindings: []sdk.Finding{
				said("go.mod", 3, "unknown", "a.org/b v1.2.3: its licence is unknown: it is not vendored (go mod vendor)"),
				said("go.mod", 5, "unknown", "c.org/d v1.0.0: its licence is unknown: it is not vendored (go mod vendor)")}},
		{Name: "every form of require", With: `{"allow":["MIT"],"unknown":"warning"}`,
			Files: map[string]string{
				"go.mod": "module x\n\ngo 1.22\n\nrequire ( // what we need\n\ta.org/b v1.2.3\n\t\"c.org/d\" v1.0.0 // " +
					"indirect\n)\n\nrequire\te.org/f v1.0.0\n\nreplace e.org/f => g.org/h v2.0.0+incompatible\n"},
			WantVerdict: "pass: 3 dependencies looked at",
			WantFindings: []sdk.Finding{warned("go.mod", 6, "a.org/b v1.2.3"), warned("go.mod", 7, "c.org/d v1.0.0"),
				warned("go.mod", 10, "g.org/h v2.0.0+incompatible")}},
		{Name: "a go.mod that is none", With: `{"allow":["MIT"]}`, Files: map[string]string{"go.mod": "require (\n"},
			WantVerdict: "fail",
			WantFindings: []sdk.Finding{said("go.mod", 0, "lock-file",
				"cannot read the lock file: go.mod:2: syntax error (unterminated block started at go.mod:1:1)")}},
		{Name: "a go.mod of a later Go", With: `{"allow":["MIT"],"known":{"a.org/b":"MIT"}}`,
			Files:       map[string]string{"go.mod": "module x\nnewthing y\nrequire a.org/b v1.0.0\n"},
			WantVerdict: "pass: 1 dependency looked at"},
		{Name: "a setting that is not an id", With: `{"allow":["MIT"],"deny":["GPLv3"]}`,
			WantVerdict: `broken: setting deny: "GPLv3" is not an SPDX licence id (see https://spdx.org/licenses)`},
		{Name: "a module's name that leads out", With: `{"allow":["MIT"]}`,
			Files: map[string]string{"vendor/modules.txt": "# ../../etc v1\nx\n"}, WantVerdict: "broken"},
	}
}

func warned(file string, line int, name string) sdk.Finding {
	return sdk.Finding{Path: file, Line: line, Level: "warning", Rule: "unknown",
		Message: name + ": its licence is unknown: it is not vendored (go mod vendor)"}
}

// TestSymbolicLinks: a licence file may be a link inside the tree.
func TestSymbolicLinks(t *testing.T) {
	for target, want := range map[string]string{
		"docs/MIT": "",
		"../MIT": `{"type":"finding","finding":{"path":"LICENSE","level":"error","rule":"lock-file","message":"cannot ` +
			`read the file: it is a symbolic link that leads out of the repository"}}`,
		"LICENSE": `{"type":"finding","finding":{"path":"LICENSE","level":"error","rule":"lock-file","message":"cannot ` +
			`read the file: it is a symbolic link that leads to itself"}}`,
	} {
		dir := t.TempDir()
		if err := errors.Join(os.Mkdir(dir+"/docs", 0o755), os.WriteFile(dir+"/docs/MIT", []byte(mit), 0o600),
			os.Symlink(target, dir+"/LICENSE")); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		request := `{"abi":1,"with":{"repository":"MIT"},"changes":[]}`
		exit := sdk.Session{In: strings.NewReader(request), Out: &out, Log: t.Output(), Src: dir}.Serve(check)
		if got, _, _ := strings.Cut(out.String(), "\n"); got != want || (exit == 1) != (want != "") {
			t.Errorf("%s: exit status %d\n got %s\nwant %s", target, exit, got, want)
		}
	}
}

func otherCases() []sdktest.Case {
	const lock = `{"lockfileVersion":3,"packages":{
"": {"name":"x"},
"node_modules/a": {"version":"1.0.0","license":"MIT"},
"node_modules/a/node_modules/@s/b": {"version":"2.0.0","license":"(GPL-3.0-only OR ISC)"},
"node_modules/c": {"version":"3.0.0","dev":true,"license":"GPL-3.0-or-later"},
"node_modules/d": {"version":"4.0.0"},
"node_modules/e": {"version":"5.0.0","license":"SEE LICENSE IN x"},
"node_modules/w": {"link":true}
}}`
	const cargo = "version = 4\n\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"serde\"\n" +
		"version = \"1.0.0\"\nsource = \"registry+x\"\n\n[[package]]\nname = \"gone\"\nversion = \"2.0.0\"\nsource = " +
		"\"registry+x\"\n"
	return []sdktest.Case{
		{Name: "npm", With: `{"allow":["MIT","ISC"],"folders":["web"]}`,
			Files: map[string]string{"web/package-lock.json": lock}, WantVerdict: "fail", WantFindings: []sdk.Finding{
				said("web/package-lock.json", 5, "licence", "c 3.0.0: licence GPL-3.0-or-later: GPL-3.0-or-later is not allowed"),
				said("web/package-lock.json", 6, "unknown", "d 4.0.0: its licence is unknown: the lock file does not name it"),
				said("web/package-lock.json", 7, "unknown",
					`e 5.0.0: its licence is unknown: "SEE LICENSE IN x" is not an SPDX expression: "SEE" is not a licence id`)}},
		{Name: "npm without development",
			With:  `{"deny":["GPL-3.0"],"unknown":"warning","dev":false,"known":{"d":"MIT","e":"MIT"}}`,
			Files: map[string]string{"package-lock.json": lock}, WantVerdict: "pass: 4 dependencies looked at"},
		{Name: "an old npm", With: `{"deny":["0BSD"]}`, Files: map[string]string{"package-lock.json": `{"dependencies":{}}`},
			WantVerdict: "fail",
			WantFindings: []sdk.Finding{said("package-lock.json", 0, "unknown",
				"the lock file is of a version that names no licences: make it anew with npm 7 or later")}},
		{Name: "a lock file that is none", With: `{"deny":["0BSD"]}`, Files: map[string]string{"package-lock.json": "{"},
			WantVerdict: "fail",
			WantFindings: []sdk.Finding{said("package-lock.json", 0, "lock-file",
				"cannot read the lock file: "+parseTrouble("{"))}},
		{Name: "cargo", With: `{"allow":["Apache-2.0"]}`,
			Files: map[string]string{"Cargo.lock": cargo,
				"vendor/serde/Cargo.toml": "[package]\nname = \"serde\"\nversion = \"1.0.0\"\nlicense = \"MIT/Apache-2.0\"\n" +
					"[dependencies.x]\nlicense = \"no\"\n", "vendor/gone/Cargo.toml": "[package]\nversion = \"1.9.0\"\n"},
			WantVerdict: "fail", WantFindings: []sdk.Finding{
				said("Cargo.lock", 13, "unknown", "gone 2.0.0: its licence is unknown: it is not vendored (cargo vendor)")}},
		{Name: "Cargo.lock in any form of TOML", With: `{"allow":["MIT"],"unknown":"warning"}`,
			Files: map[string]string{
				"Cargo.lock": "[[package]]\r\nname ='one'\r\nversion= \"1.0.0\"\r\nsource ='registry+x'\r\n[[ package ]]\nname " +
					"= \"two\"\nversion = \"2.0.0\"\n\"source\" = \"registry+x\" # x\n"},
			WantVerdict: "pass: 2 dependencies looked at",
			WantFindings: []sdk.Finding{{Path: "Cargo.lock", Line: 2, Level: "warning", Rule: "unknown",
				Message: "one 1.0.0: its licence is unknown: it is not vendored (cargo vendor)"},
				{Path: "Cargo.lock", Line: 6, Level: "warning", Rule: "unknown",
					Message: "two 2.0.0: its licence is unknown: it is not vendored (cargo vendor)"}}},
		{Name: "ids that are none", With: `{"deny":["GPL-3.0"]}`,
			Files: map[string]string{
				"package-lock.json": `{"packages":{"node_modules/a":{"version":"1","license":"GPLv3"},"node_modules/b":{` +
					`"version":"1","licenses":[{"type":"MIT"},{"type":"GPL-3.0-only"}]}}}`}, WantVerdict: "fail",
			WantFindings: []sdk.Finding{said("package-lock.json", 0, "unknown",
				`a 1: its licence is unknown: "GPLv3" is not an SPDX expression: "GPLv3" is not on the SPDX list`),
				said("package-lock.json", 0, "licence", "b 1: licence (MIT) AND (GPL-3.0-only): GPL-3.0-only is denied")}},
		{Name: "a header that is none", With: `{"headers":["**/*.go"]}`,
			Files: map[string]string{"a.go": "// " + tag + " MIT OR Apache-2.0\n",
				"b.go": "\xef\xbb\xbf// " + tag + " GPLv3\r\n", "c.go": "", ".gitattributes": "d.go linguist-generated\n",
				"d.go": ""}, WantVerdict: "fail",
			WantFindings: []sdk.Finding{said("b.go", 1, "header",
				`the header says "GPLv3", which is not an SPDX expression: "GPLv3" is not on the SPDX list`),
				said("c.go", 1, "header", "no "+tag+" in the first 30 lines")}},
		{Name: "a crate with a text", With: `{"deny":["MIT"],"known":{"gone":"ISC"}}`,
			Files: map[string]string{"Cargo.lock": cargo,
				"vendor/serde-1.0.0/Cargo.toml": "[package]\nversion = \"1.0.0\"\n", "vendor/serde-1.0.0/LICENSE": mit},
			WantVerdict: "fail", WantFindings: []sdk.Finding{
				said("Cargo.lock", 8, "licence", "serde 1.0.0: licence MIT: MIT is denied")}},
		{Name: "a folder outside", With: `{"deny":["0BSD"],"folders":["../x"]}`,
			WantVerdict: `broken: setting folders: "../x" is not a folder of the repository`},
		{Name: "headers", With: `{"headers":["**/*.go"],"header":"MIT"}`,
			Files: map[string]string{"a.go": "// " + tag + " MIT\n", "b.go": "package b\n",
				"c.go": "/* x */\n/* " + tag + " ISC */\n", "d.txt": "", "e.go": strings.Repeat("\n", 30) + "// " + tag + " MIT\n"},
			WantVerdict: "fail", WantFindings: []sdk.Finding{said("b.go", 1, "header", "no "+tag+" MIT in the first 30 lines"),
				said("c.go", 2, "header", `the header says "ISC", want "MIT"`),
				said("e.go", 1, "header", "no "+tag+" MIT in the first 30 lines")}},
		{Name: "the repository's licence", With: `{"repository":"MIT"}`, Files: map[string]string{"LICENSE": mit},
			WantVerdict: "pass"},
		{Name: "another licence", With: `{"repository":"Apache-2.0"}`, Files: map[string]string{"LICENSE": mit},
			WantVerdict: "fail", WantFindings: []sdk.Finding{
				said("LICENSE", 0, "repository", "the repository's licence is MIT, want Apache-2.0")}},
		{Name: "no licence", With: `{"repository":"MIT"}`, WantVerdict: "fail",
			WantFindings: []sdk.Finding{said("", 0, "repository",
				"the repository's licence should be MIT and is unknown: there is no LICENSE file in .")}},
	}
}

// parseTrouble is what the SDK says of broken JSON.
func parseTrouble(text string) string {
	_, err := sdk.ParseValue([]byte(text))
	return err.Error()
}

func TestLicenses(t *testing.T) {
	for _, c := range append(goCases(), otherCases()...) {
		c.Run(t, check)
	}
}

func TestLicensesAsWasm(t *testing.T) {
	guest := wasmtest.Build(t)
	for _, c := range append(goCases(), otherCases()...) {
		c.Serve = guest.Serve
		c.Run(t, nil)
	}
}

func TestExpressions(t *testing.T) {
	p := policy{allow: []string{"MIT", "Apache-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"},
		deny: []string{"Beerware"}}
	for text, want := range map[string]string{
		"MIT": "", "mit": "", "ISC": "ISC is not allowed", "MIT OR ISC": "", "ISC OR MIT": "",
		"MIT AND ISC": "ISC is not allowed", "Beerware": "Beerware is denied",
		"ISC AND MIT OR MIT": "", "(ISC OR MIT) AND Apache-2.0": "", "Apache-2.0 WITH LLVM-exception": "",
		"GPL-2.0": "GPL-2.0 is not allowed",
		"GPL-2.0-only WITH Classpath-exception-2.0": "", "ISC OR Beerware": "ISC is not allowed", "MIT/ISC": "",
	} {
		e, err := parseExpression(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := p.refuses(e); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{"": "it ends early", "MIT OR": "it ends early",
		"(MIT": "a bracket is not closed", "MIT ISC": `unexpected "ISC"`,
		"UNLICENSED": `"UNLICENSED" is not a licence id`, "a b": `"a" is not on the SPDX list`,
		"M!T":   `"M!T" is not a licence id`,
		"GPLv3": `"GPLv3" is not on the SPDX list`, "MIT OR GPL-3": `"GPL-3" is not on the SPDX list`,
		"MIT WITH nothing": `"MIT WITH nothing" is not on the SPDX list`, strings.Repeat("(", 1000): "it is too long"} {
		if _, err := parseExpression(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestTexts(t *testing.T) {
	own, err := os.ReadFile("../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, licence, why string }{
		{string(own), "Apache-2.0", ""}, {mit, "MIT", ""}, {isc, "ISC", ""}, {mit + isc, "MIT AND ISC", ""},
		{"ask me", "", "its text is not a known licence"},
		{mit + strings.Repeat("and then ", 300), "", "its text is longer than that of MIT"},
		{mit + "For non-commercial use only.", "", `its text mentions "non commercial"`},
	} {
		if licence, why := recognise(c.text); licence != c.licence || why != c.why {
			t.Errorf("%.30q: %q, %q; want %q, %q", c.text, licence, why, c.licence, c.why)
		}
	}
}

func FuzzExpression(f *testing.F) {
	f.Add("(MIT OR Apache-2.0) AND X WITH Y")
	f.Fuzz(func(t *testing.T, text string) {
		e, err := parseExpression(text)
		if err == nil && (policy{allow: []string{"none"}}).refuses(e) == "" {
			t.Errorf("%q is allowed", text)
		}
	})
}
