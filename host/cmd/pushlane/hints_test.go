package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// invocation is a command of ours in a text: after a colon, at the beginning of a line, or in a backquote of Markdown.
var invocation = regexp.MustCompile("(?m)(?:^ *(?:\\$ )?|: |`)pushlane ([a-z-]+(?: [^\\n`;|&#()]*)?)")

// TestCommandsOfTexts: every command that a hint, a help text or a document tells someone to type is there, with its
// flags.
func TestCommandsOfTexts(t *testing.T) {
	t.Parallel()
	top := "../../.."
	tried := 0
	err := filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() && (e.Name() == "node_modules" || e.Name() == ".git" || e.Name() == "testdata") {
			if err == nil {
				err = fs.SkipDir
			}
			return err
		}
		for _, text := range textsOf(t, path) {
			for _, m := range invocation.FindAllStringSubmatch(text, -1) {
				tried++
				if fault := faultOf(m[1]); fault != "" {
					t.Errorf("%s: pushlane %s: %s", strings.TrimPrefix(path, top+"/"), m[1], fault)
				}
			}
		}
		return nil
	})
	if err != nil || tried < 200 {
		t.Errorf("%d commands were found, %v", tried, err)
	}
}

// textsOf are the string literals of a Go file, or a whole Markdown file.
func textsOf(t *testing.T, path string) (texts []string) {
	t.Helper()
	switch {
	case filepath.Ext(path) == ".md" && filepath.Base(path) != "CHANGELOG.md":
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return []string{string(data)}
	case filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
		return nil
	}
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				texts = append(texts, text)
			}
		}
		return true
	})
	return texts
}

// faultOf is what is wrong with a command line; "" if nothing is, or if it is prose.
func faultOf(line string) string {
	words := strings.Fields(line)
	root := rootCommand(&program{})
	cmd, rest, err := root.Find(plain(words))
	if err != nil || cmd == root {
		if prose[words[0]] || words[0] == "--help" {
			return ""
		}
		return "there is no such command"
	}
	for len(rest) > 0 && cmd.HasSubCommands() {
		return "it has no command " + rest[0]
	}
	for _, word := range words {
		name, _, _ := strings.Cut(strings.Trim(word, "[]'\",."), "=")
		if len(name) < 2 || name[0] != '-' || cmd.DisableFlagParsing {
			continue
		}
		if !hasFlag(cmd, name) && name != "--help" && name != "-h" {
			return "it has no flag " + name
		}
	}
	return ""
}

// plain are the words up to the first that is not a command's name.
func plain(words []string) []string {
	for i, word := range words {
		if strings.Trim(word, "abcdefghijklmnopqrstuvwxyz-") != "" || word[0] == '-' {
			return words[:i]
		}
	}
	return words
}

// prose are words that follow the program's name in sentences.
var prose = map[string]bool{"judges": true, "is": true, "hook": true, "host": true, "made": true, "again": true,
	"cannot": true, "and": true, "itself": true, "on": true, "has": true, "with": true, "keeps": true,
	"does": true, "decides": true,
	"records": true, "program": true, "must": true, "sets": true, "starts": true}

func hasFlag(cmd *cobra.Command, name string) bool {
	cmd.InheritedFlags()
	if long, ok := strings.CutPrefix(name, "--"); ok {
		return cmd.Flags().Lookup(long) != nil
	}
	return cmd.Flags().ShorthandLookup(name[1:2]) != nil
}
