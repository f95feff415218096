package host

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
		header + "proxy_addresses = [\"127.0.0.1/32\", \"10.0.0.0/8\", \"::1\"]\nproxy_scope = \"read\"": "[127.0.0.1/32 10.0.0.0/8 ::1/128] read",
		`proxy_addresses = ["127.0.0.1/32"]`: "cannot read the policy: proxy_addresses needs proxy_header; " +
			`set proxy_header = "X-Forwarded-User"`,
		`proxy_scope = "admin"`:                               `cannot read the policy: proxy_scope is "admin", want read or run`,
		header + `proxy_addresses = ["proxy"]`:                notOne("proxy"),
		header + `proxy_addresses = [""]`:                     notOne(""),
		header + `proxy_addresses = ["fe80::1%eth0"]`:         notOne("fe80::1%eth0"),
		header + `proxy_addresses = ["::ffff:127.0.0.1/128"]`: notOne("::ffff:127.0.0.1/128"),
	} {
		file := filepath.Join(t.TempDir(), "policy.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		env := map[string]string{"PUSHLANE_CONFIG": file, "HOME": "/home/ann"}
		policy, err := LoadServerPolicy(func(key string) string { return env[key] })
		got := ""
		if err != nil {
			got = err.Error()
			if h, ok := err.(hintedError); ok {
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
