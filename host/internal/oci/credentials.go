package oci

import (
	"fmt"
	"os"
	"path/filepath"

	"oras.land/oras-go/v2/registry/remote/credentials"
)

// credentialStore finds the credentials of docker, then those of podman and
// skopeo: $REGISTRY_AUTH_FILE or the two places where they keep auth.json.
func credentialStore() (credentials.Store, error) {
	first, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		return nil, err
	}
	var more []credentials.Store
	for _, name := range authFiles(os.Getenv) {
		if _, err := os.Stat(name); err != nil {
			continue
		}
		store, err := credentials.NewStore(name, credentials.StoreOptions{})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		more = append(more, store)
	}
	return credentials.NewStoreWithFallbacks(first, more...), nil
}

func authFiles(getenv func(string) string) []string {
	if name := getenv("REGISTRY_AUTH_FILE"); name != "" {
		return []string{name}
	}
	var names []string
	if dir := getenv("XDG_RUNTIME_DIR"); dir != "" {
		names = append(names, filepath.Join(dir, "containers", "auth.json"))
	} else {
		names = append(names, fmt.Sprintf("/run/containers/%d/auth.json", os.Getuid()))
	}
	if dir := getenv("XDG_CONFIG_HOME"); dir != "" {
		return append(names, filepath.Join(dir, "containers", "auth.json"))
	}
	if home := getenv("HOME"); home != "" {
		names = append(names, filepath.Join(home, ".config", "containers", "auth.json"))
	}
	return names
}
