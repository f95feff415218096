package lanerun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/host/internal/wasm"
)

const (
	maxKeptName  = 256      // bytes
	maxKeptValue = 64 << 10 // bytes
)

// keep answers kv.get@1 and kv.set@1: a small store of the plugin's own, for
// each repository. Which part is its own comes from the run.
func (l *access) keep(ctx context.Context, op string, req []byte) ([]byte, error) {
	if !l.can("kv") {
		return nil, l.refuse(ctx, l.denied("kv"))
	}
	r, err := ParseKept(req)
	if err != nil {
		return nil, err
	}
	st, err := l.runner.Store(ctx)
	if err != nil {
		return nil, err
	}
	space := l.space()
	if op == OpSet {
		l.dependsOutside("it stores values")
		return setValue(ctx, st, space, r.Name, r.Value)
	}
	value, err := st.Values().Get(ctx, space, r.Name)
	if err != nil || value == nil {
		return []byte(`{}`), err
	}
	return json.Marshal(map[string]string{"value": string(value)})
}

// keptValue is the request of kv.get@1 and kv.set@1.
type keptValue struct {
	Name  string  `json:"name"`
	Value *string `json:"value"`
}

// ParseKept reads a kv.get@1 or kv.set@1 request.
func ParseKept(req []byte) (keptValue, error) {
	var r keptValue
	if err := json.Unmarshal(req, &r); err != nil {
		return r, Invalid("want an object with name and value, both texts")
	}
	if r.Name == "" || len(r.Name) > maxKeptName || !utf8.ValidString(r.Name) ||
		r.Value != nil && len(*r.Value) > maxKeptValue {
		return r, Invalid("a name is UTF-8 text of 1 to %d bytes, a value of at most %d", maxKeptName, maxKeptValue)
	}
	return r, nil
}

func setValue(ctx context.Context, st *store.Store, space store.Space, name string, value *string) ([]byte, error) {
	var data []byte
	if value != nil {
		data = []byte(*value)
	}
	err := st.Values().Set(ctx, space, name, data)
	if errors.Is(err, store.ErrSpaceFull) {
		return nil, &wasm.OpError{Code: wasm.TooMany, Message: fmt.Sprintf(
			"a plugin stores at most %d values of %d bytes in all", store.MaxValues, store.MaxValueBytes)}
	}
	return []byte(`{}`), err
}
