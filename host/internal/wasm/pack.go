package wasm

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pelletier/go-toml/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/pushlane/pushlane/sdk"
)

const section = "lane.manifest"

func Pack(module, manifest []byte) ([]byte, error) {
	var m sdk.Manifest
	if err := toml.Unmarshal(manifest, &m); err != nil {
		return nil, err
	}
	body := binary.AppendUvarint(nil, uint64(len(section)))
	body = append(append(body, section...), manifest...)
	out := append(bytes.Clone(module), 0)
	out = binary.AppendUvarint(out, uint64(len(body)))
	return append(out, body...), nil
}

func ReadManifest(module []byte) (sdk.Manifest, error) {
	var m sdk.Manifest
	if len(module) < 8 || string(module[:4]) != "\x00asm" {
		return m, errors.New("no module")
	}
	for rest := module[8:]; len(rest) > 0; {
		id := rest[0]
		n, k := binary.Uvarint(rest[1:])
		if k <= 0 || uint64(len(rest)-1-k) < n {
			return m, errors.New("truncated")
		}
		body := rest[1+k : 1+k+int(n)]
		rest = rest[1+k+int(n):]
		if id != 0 {
			continue
		}
		l, k := binary.Uvarint(body)
		if k > 0 && string(body[k:k+int(l)]) == section {
			return m, toml.Unmarshal(body[k+int(l):], &m)
		}
	}
	return m, errors.New("no manifest")
}

func (m *Module) CheckWith(with []byte) error {
	if m.manifest.Schema == "" {
		return nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(m.manifest.Schema)))
	if err != nil {
		return err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("with.json", doc); err != nil {
		return err
	}
	s, err := c.Compile("with.json")
	if err != nil {
		return err
	}
	var v any
	if err := json.Unmarshal(with, &v); err != nil {
		return err
	}
	if err := s.Validate(v); err != nil {
		return fmt.Errorf("%w", err)
	}
	return nil
}
