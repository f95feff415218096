package config

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestProxyKeysOfAPolicy(t *testing.T) {
	t.Parallel()
	const header = "proxy_header = \"X-User\"\n"
	notOne := func(text string) string {
		return "cannot read the policy: proxy_addresses: \"" + text + "\" is not an address; " +
			`set proxy_addresses = ["127.0.0.1/32"]`
	}
	for text, want := range map[string]string{
		`proxy_header = "X-User"`: "[] run",
		header + "proxy_addresses = [\"127.0.0.1/32\", \"10.0.0.0/8\", \"::1\"]\nproxy_scope = " +
			"\"read\"": "[127.0.0.1/32 10.0.0.0/8 ::1/128] read",
		`proxy_addresses = ["127.0.0.1/32"]`: "cannot read the policy: proxy_addresses needs proxy_header; " +
			`set proxy_header = "X-Forwarded-User"`,
		`proxy_scope = "admin"`:                `cannot read the policy: proxy_scope is "admin", want none, read or run`,
		header + `proxy_addresses = ["proxy"]`: notOne("proxy"),
		header + `proxy_addresses = [""]`:      notOne(""),
		header + `proxy_addresses = ["::/0"]`: `cannot read the policy: proxy_addresses: "::/0" is every address; ` +
			`set proxy_addresses = ["127.0.0.1/32"]`,
		`proxy_header = "X_User"`: `cannot read the policy: proxy_header is "X_User", want a header that clients do not ` +
			`set; set proxy_header = "X-Forwarded-User"`,
		`proxy_header = "Cookie"`: `cannot read the policy: proxy_header is "Cookie", want a header that clients do not ` +
			`set; set proxy_header = "X-Forwarded-User"`,
		header + "proxy_scope = \"none\"":                                        "[] none",
		"[[access]]\nuser = \"ann\"\nscope = \"read\"\nrepositories = [\"app\"]": "[] run",
		"[[access]]\nuser = \"ann\"\nscope = \"most\"": `cannot read the policy: [[access]] of "ann": ` +
			`scope is "most", want none, read, run or admin`,
		"[[access]]\nscope = \"read\"": `cannot read the policy: [[access]] of "": user is "", want the name of one`,
		"[[access]]\nuser = \"a\"\nscope = \"run\"\nrepositories = [\"\"]": `cannot read the policy: ` +
			`[[access]] of "a": a repository has no name`,
		"[[access]]\nuser = \"a\"\nscope = \"run\"\n[[access]]\nuser = \"a\"\nscope = \"read\"": `cannot read the policy: ` +
			`[[access]] of "a": it appears twice`,
		header + `proxy_addresses = ["fe80::1%eth0"]`:         notOne("fe80::1%eth0"),
		header + `proxy_addresses = ["::ffff:127.0.0.1/128"]`: notOne("::ffff:127.0.0.1/128"),
	} {
		file := filepath.Join(t.TempDir(), "policy.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		env := map[string]string{"PUSHLANE_CONFIG": file, "HOME": "/home/ann"}
		policy, err := LoadServer(func(key string) string { return env[key] })
		got := ""
		if err != nil {
			got = err.Error()
			if h, ok := err.(interface{ Hint() string }); ok {
				got += "; " + h.Hint()
			}
		} else {
			proxies, _ := policy.Proxies()
			got = fmt.Sprint(proxies, " ", policy.ProxyScope)
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}
